"""A Pulumi provider whose resources do nothing: the least that an `up` can cost."""

from __future__ import annotations

import signal
import sys
import threading
import uuid
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

done = threading.Event()
FORETELLS = "--foretells-nothing" not in sys.argv
"""Whether outputs are known in a preview: they are the inputs, which not every SDK takes for its outputs."""


class Null(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]
    """Says yes to everything."""

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="0.0.1")

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Create(self, request: Any, context: Any) -> Any:
        if request.preview and not FORETELLS:
            return provider_pb2.CreateResponse()
        return provider_pb2.CreateResponse(id=uuid.uuid4().hex, properties=request.properties)

    def Read(self, request: Any, context: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        done.set()
        return empty_pb2.Empty()


server = grpc.server(futures.ThreadPoolExecutor(8))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(Null(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
signal.signal(signal.SIGTERM, lambda *_: done.set())
signal.signal(signal.SIGINT, lambda *_: None)
sys.stdout.write(f"{port}\n")
sys.stdout.flush()
done.wait()
server.stop(1).wait()
