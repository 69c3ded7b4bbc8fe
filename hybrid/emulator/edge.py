"""What a client may ask of the connection itself: by which name it may come, how large a body may be, and how long it
may keep us waiting.

Nobody who hangs, drips or floods may keep others from being served, so: a body is read with a limit and a patience,
a head likewise, an answer that is not taken is given up, and there are fewer connections than file descriptors.

Rests on: ``client`` for 413, after which an agent beats shorter (dagster_cloud/agent/dagster_cloud_agent.py),
and which is not tried again (429, 502, 503 and 504 are: dagster_cloud_cli/core/graphql_client.py); ``invented``
for every number.
"""

from __future__ import annotations

import asyncio
import json
import resource
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.listening import Hosts

JSON_BYTES: Final = 32 * 1024 * 1024
"""Largest body but for uploads, which their readers limit. A batch of events with large metadata is some megabytes."""

PATIENCE_SECONDS: Final = 30.0
"""How long a client may send nothing while its request is not whole, or take nothing of its answer."""

HEAD_BYTES: Final = 64 * 1024
CONNECTIONS: Final = 8192
_SPARE_DESCRIPTORS: Final = 512  # for databases, logs, uploads, processes
_UPLOADS: Final = "/presigned/"


class BodyTooLarge(Refusal):
    """More than is taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body has more than {limit} bytes, which is the most that is taken here.")


class ClientTooSlow(Refusal):
    """The rest of the body does not come."""

    def __init__(self, seconds: float) -> None:
        super().__init__(408, f"Nothing of the body came for {seconds:g} s.")


class Edge:
    """An application whose requests come by a name of ours, with bodies that are bounded in size and time.

    A request by another name, or by none, is refused before the application sees it. For the application to answer,
    ``Refusal`` is raised out of ``receive``. Uploads (what is PUT, and what goes to a signed URL) are bounded in time
    only: whoever reads them knows how large they may be.
    """

    def __init__(
        self,
        application: ASGIApp,
        limit: int = JSON_BYTES,
        patience_s: float = PATIENCE_SECONDS,
        hosts: Hosts | None = None,
    ) -> None:
        """``hosts``: the names by which requests may come; None lets them come by any."""
        self._application = application
        self._hosts = hosts
        self._limit = limit
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hosts is not None and not _is_for(self._hosts, scope):
            await _strange(scope, receive, send)
            return
        if scope["type"] == "http":
            receive = self._bounded(scope, receive)
        try:
            await self._application(scope, receive, send)
        except ClientDisconnect:
            return  # it left while we read; nobody is there to be answered

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        limit = None if scope["method"] == "PUT" or _UPLOADS in scope["path"] else self._limit
        taken, whole = _announced(scope), False
        if limit is not None and taken > limit:
            return _refusing(BodyTooLarge(limit))
        taken = 0

        async def bounded() -> Message:
            nonlocal taken, whole
            if whole:  # from here on it is the client's departure that is waited for
                return await receive()
            try:
                async with asyncio.timeout(self._patience_s):
                    message = await receive()
            except TimeoutError:
                raise ClientTooSlow(self._patience_s) from None
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if limit is not None and taken > limit:
                raise BodyTooLarge(limit)
            return message

        return bounded


async def buffered(scope: Scope, receive: Receive) -> Receive:
    """``receive`` with the body taken in already, for what must not wait for a client while others wait for it.

    A body of GraphQL has to be JSON, which the stock UI's server takes for granted. Raises ``Refusal``.
    """
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    whole = b"".join(chunks)
    if scope["method"] == "POST" and scope["path"].endswith("/graphql") and not _is_object(whole):
        raise Refusal(400, "The body is not a JSON object.")

    body: bytes | None = whole

    async def replayed() -> Message:
        nonlocal body
        if body is None:
            return await receive()
        message, body = {"type": "http.request", "body": body, "more_body": False}, None
        return message

    return replayed


def spare_connections() -> int:
    """How many connections may be open at once; raises this process's limit of file descriptors for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + _SPARE_DESCRIPTORS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(CONNECTIONS, soft - _SPARE_DESCRIPTORS))


def _is_for(hosts: Hosts, scope: Scope) -> bool:
    named = [value for name, value in scope["headers"] if name == b"host"]
    return len(named) == 1 and hosts.admits(named[0].decode("latin-1"))


async def _strange(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        message = "The Host header does not name this machine."
        await JSONResponse({"message": message, "errors": [{"message": message}]}, 403)(scope, receive, send)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _refusing(refusal: Refusal) -> Receive:
    async def receive() -> Message:
        raise refusal

    return receive
