"""The stock Dagster webserver over agent-backed locations: its UI, and its GraphQL for browsers and API clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from hybrid.emulator.runtime.workspace import AgentWorkspace


class _Webserver(DagsterWebserver[Any, Any]):
    def build_routes(self) -> list[BaseRoute]:
        """As at the root: the prefix is for the page's links, and is taken off the path before."""
        prefix, self._app_path_prefix = self._app_path_prefix, ""
        try:
            routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        finally:
            self._app_path_prefix = prefix
        return routes

    async def download_notebook(self, request: Request) -> Response:
        """Beside the event loop: the agent's answer, which it waits for, has to come in meanwhile."""
        answer: Response = await asyncio.to_thread(asyncio.run, super().download_notebook(request))
        return answer


class Web:
    """One webserver; ``app`` is what serves HTTP and websockets. ``path_prefix`` is where browsers find it, ``""`` the
    root; what reaches ``app`` has lost it."""

    def __init__(self, workspace: AgentWorkspace, path_prefix: str) -> None:
        self._workspace = workspace
        self._server = _Webserver(workspace, app_path_prefix=path_prefix)
        self.app: ASGIApp = self._server.create_asgi_app()
        schema = self._server._graphene_schema.graphql_schema
        roots = {
            "query": schema.query_type,
            "mutation": schema.mutation_type,
            "subscription": schema.subscription_type,
        }
        self.root_fields: Mapping[str, frozenset[str]] = {
            operation: frozenset(root.fields) if root else frozenset() for operation, root in roots.items()
        }

    def execute(self, query: str, variables: Mapping[str, Any] | None, operation_name: str | None) -> dict[str, Any]:
        """Run a document as the webserver would; the answer's JSON. To be called from a thread without event loop."""
        with self._workspace.create_request_context() as context:
            response = asyncio.run(
                self._server.gen_graphql_response(context, query, dict(variables or {}), operation_name)
            )
        answer: dict[str, Any] = json.loads(bytes(response.body))
        return answer
