"""Requests without a token: people's browsers.

On loopback whoever sits at the machine is its administrator, and web pages of others must not: the ``Host`` has to be a
name of this machine (DNS rebinding), and what changes something has to be JSON from our own page (cross-site requests,
WebSockets too; the stock UI's server would also run GraphQL from a link's address). On other addresses a browser has
to sign in with a user's token, and may then do in the UI what that user may.

Rests on: ``invented``; Dagster+ has accounts. ``client`` for what the stock UI sends (dagster_webserver/graphql.py; its
WebSocket runs subscriptions only) and for its reporting of asset events.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import threading
from typing import Final
from urllib.parse import parse_qs

from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope

from hybrid.emulator.api.context import Context, Refusal
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.rights import Role, role_needed, shortage
from hybrid.emulator.organization import Deployment, TokenRecord, Tokens
from hybrid.emulator.pages import sign_in_page

COOKIE: Final = "hybrid-session"
SIGN_IN_PATH: Final = "/hybrid/sign-in"
_SESSIONS_KEPT: Final = 1000
_LONGEST_QUERY: Final = 16 * 1024 * 1024  # bytes; the stock UI's are a few kilobytes


class SignInNeeded(Refusal):
    """A person has to sign in first."""

    def __init__(self) -> None:
        super().__init__(401, f"Sign in with a user token at {SIGN_IN_PATH}.")


class BrowserGate:
    """Lets browsers in or not. ``open_to_loopback``: no sign-in is asked for of those that come by a loopback address,
    which is always so unless others are served on purpose."""

    def __init__(self, tokens: Tokens, *, open_to_loopback: bool) -> None:
        self._tokens = tokens
        self._open = open_to_loopback
        self._sessions: dict[str, int] = {}  # the user token's id by cookie
        self._lock = threading.Lock()

    def admit(self, scope: Scope) -> TokenRecord | None:
        """Whose request it is: the signed-in user's token, or None for whoever sits at this machine.

        Raises ``Refusal`` when the request must not go on.
        """
        headers = Headers(scope=scope)
        is_open = self._open and _came_by_loopback(scope)
        if is_open and not is_loopback(_host_name(headers.get("host", ""))):
            raise Refusal(403, "The Host header does not name this machine.")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Refusal(403, "The request comes from another site.")
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            kind = headers.get("content-type", "").partition(";")[0].strip()
            if kind != "application/json":
                raise Refusal(415, "The body has to be application/json.")
        if _asks_by_address(scope):
            raise Refusal(405, "GraphQL is asked with POST here: a link on any page could be asked by its address.")
        if is_open:
            return None
        token = self._signed_in(scope)
        if token is None:
            raise SignInNeeded
        return token

    async def sign_in(self, request: Request) -> Response:
        """``GET`` shows the form, ``POST`` takes a user token and sets the session's cookie."""
        if request.method == "GET":
            return HTMLResponse(sign_in_page(""))
        token = self._tokens.verify((await _field(request, "token")).strip())
        if token is None or token.kind != "user":
            return HTMLResponse(sign_in_page("This is not a valid user token."), 401)
        session = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._sessions) >= _SESSIONS_KEPT:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[session] = token.id
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return response

    def _signed_in(self, scope: Scope) -> TokenRecord | None:
        session = self._sessions.get(HTTPConnection(scope).cookies.get(COOKIE, ""), 0)
        token = self._tokens.get(session, "user")
        return None if token is None or token.revoked else token


async def within_rights(person: TokenRecord | None, deployment: Deployment, scope: Scope, receive: Receive) -> Receive:
    """``receive`` for the stock UI of ``deployment``, once it is certain that ``person`` may send this request.

    ``person`` is what ``BrowserGate.admit`` gave. The body of a GraphQL request is read here and given again. Raises
    ``Refusal``.
    """
    if person is None:
        return receive
    role: Role = "VIEWER"
    if scope["type"] == "http" and scope["method"] == "POST":
        role = "EDITOR"
        if _is_graphql(scope):
            body = await _body(receive)
            role, receive = _role_for(body), _again(body, receive)
    words = shortage(Context(headers={}, caller=person, deployment=deployment), role)
    if words:
        raise Refusal(403, words)
    return receive


def _came_by_loopback(scope: Scope) -> bool:
    """Whether the address that the connection was made to is one that only this machine reaches."""
    server = scope.get("server")
    return server is not None and is_loopback(str(server[0]))


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_graphql(scope: Scope) -> bool:
    return str(scope.get("path", "")).rstrip("/").endswith("/graphql")


def _asks_by_address(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] != "POST"
        and _is_graphql(scope)
        and "text/html" not in Headers(scope=scope).get("accept", "")
    )


def _role_for(body: bytes) -> Role:
    """What the stock UI's GraphQL request takes. One that cannot be read takes what the worst mutation takes."""
    try:
        asked = json.loads(body)
        operation = parsed(asked["query"], asked.get("operationName"))
    except (ValueError, TypeError, KeyError, GraphQLError, RecursionError):
        return "EDITOR"
    return role_needed(operation.fields, operation.kind)


async def _body(receive: Receive) -> bytes:
    read = bytearray()
    while True:
        message = await receive()
        read += message.get("body", b"")
        if len(read) > _LONGEST_QUERY:
            raise Refusal(413, f"A GraphQL request has up to {_LONGEST_QUERY} bytes here.")
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(read)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, as it would come, then whatever comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


def _host_name(header: str) -> str:
    """The host in a Host header: without its port, an IPv6 address without its brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


async def _field(request: Request, name: str) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body).get(name, [""])[0]
