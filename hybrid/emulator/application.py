"""The ASGI application: what lies at which path, and who is let in.

=========================  ========================================================================================
``/health``                200 as soon as anything answers; for everybody
``/hybrid``                the page; ``/hybrid/state`` is the same as JSON, ``/hybrid/switch`` its button
``/graphql``               with a token: the APIs (``api``); without: the UI's, Dagster's own
``/report_asset_…``        with a token: Dagster's own endpoints for external assets
``rest``'s routes          REST of the control plane itself (those signed in their URL: without a token)
the runtime's routes       REST of agents and run workers, with an agent token (those signed in their URL: without)
all else                   the stock Dagster UI
=========================  ========================================================================================

All of it also below ``/<deployment>``. Rests on: ``client`` for the paths (agents use the root, command-line clients
``/<deployment>/graphql``); ``invented`` that the first deployment's pages are at the root, where those below its name
are redirected to; other deployments' pages are below their names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hybrid.emulator.api.context import TOKEN_HEADER, Refusal, admitted, require_agent
from hybrid.emulator.api.endpoint import GraphQLEndpoint, not_ready, refused
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.rights import shortage
from hybrid.emulator.browser import SIGN_IN_PATH, BrowserGate, SignInNeeded, within_rights
from hybrid.emulator.edge import buffered
from hybrid.emulator.errors import RuntimeNotLoadedError
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.pages import PATHS as PAGE_PATHS
from hybrid.emulator.pages import StatePage, content_security_policy

_PRESIGNED: Final = "presigned:"
_REPORTS: Final = ("/report_asset_materialization/", "/report_asset_check/", "/report_asset_observation/")
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
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        """``routes`` are those of the control plane's own REST (``hybrid.emulator.rest``)."""
        self._organization = organization
        self._runtime = runtime
        self._graphql = graphql
        self._gate = gate
        self._meter = meter
        self._page = StatePage(organization, runtime, meter)
        self._routes = routes
        self._pages = asyncio.Semaphore(_PAGES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._dispatched(scope, receive, send)
        except SignInNeeded as refusal:
            wants_page = scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")
            answer = RedirectResponse(SIGN_IN_PATH, 303) if wants_page else refused(refusal)
            await _sent(answer, scope, receive, send)
        except Refusal as refusal:
            self._meter.record(f"(refused with HTTP {refusal.status})", 0.0, failed=True, refused=True)
            await _sent(refused(refusal), scope, receive, send)
        except RuntimeNotLoadedError as error:
            await _sent(not_ready(error), scope, receive, send)

    async def _dispatched(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, deployment = self._without_prefix(scope)
        if scope["type"] == "websocket":
            person = self._gate.admit(scope)
            receive = await within_rights(person, deployment or self._organization.deployment, scope, receive)
            return await (await self._web(deployment))(scope, receive, send)
        request = Request(scope, receive, send)
        has_token = TOKEN_HEADER in request.headers
        own = await self._own(request, has_token=has_token, deployment=deployment)
        if own is not None:
            return await own(scope, receive, send)
        found = _route(self._routes, scope)
        if found is not None:
            return await self._rest(found, deployment, scope, receive, send, agents_only=False)
        found = _route((await self._runtime.arrival()).routes, scope)
        if found is not None:
            return await self._rest(found, deployment, scope, receive, send, agents_only=True)
        if has_token and not request.url.path.startswith(_REPORTS):
            return await self._unserved(request, deployment)(scope, receive, send)
        if has_token:
            context = admitted(self._organization, request.headers, _name(deployment))
            words = shortage(context, "EDITOR", agents=True)
            if words:
                raise Refusal(403, words)
            return await (await self._web(context["deployment"]))(scope, receive, send)
        person = self._gate.admit(scope)
        receive = await within_rights(person, deployment or self._organization.deployment, scope, receive)
        if deployment == self._organization.deployment:
            return await RedirectResponse(_at_root(request), 307)(scope, receive, send)
        web, receive = await self._web(deployment), await buffered(scope, receive)
        async with self._pages:
            return await web(scope, receive, send)

    async def _web(self, deployment: Deployment | None) -> ASGIApp:
        """The stock UI of a deployment; opening it for the first time may take a while."""
        runtime = await self._runtime.arrival()
        name = (deployment or self._organization.deployment).name
        return await asyncio.to_thread(runtime.web, name)

    async def _own(self, request: Request, *, has_token: bool, deployment: Deployment | None) -> Response | None:
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
            return await self._graphql.respond(request, _name(deployment))
        if path not in PAGE_PATHS:
            return None
        context = admitted(self._organization, request.headers, _name(deployment)) if has_token else None
        return await self._page.respond(request, context["caller"] if context else self._gate.admit(request.scope))

    async def _rest(
        self,
        found: tuple[BaseRoute, Scope],
        deployment: Deployment | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        agents_only: bool,
    ) -> None:
        route, matched = found
        scope.update(matched)
        if not getattr(route, "name", "").startswith(_PRESIGNED):
            context = admitted(self._organization, Headers(scope=scope), _name(deployment))
            if agents_only:
                require_agent(context)
            scope.update(context=context, deployment=context["deployment"])
        started, done = time.perf_counter(), False
        try:
            await route.handle(scope, receive, send)
            done = True
        finally:
            path = route.path if isinstance(route, Route) else scope["path"]
            self._meter.record(f"{scope['method']} {path}", time.perf_counter() - started, failed=not done)

    def _unserved(self, request: Request, deployment: Deployment | None) -> Response:
        """The answer to a client of the API that asks for a path that nobody serves."""
        admitted(self._organization, request.headers, _name(deployment))
        asked = f"{request.method} {request.url.path}"
        self._meter.record_unknown("REST", asked)
        return JSONResponse({"errors": [{"message": f"The embedded Dagster+ does not serve {asked}."}]}, 404)

    def _without_prefix(self, scope: Scope) -> tuple[Scope, Deployment | None]:
        """The scope as if the path had no deployment in front, and that deployment."""
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        deployment = self._organization.deployments.named(first)
        # `dg` puts the organization where others put the deployment (dagster_shared/plus/config.py).
        if deployment is None and first != self._organization.name:
            return scope, None
        path = f"{slash}{rest}" or "/"
        return {**scope, "path": path, "raw_path": path.encode()}, deployment


def _name(deployment: Deployment | None) -> str | None:
    return deployment.name if deployment else None


def _at_root(request: Request) -> str:
    """The same page without the deployment in front of it; never another host's, whatever follows the first slash."""
    path = "/" + request.url.path.lstrip("/")
    return f"{path}?{request.url.query}" if request.url.query else path


def _route(routes: Sequence[BaseRoute], scope: Scope) -> tuple[BaseRoute, Scope] | None:
    """The route that serves the request, with what it found in the path."""
    for route in routes:
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
