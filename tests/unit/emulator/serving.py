"""The control plane served in this process, so that real clients speak to it while a test looks into it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import uvicorn

from hybrid.emulator.api.endpoint import GraphQLEndpoint
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.service import Service
from hybrid.emulator.application import Application
from hybrid.emulator.browser import BrowserGate
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization
from hybrid.emulator.rest import all_routes


class Served:
    """``url`` answers; tokens of all kinds at hand."""

    def __init__(self, organization: Organization, data: Path, url: str) -> None:
        self.organization = organization
        self.data = data
        self.url = url
        self.api_token = (data / "api-token").read_text().strip()
        self.agent_token = organization.tokens.create("agent", "test")[1].reveal()

    def headers(self, token: str | None = None, **more: str) -> dict[str, str]:
        return {"Dagster-Cloud-Api-Token": token or self.api_token, **more}

    def ask(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer: dict[str, Any] = httpx.post(f"{self.url}/graphql", json=body, headers=self.headers(token)).json()
        return answer


@contextmanager
def served(organization: Organization, data: Path, standin: ModuleType) -> Iterator[Served]:
    """Serve ``organization`` as the emulator does, but for Dagster."""
    loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)
    loader.start()
    meter = Meter()
    endpoint = GraphQLEndpoint(organization, loader, Service(organization, loader, meter))
    gate = BrowserGate(organization.tokens, open_to_loopback=True)
    routes = all_routes(organization, organization.signer, data)
    application = Application(organization, loader, endpoint, gate, meter, routes)
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield Served(organization, data, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            endpoint.close()
