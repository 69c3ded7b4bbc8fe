"""The program, served to the CLI from this process.

The CLI's ``--client`` names a language runtime that is already there; Pulumi's Automation API does the same for inline
programs (pulumi/automation/_stack.py, _server.py of 3.272). Its ``Stack.up`` is not used: it asks the CLI for outputs
and history after each update, which costs more than a second that nobody needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import grpc

if TYPE_CHECKING:
    Handler = grpc.GenericRpcHandler[Any, Any]
else:
    Handler = grpc.GenericRpcHandler  # generic in its type stubs only

_MEBIBYTE = 1024 * 1024


class _DeferredRuntime(Handler):
    """A language runtime whose imports (pulumi, the stacks) go on while the CLI starts; calls wait for them, but not
    for ``further``."""

    def __init__(self, further: Callable[[], None]) -> None:
        self._further = further
        self._handlers: list[Handler] = []
        self._failure: BaseException | None = None
        self._loaded = threading.Event()
        threading.Thread(target=self._load, name="program-imports", daemon=True).start()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        self._loaded.wait()
        if self._failure is not None:
            raise self._failure
        for handler in self._handlers:
            if method := handler.service(details):
                return method
        return None

    def _load(self) -> None:
        try:
            from pulumi.automation._server import LanguageServer
            from pulumi.runtime.proto import language_pb2_grpc

            language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(_program()), cast(grpc.Server, self))
        except BaseException as error:  # whatever it is, the call that waits must end with it
            self._failure = error
        finally:
            self._loaded.set()
        with suppress(Exception):  # the program meets it again, and says it
            self._further()

    # what a grpc server offers to generated code that registers a servicer
    def add_generic_rpc_handlers(self, handlers: tuple[Handler, ...]) -> None:
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """The same methods again, by name; the generic handlers answer for them."""


@contextmanager
def served(further: Callable[[], None] = lambda: None) -> Iterator[str]:
    """The address at which the CLI finds the stacks' program while the block runs. ``further`` loads what the program
    will want, in the half second until the CLI calls for it."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4),
        options=[("grpc.max_receive_message_length", 400 * _MEBIBYTE)],
    )
    server.add_generic_rpc_handlers((_DeferredRuntime(further),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


def _program() -> Callable[[], None]:
    from stacks.__main__ import main

    return main
