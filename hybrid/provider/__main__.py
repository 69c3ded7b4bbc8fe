"""The plugin process: `python -m hybrid.provider [engine address]`. Prints its port, serves until it is told to end.

It ends with code 0 on the engine's Cancel, on SIGINT and SIGTERM, and when the engine that started it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent import futures
from typing import Final

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from hybrid.provider.catalog import resources
from hybrid.provider.report import EngineLog
from hybrid.provider.server import Provider

# Calls wait (for an agent, for a lock); Cancel must always find a free thread, or the engine calls us crashed.
_THREADS: Final = 128
_LARGEST_MESSAGE: Final = 400 * 1024 * 1024  # bytes; what the engine itself allows
_GRACE: Final = 60.0  # seconds for calls in work to end once they are told to stop: a graceful stop of a process fits
_PARENT_LOOK: Final = 1.0  # seconds between looks whether the engine lives


def main() -> None:
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    limits = [("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=limits)
    log = EngineLog(sys.argv[1] if len(sys.argv) > 1 else "")
    add_ResourceProviderServicer_to_server(Provider(resources(), log, stop), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.wait(_PARENT_LOOK):
        if os.getppid() != parent:  # the engine was killed: nobody will ask or cancel any more
            stop.set()
    server.stop(_GRACE).wait()
    # All calls have ended. The engine gives all its plugins five seconds to go, one after the other, and calls the one
    # whose turn has not come crashed (pulumi/pkg/v3, host.go, ReleaseContext): no second of them for Python's tidying.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
