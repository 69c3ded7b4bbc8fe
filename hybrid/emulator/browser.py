"""Requests without a token: people's browsers.

On loopback whoever sits at the machine may look, and web pages of others must not: the ``Host`` has to be a name of
this machine (DNS rebinding), and what changes something has to be JSON from our own page (cross-site requests,
WebSockets too). On other addresses a browser has to sign in with the API token.

Rests on: ``invented``; Dagster+ has accounts.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.organization import Tokens
from hybrid.emulator.pages import sign_in_page

COOKIE: Final = "hybrid-session"
SIGN_IN_PATH: Final = "/hybrid/sign-in"
_SESSIONS_KEPT: Final = 1000


class SignInNeeded(Refusal):
    """A person has to sign in first."""

    def __init__(self) -> None:
        super().__init__(401, f"Sign in with the API token at {SIGN_IN_PATH}.")


class BrowserGate:
    """Lets browsers in or not. ``open_to_loopback``: listening on loopback only, so no sign-in is asked for."""

    def __init__(self, tokens: Tokens, *, open_to_loopback: bool) -> None:
        self._tokens = tokens
        self._open = open_to_loopback
        self._sessions: dict[str, int] = {}  # the API token's id by cookie
        self._lock = threading.Lock()

    def admit(self, scope: Scope) -> None:
        """Raises ``Refusal`` when the request must not go on."""
        headers = Headers(scope=scope)
        if self._open and not is_loopback(_host_name(headers.get("host", ""))):
            raise Refusal(403, "The Host header does not name this machine.")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Refusal(403, "The request comes from another site.")
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            kind = headers.get("content-type", "").partition(";")[0].strip()
            if kind != "application/json":
                raise Refusal(415, "The body has to be application/json.")
        if not self._open and not self._signed_in(scope):
            raise SignInNeeded

    async def sign_in(self, request: Request) -> Response:
        """``GET`` shows the form, ``POST`` takes the API token and sets the session's cookie."""
        if request.method == "GET":
            return HTMLResponse(sign_in_page(""))
        token = self._tokens.verify((await _field(request, "token")).strip())
        if token is None or token.kind != "api":
            return HTMLResponse(sign_in_page("This is not a valid API token."), 401)
        session = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._sessions) >= _SESSIONS_KEPT:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[session] = token.id
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return response

    def _signed_in(self, scope: Scope) -> bool:
        session = self._sessions.get(HTTPConnection(scope).cookies.get(COOKIE, ""), 0)
        token = self._tokens.get(session, "api")
        return token is not None and not token.revoked


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    """The host in a Host header: without its port, an IPv6 address without its brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


async def _field(request: Request, name: str) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body).get(name, [""])[0]
