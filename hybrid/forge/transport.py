"""How a request travels to a forge: the token's header, patience with faults that pass, pages. httpx is imported here,
and this module only when a forge is asked."""

from __future__ import annotations

import importlib.metadata
import json as json_text
import logging
import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

import httpx
import tenacity

from hybrid.forge import verdict
from hybrid.forge.errors import ForgeError, ForgeRejected, ForgeUnreachable
from hybrid.forge.verdict import Answer, Host
from hybrid.redaction import Token, redact

_log = logging.getLogger(__name__)

_MOST_PAGES: Final = 1000
_MOST_REDIRECTS: Final = 3

# Raised before a byte of the request was sent.
_BEFORE_SENDING: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True)
class Request:
    """One request, and the words for its errors."""

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    """Below the API's address, quoted already; or a whole address at the same host."""
    doing: str
    """"comment on pull request 12"."""
    permission: str
    """What the token needs for it, such as ``pull-requests: write``."""
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    is_query: bool = False
    """A POST that changes nothing."""

    @property
    def is_repeatable(self) -> bool:
        """Whether doing it twice is doing it once."""
        return self.method != "POST" or self.is_query


class _Passing(Exception):
    """Trying again may help. ``seconds``: the forge said when."""

    def __init__(self, error: ForgeError, seconds: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.seconds = seconds


@dataclass(frozen=True)
class Patience:
    """How long is waited."""

    answer_seconds: float = 20.0
    """For a connection, and for each answer."""
    limit_seconds: float = 60.0
    """That one request waits for a limit of requests to end: as long as GitHub's shorter limits last. A CI's minutes
    cost."""
    outages: int = 4
    """Attempts while the forge is out of order or out of reach."""
    sleep: Callable[[float], None] = time.sleep
    """For tests."""


PATIENCE: Final = Patience()


@dataclass
class _Spent:
    """What one request used up of it."""

    seconds: float = 0.0
    outages: int = 0


class Transport:
    """One connection pool to one forge.

    ``authorization``: the header that carries the token, and what stands before it there. ``environ`` may name a file
    of certificate authorities (``SSL_CERT_FILE``).
    """

    def __init__(
        self,
        host: Host,
        token: Token,
        patience: Patience = PATIENCE,
        *,
        authorization: tuple[str, str] = ("Authorization", "Bearer "),
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self._token = token
        self._authorization = authorization
        self._patience = patience
        plain = host.api.startswith("http:")
        self._http = httpx.Client(
            timeout=patience.answer_seconds,
            follow_redirects=False,  # a redirect would carry the token to wherever it leads
            trust_env=not plain,  # a proxy set for the internet is no way to this machine itself
            verify=False if plain else _authorities(environ or {}),
            headers={
                "User-Agent": f"dagster-hybrid/{importlib.metadata.version('dagster-hybrid')}",
                **(headers or {}),
            },
        )

    def json(self, request: Request) -> Any:
        """The answer's JSON; None for an empty one. Raises a ``ForgeError`` when there is none after all tries."""
        answer = self._send(request)
        if not answer.text.strip():
            return None
        return self._decoded(answer, request)

    def pages(self, request: Request) -> Iterator[Any]:
        """The elements of a list, from all its pages, 100 a page."""
        params = {**request.params, "per_page": "100"}
        for _ in range(_MOST_PAGES):
            asked = Request("GET", request.path, request.doing, request.permission, params)
            answer = self._send(asked)
            page = self._decoded(answer, asked)
            if not isinstance(page, list):
                raise verdict.strange(self.host, request.doing)
            yield from page
            if answer.following is None:
                return
            # Only the parameters: the address stays ours, whatever a proxy wrote into the link.
            params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.following).query))
        raise ForgeRejected(
            f"{self.host.name} has more than {_MOST_PAGES * 100:,} entries: it could not {request.doing}.",
            next_step="look there by hand; a list without an end is a fault of the forge.",
        )

    def _decoded(self, answer: Answer, request: Request) -> Any:
        try:
            return json_text.loads(answer.text)
        except (ValueError, RecursionError):
            pass
        raise verdict.strange(self.host, request.doing)

    def _send(self, request: Request) -> Answer:
        spent = _Spent()
        backoff = tenacity.wait_exponential_jitter(initial=0.5, max=8.0, jitter=0.5)
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Passing),
            wait=lambda state: _seconds_said(state) or backoff(state),
            sleep=self.sleep,
            reraise=True,
        )
        return tries(self._attempt, request, spent)

    def sleep(self, seconds: float) -> None:
        """Waits before another attempt."""
        _log.info("%s: waiting %.1f s", self.host.name, seconds)
        self._patience.sleep(seconds)

    def _attempt(self, request: Request, spent: _Spent) -> Answer:
        fault: ForgeError | None
        try:
            answer = self._exchange(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Raised below, without this context: httpx's exceptions hold the request, which holds the token.
            fault = _unreachable(error, self.host, request)
        else:
            seconds = verdict.pause_of(answer)
            if seconds is not None:
                self._wait_or_give_up(request, spent, seconds)
            fault = verdict.error_of(answer, self.host, request.doing, request.permission)
            if fault is None:
                return answer
        if isinstance(fault, ForgeUnreachable) and (request.is_repeatable or not fault.was_sent):
            spent.outages += 1
            if spent.outages < self._patience.outages:
                raise _Passing(fault)
        raise fault

    def _wait_or_give_up(self, request: Request, spent: _Spent, seconds: float) -> NoReturn:
        """What is refused for its number had no effect, so a POST may be repeated too."""
        error = verdict.too_many(self.host, request.doing, seconds, spent.seconds)
        if spent.seconds + seconds > self._patience.limit_seconds:
            raise error
        spent.seconds += seconds
        raise _Passing(error, seconds)

    def _exchange(self, request: Request) -> Answer:
        url = f"{self.host.api}{request.path}" if request.path.startswith("/") else request.path
        params: Mapping[str, str] | None = request.params or None
        header, before = self._authorization
        status = 0
        for _ in range(_MOST_REDIRECTS + 1):
            if _origin(url) != _origin(self.host.api):
                raise verdict.redirected(self.host, status, url)
            response = self._http.request(
                request.method,
                url,
                params=params,
                json=request.json,
                headers={header: f"{before}{self._token.reveal()}"},
            )
            status = response.status_code
            if status not in {301, 302, 307, 308}:
                following = response.links.get("next", {}).get("url")
                return Answer(status, response.headers, response.text, following)
            # A renamed repository: GitHub says to repeat the request as it was ("Best practices for using the REST
            # API").
            url, params = _following(str(response.url), response.headers.get("location", "")), None
        raise verdict.redirected(self.host, status, "")

    def __repr__(self) -> str:
        return f"<Transport to {self.host.api}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection to a forge is not pickled")


def _seconds_said(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.seconds if isinstance(error, _Passing) else None


def _unreachable(error: Exception, host: Host, request: Request) -> ForgeUnreachable:
    timed_out = isinstance(error, httpx.TimeoutException)
    was_sent = isinstance(error, httpx.TransportError) and not isinstance(error, _BEFORE_SENDING)
    answered = "did not answer in time" if timed_out else "did not answer"
    what = f"{host.api} {answered if was_sent else 'is not reached'}"
    return ForgeUnreachable(
        f"{what}: it could not {request.doing}.",
        why=redact(str(error)).strip() or type(error).__name__,
        next_step="look at the address, and at DNS, proxy and certificates on the way to it; then run the same again.",
        was_sent=was_sent,
    )


def _following(url: str, location: str) -> str:
    try:
        return urllib.parse.urljoin(url, location)
    except ValueError:
        return location


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return "", url, None


def _authorities(environ: Mapping[str, str]) -> ssl.SSLContext:
    file = environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_FILE")
    return ssl.create_default_context(cafile=file or None)
