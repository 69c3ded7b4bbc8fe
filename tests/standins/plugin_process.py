"""The process of a plugin for Pulumi: prints its port, serves until it is told to end or the engine that started it is
gone.

An interrupt ends it at once, as the stand-in for AWS and for the same reason (``tests/standins/aws/__main__``): the
engine has five seconds for the end of all its plugins, one after the other.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent import futures

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer, add_ResourceProviderServicer_to_server

from hybrid.provider.report import EngineLog


def serve(provider: Callable[[EngineLog], ResourceProviderServicer]) -> None:
    """Does not return."""
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = grpc.server(
        futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 * 1024 * 1024)]
    )
    log = EngineLog(sys.argv[1] if len(sys.argv) > 1 else "")
    add_ResourceProviderServicer_to_server(provider(log), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()
    server.stop(0)
    # What a client is told of an engine's long answer is of no use any more, and its thread would hold up the end.
    os._exit(0)
