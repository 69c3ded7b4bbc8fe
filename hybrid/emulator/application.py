"""The ASGI application: what lies at which path, and who is let in.

=========================  ========================================================================================
``/health``                200 as soon as anything answers; for everybody
``/hybrid``                the page of agents and locations; ``/hybrid/state`` is the same as JSON
``/graphql``               with a token: the APIs (``api``); without: the UI's, Dagster's own
the runtime's routes       REST of agents and run workers, with an agent token (those signed in their URL: without)
all else                   the stock Dagster UI
=========================  ========================================================================================

All of it also below ``/<deployment>``. Rests on: ``client`` for the paths (agents use the root, command-line clients
``/<deployment>/graphql``); ``invented`` that pages below ``/<deployment>`` are redirected to the root.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from hybrid.emulator.api.context import TOKEN_HEADER, Refusal, admitted
from hybrid.emulator.api.endpoint import GraphQLEndpoint, not_ready, refused
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.browser import SIGN_IN_PATH, BrowserGate, SignInNeeded
from hybrid.emulator.errors import RuntimeNotLoadedError
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization
from hybrid.emulator.pages import StatePage, content_security_policy, page
from hybrid.emulator.seam import Runtime

_PRESIGNED: Final = "presigned:"
# The UI's queries, which may wait for an agent, and the uploads of that agent share Starlette's 40 threads; so many
# are left to the uploads that waiting for them cannot keep them out.
_PAGES_AT_ONCE: Final = 24


class Application:
    """One organization over HTTP and WebSocket."""

    def __init__(
        self,
        organization: Organization,
        runtime: RuntimeLoader,
        graphql: GraphQLEndpoint,
        gate: BrowserGate,
        meter: Meter,
    ) -> None:
        self._organization = organization
        self._runtime = runtime
        self._graphql = graphql
        self._gate = gate
        self._meter = meter
        self._page = StatePage(organization, runtime, meter)
        self._prefix = f"/{organization.deployment.name}"
        self._pages = asyncio.Semaphore(_PAGES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._dispatched(scope, receive, send)
        except SignInNeeded as refusal:
            wants_page = scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")
            answer = RedirectResponse(SIGN_IN_PATH, 303) if wants_page else refused(refusal)
            await _sent(answer, scope, receive, send)
        except Refusal as refusal:
            await _sent(refused(refusal), scope, receive, send)
        except RuntimeNotLoadedError as error:
            await _sent(not_ready(error), scope, receive, send)

    async def _dispatched(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, deployment = self._without_prefix(scope)
        if scope["type"] == "websocket":
            self._gate.admit(scope)
            return await (await self._runtime.arrival()).web(scope, receive, send)
        request = Request(scope, receive, send)
        has_token = TOKEN_HEADER in request.headers
        own = await self._own(request, has_token=has_token, deployment=deployment)
        if own is not None:
            return await own(scope, receive, send)
        runtime = await self._runtime.arrival()
        found = _route(runtime, scope)
        if found is not None:
            return await self._rest(found, deployment, scope, receive, send)
        if has_token:
            return await self._unserved(request, deployment)(scope, receive, send)
        self._gate.admit(scope)
        if deployment is not None:
            return await RedirectResponse(request.url.path or "/", 307)(scope, receive, send)
        async with self._pages:
            return await runtime.web(scope, receive, send)

    async def _own(self, request: Request, *, has_token: bool, deployment: str | None) -> Response | None:
        """The answer of the control plane itself, if the path is one of its own."""
        path = request.url.path
        if path == "/health":
            return JSONResponse({"status": "ok"})
        if path == SIGN_IN_PATH:
            answer = await self._gate.sign_in(request)
            if isinstance(answer, HTMLResponse):
                answer.headers["Content-Security-Policy"] = content_security_policy(bytes(answer.body).decode())
            return answer
        if path == "/graphql" and has_token and request.method == "POST":
            return await self._graphql.respond(request, deployment)
        if path not in ("/hybrid", "/hybrid/state"):
            return None
        if has_token:
            admitted(self._organization, request.headers, deployment)
        else:
            self._gate.admit(request.scope)
        if path == "/hybrid/state":
            return JSONResponse(await asyncio.to_thread(self._page.state), headers={"Cache-Control": "no-store"})
        text = page()
        return HTMLResponse(text, headers={"Content-Security-Policy": content_security_policy(text)})

    async def _rest(
        self, found: tuple[BaseRoute, Scope], deployment: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        route, matched = found
        name = getattr(route, "name", "")
        if not name.startswith(_PRESIGNED):
            context = admitted(self._organization, Headers(scope=scope), deployment)
            if context["caller"].kind != "agent":
                raise Refusal(403, "Only an agent's token may do this.")
        scope.update(matched)
        started, done = time.perf_counter(), False
        try:
            await route.handle(scope, receive, send)
            done = True
        finally:
            path = route.path if isinstance(route, Route) else scope["path"]
            self._meter.record(f"{scope['method']} {path}", time.perf_counter() - started, failed=not done)

    def _unserved(self, request: Request, deployment: str | None) -> Response:
        """The answer to a client of the API that asks for a path that nobody serves."""
        admitted(self._organization, request.headers, deployment)
        asked = f"{request.method} {request.url.path}"
        self._meter.record_unknown("REST", asked)
        return JSONResponse({"errors": [{"message": f"The embedded Dagster+ does not serve {asked}."}]}, 404)

    def _without_prefix(self, scope: Scope) -> tuple[Scope, str | None]:
        """The scope as if the path had no deployment in front, and that deployment."""
        path: str = scope["path"]
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            return scope, None
        rest = path.removeprefix(self._prefix) or "/"
        return {**scope, "path": rest, "raw_path": rest.encode()}, self._organization.deployment.name


def _route(runtime: Runtime, scope: Scope) -> tuple[BaseRoute, Scope] | None:
    """The runtime's route that serves the request, with what it found in the path."""
    for route in runtime.routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            return route, dict(found)
    return None


async def _sent(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send ``answer``; a WebSocket is closed instead."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await answer(scope, receive, send)
