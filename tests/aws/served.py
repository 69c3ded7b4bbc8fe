"""A program in a process of its own, where the CLI finds it.

The SDK keeps state in its process, and a program that the engine breaks off leaves coroutines behind that nobody ends;
neither may reach the tests. The process is forked from one that has everything imported.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

import dill
import grpc
import pulumi_aws  # noqa: F401 - for those that are forked
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

_MODULES: Final = (
    "cloudwatch",
    "ec2",
    "ecr",
    "ecs",
    "iam",
    "kms",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "sns",
    "vpc",
)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__, *(f"pulumi_aws.{module}" for module in _MODULES)])


@contextmanager
def served(program: Callable[[], None]) -> Iterator[str]:
    """The address of ``program`` while the block runs."""
    here, there = _forks.Pipe()
    process = _forks.Process(target=_serve, args=(dill.dumps(program, recurse=True), there), daemon=True)
    process.start()
    there.close()
    try:
        yield f"127.0.0.1:{here.recv()}"
    finally:
        here.close()
        process.kill()
        process.join()


def _serve(program: bytes, told: Connection) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(dill.loads(program)), server)  # noqa: S301
    told.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    told.poll(None)  # until the other end is closed
    os._exit(0)
