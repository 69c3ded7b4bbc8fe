"""The stock Dagster webserver over agent-backed locations: its UI, and its GraphQL for browsers and API clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from dagster_webserver.webserver import DagsterWebserver
from starlette.types import ASGIApp

from hybrid.emulator.runtime.workspace import AgentWorkspace


class Web:
    """One webserver; ``app`` is what serves HTTP and websockets."""

    def __init__(self, workspace: AgentWorkspace) -> None:
        self._workspace = workspace
        self._server: DagsterWebserver[Any, Any] = DagsterWebserver(workspace, app_path_prefix="")
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
