"""The embedded Dagster+ with a stand-in for its runtime, so that tests need not load Dagster.

As a script: ``standin_server.py DATA PORT`` serves like ``python -m hybrid.emulator``. ``STANDIN_LOAD`` in the
environment is how long the stand-in takes to load, in seconds, or ``fails``; ``STANDIN_PATIENCE`` is the server's
patience with clients that hang, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from hybrid.emulator.organization import Organization

DAGSTER = build_schema("""
    type Query { version: String! nested(depth: Int): Nested! }
    type Nested { depth: Int again: Nested }
    type Mutation { launchRun(name: String!): String! }
""")
STORAGES = """
    scalar GenericScalar
    extend type Query { runs: RunStorage! }
    type RunStorage { count: Int! header: String broken: String sleep(request: String!): String! }
"""


@dataclass(frozen=True)
class Error:
    message: str
    stack: list[str]
    class_name: str | None = None
    cause: Any = None


@dataclass(frozen=True)
class Heartbeat:
    agent_id: str
    agent_label: str | None
    agent_type: str | None
    timestamp: float
    metadata: dict[str, Any]
    code_servers: list[Any]
    run_workers: list[Any]


class StandinRuntime:
    """Knows just enough to be asked."""

    sdl = STORAGES
    oss_root_fields = {
        "query": frozenset(DAGSTER.query_type.fields),
        "mutation": frozenset(DAGSTER.mutation_type.fields),
    }

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.changed: list[str] = []
        self.resolvers = {"Query": {"runs": lambda *_: {}}, "RunStorage": {"count": lambda *_: 7, **self._storage()}}
        self.routes = [
            Route("/check_snapshot", lambda _request: JSONResponse({"known": False}), methods=["GET"]),
            Route(
                "/signed/{name}",
                lambda request: PlainTextResponse(request.path_params["name"]),
                methods=["PUT"],
                name="presigned:blob",
            ),
        ]
        self._web = Starlette(
            routes=[
                Route("/", lambda _request: PlainTextResponse("the UI")),
                Route("/graphql", self._web_graphql, methods=["POST"]),
            ]
        )

    @classmethod
    def load(cls, _data: Path, organization: Organization, _signer: Any) -> StandinRuntime:
        how = os.environ.get("STANDIN_LOAD", "0")
        if how == "fails":
            raise RuntimeError("the storages are of another world")
        threading.Event().wait(float(how))
        return cls(organization)

    def web(self, _deployment: str) -> Starlette:
        return self._web

    def execute_oss(self, _deployment: str, query: str, variables: Any, operation_name: str | None) -> dict[str, Any]:
        root = {"version": "1.2.3", "nested": lambda _info, depth=0: {"depth": depth, "again": {"depth": depth + 1}}}
        result = graphql_sync(
            DAGSTER,
            query,
            {**root, "launchRun": lambda _info, name: f"launched {name}"},
            variable_values=variables,
            operation_name=operation_name,
        )
        return dict(result.formatted)

    @staticmethod
    def documents() -> StandinRuntime:
        """A stand-in is not asked before it is loaded; what judges documents needs none of its state."""
        return StandinRuntime.__new__(StandinRuntime)

    def validate_document(self, document: dict[str, Any]) -> list[str]:
        return [] if "code_source" in document else ['Missing required config entry "code_source"']

    def deploy_metadata(self, document: dict[str, Any], environment: dict[str, str]) -> str:
        return json.dumps({"environment": environment, "image": document.get("image")})

    def read_heartbeat(self, serialized: str) -> Heartbeat:
        return Heartbeat(**json.loads(serialized))

    def read_error(self, serialized: str) -> Error:
        said = json.loads(serialized)
        return Error(said["message"], said["stack"])

    def location_changed(self, _deployment: str, name: str) -> None:
        self.changed.append(name)

    def ping(self, _deployment: str, location: str) -> None:
        if location == "silent":
            raise TimeoutError("no agent took it")

    def close(self) -> None:
        """Holds nothing."""

    def _storage(self) -> dict[str, Any]:
        def broken(*_: Any) -> str:
            raise ValueError("no such table")

        def sleep(_parent: Any, _info: Any, request: str) -> str:
            self.organization.requests.submit("prod", "PING_LOCATION", request, "{}")
            return self.organization.requests.wait(request, 60)

        return {
            "header": lambda _parent, info: info.context["headers"].get("Idempotency-Key"),
            "broken": broken,
            "sleep": sleep,
        }

    async def _web_graphql(self, request: Request) -> JSONResponse:
        return JSONResponse({"data": {"web": (await request.json())["query"]}})


def main() -> None:
    module = types.ModuleType("hybrid.emulator.runtime")
    module.Runtime = StandinRuntime
    sys.modules["hybrid.emulator.runtime"] = module
    from hybrid.emulator import edge

    edge.PATIENCE_SECONDS = float(os.environ.get("STANDIN_PATIENCE", edge.PATIENCE_SECONDS))
    from hybrid.emulator.__main__ import main as serve

    serve(["--data", sys.argv[1], "--port", sys.argv[2], *sys.argv[3:]])


if __name__ == "__main__":
    main()
