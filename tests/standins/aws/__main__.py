"""The plugin process: prints its port, serves until it is told to end or the engine that started it is gone.

When the engine ends it calls Cancel and sends an interrupt, to one plugin after the other, and has five seconds for
all (pulumi/pkg/v3's host.go, ReleaseContext). A plugin that takes longer keeps the next one's Cancel from being sent,
and the engine then says of that one that it "exited prematurely". So an interrupt ends this process at once: what it
was doing has been broken off by Cancel.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent import futures

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from hybrid.provider.report import EngineLog
from tests.standins.aws import terraform
from tests.standins.aws.server import Provider


def main() -> None:
    parent = os.getppid()
    environ = dict(os.environ)
    binary = terraform.find(environ)
    if binary is None:
        sys.exit(f"There is no AWS provider of HashiCorp's here: set {terraform.VARIABLE} to its path.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    running = terraform.Terraform(binary, environ)  # before any thread of gRPC's: the process is forked
    server = grpc.server(
        futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 * 1024 * 1024)]
    )
    log = EngineLog(sys.argv[1] if len(sys.argv) > 1 else "")
    add_ResourceProviderServicer_to_server(Provider(log, binary, running, environ), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()
    server.stop(0)
    running.end()
    # Threads that still wait for the provider would hold up an orderly end.
    os._exit(0)


if __name__ == "__main__":
    main()
