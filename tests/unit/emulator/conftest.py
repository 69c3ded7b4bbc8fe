"""Shared by the control plane's tests: a stand-in for Dagster, an organization in a temporary folder, a server."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from hybrid.emulator.organization import Organization
from tests.unit.emulator.service_client import Client

SCRIPT = Path(__file__).with_name("standin_server.py")
DEADLINE_SECONDS = 20.0


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("standin_server", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["standin_server"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Organization]:
    opened = Organization(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def client(organization: Organization, standin: ModuleType) -> Client:
    return Client(organization, standin)


@dataclass
class Server:
    """A server process. ``start`` again after ``kill`` is a restart on the same data."""

    data: Path
    log: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self, port: int = 0) -> Server:
        # Not told: a parent's wish to write no bytecode would make each start several times as slow.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.data), str(port), *self.arguments],
                env={**inherited, **self.environment},
                stderr=log,
                stdout=log,
            )
        found = until(lambda: re.search(r"Serving \S+ at (\S+)", self.said()), self.said)
        self.url = found[1]
        return self

    def said(self) -> str:
        return self.log.read_text()

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def api_token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    def ask(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        answer = self.post(query, token or self.api_token(), **variables).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def post(self, query: str, token: str, **variables: Any) -> httpx.Response:
        return httpx.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": variables},
            headers={"Dagster-Cloud-Api-Token": token},
            timeout=DEADLINE_SECONDS,
        )

    def agent_token(self) -> str:
        created = self.ask("mutation { createAgentToken { ... on DagsterCloudAgentToken { token } } }")
        return created["createAgentToken"]["token"]


def until(condition: Callable[[], Any], explain: Callable[[], str] = str) -> Any:
    """Poll ``condition`` until it holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not in {DEADLINE_SECONDS} s: {explain()}")


@pytest.fixture
def poll() -> Callable[..., Any]:
    return until


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(*arguments: str, data: Path | None = None, **environment: str) -> Server:
        log = tmp_path / f"server-{len(made)}.log"
        log.touch()
        made.append(Server(data or tmp_path / "data", log, arguments, environment))
        return made[-1]

    yield make
    for server in made:
        if server.process is not None and server.process.poll() is None:
            server.kill()
