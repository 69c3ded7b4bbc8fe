"""How calls of the client come about: its token, its connections, and what an answer in another form means."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from hybrid.plus.credentials import checked
from hybrid.plus.documents import document
from hybrid.plus.endpoint import Endpoint
from hybrid.plus.errors import PlusProtocolError
from hybrid.plus.patience import Patience, Wait
from hybrid.plus.verdict import Json, member
from hybrid.redaction import Token

if TYPE_CHECKING:
    import httpx

    from hybrid.plus.transport import Scope, Transport

_T = TypeVar("_T")


class Session:
    """What all calls share: see ``PlusClient``, which is the one to use."""

    def __init__(
        self,
        endpoint: Endpoint,
        token: Token,
        *,
        patience: Patience | None = None,
        on_wait: Callable[[Wait], None] | None = None,
        cancel: threading.Event | None = None,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], float] = time.time,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._token = checked(token, "use")
        self._patience = patience or Patience()
        self._on_wait = on_wait
        self._cancel = cancel or threading.Event()
        self._sleep = sleep
        self._now = now
        self._http = http
        self._transport: Transport | None = None
        self._opening = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back. The client opens new ones if it is used again."""
        with self._opening:
            if self._transport:
                self._transport.close()
            self._transport = None

    def __repr__(self) -> str:
        return f"<PlusClient of {self.endpoint.organization}/{self.endpoint.deployment} at {self.endpoint.url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client of Dagster+ is not pickled")

    def _chosen(
        self,
        operation: str,
        field: str,
        wanted: str,
        parse: Callable[[Json], _T],
        variables: Mapping[str, Any] | None = None,
        *,
        scope: Scope = "deployment",
    ) -> _T:
        """For operations whose one field is a union: ``parse`` sees its ``wanted`` member, the others are errors."""
        return self._parsed(
            operation, lambda data: parse(member(operation, data[field], wanted)), variables, scope=scope
        )

    def _parsed(
        self,
        operation: str,
        parse: Callable[[Json], _T],
        variables: Mapping[str, Any] | None = None,
        *,
        scope: Scope = "deployment",
    ) -> _T:
        data = self._opened().execute(document(operation), variables or {}, scope)
        return _guarded(operation, lambda: parse(data))

    def _pause(self, seconds: float) -> None:
        """Wait, or until the call is cancelled, which the next one then says."""
        (self._sleep or self._cancel.wait)(seconds)

    def _opened(self) -> Transport:
        from hybrid.plus.transport import Transport  # not at the top: httpx takes longer to import than all else here

        with self._opening:
            if self._transport is None:
                self._transport = Transport(
                    self.endpoint,
                    self._token,
                    self._patience,
                    on_wait=self._on_wait,
                    cancel=self._cancel,
                    sleep=self._sleep,
                    now=self._now,
                    http=self._http,
                )
            return self._transport


def _guarded(operation: str, parse: Callable[[], _T]) -> _T:
    """An answer without the form that was asked for is Dagster+'s fault, or a proxy's, not a traceback of ours."""
    try:
        return parse()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlusProtocolError(
            f"Dagster+ answered {operation} in a form that was not asked for.",
            why=f"{type(error).__name__}: {error}",
            next_step="check the url in the stack file; if it is right, update this checkout.",
        ) from None
