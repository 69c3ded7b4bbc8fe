"""How long no agent serves a deployment that leaves Serverless: `hybrid switch run` beside the order of Dagster+'s own
guide (https://docs.dagster.io/deployment/dagster-plus/serverless/migration-to-hybrid: switch, start an agent, build,
register the locations), and beside the least that it can be, the same agent started by hand with all of it prepared.

All on one embedded Dagster+ with a real Serverless agent. The gap is from when that agent goes (the hand-over and its
departure) to when every location is first seen loaded on Hybrid. The guide builds an image for each location; a local
agent has none, so that here it is a Python environment for each location, one after the other, from packages that are
there already: less than any image takes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.dagster_yaml import render
from agent.launchers import stock_process_launcher
from agent.spec import LocalAgentSpec
from benchmarks.figure import Figure
from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.document import location_document
from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of
from hybrid.plus import Endpoint, PlusClient, api_token
from hybrid.workspace import Workspace
from tests.emulated.checkout import HYBRID, Checkout, until
from tests.ports import free_port

LEAST = 0.05
"""Seconds that stand for no gap at all, so that there is a ratio."""


def measure() -> list[Figure]:
    """Four and ten locations; Serverless goes at once, or after a minute."""
    return [figure for count in (4, 10) for departure in (0, 60) for figure in measured(count, departure)]


def measure_once() -> list[Figure]:
    """Four locations, Serverless goes at once: the hardest, and a few minutes."""
    return measured(4, 0)


def measure_slow_departure() -> list[Figure]:
    """Serverless goes after five minutes."""
    return [figure for count in (4, 10) for figure in measured(count, 300)]


def measured(locations: int, departure: int) -> list[Figure]:
    """One round on one organization."""
    with (
        tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder,
        _organization(Path(folder), locations, departure) as bench,
    ):
        ours = bench.ours()
        guide, build = bench.guide()
        least = bench.by_hand()
    what = f"{locations} locations, departure {departure} s"
    gap, peer = max(LEAST, ours - departure), max(LEAST, guide - departure)
    before_build = max(LEAST, guide - build - departure)
    return [
        Figure(f"no agent serves, {what}: the switch / the guide's order, build counted", "s", gap, peer),
        Figure(f"no agent serves, {what}: the switch / the guide's order, without its build", "s", gap, before_build),
        Figure(f"hand-over → all loaded, {what}: the switch / the agent started by hand", "s", ours, least),
    ]


@dataclass
class _Bench:
    checkout: Checkout
    client: PlusClient
    token: str
    python: Path
    agent: subprocess.Popen[bytes] | None = None
    label: str = ""
    """Of the agent started last; a former one is shown as RUNNING for a while."""

    def ours(self) -> float:
        """Seconds from the hand-over until all is loaded; then back on Serverless, and nothing of it stands."""
        done = self._hybrid("switch", "run", "local", "--yes", "--no-values", "--json", "--departure-limit", "600")
        [switched] = done["stacks"]
        self._hybrid("switch", "back", "local", "--yes", "--json")
        self._hybrid("down", "local", "--yes")
        return float(switched["downtime"]["seconds_since_switch"])

    def guide(self) -> tuple[float, float]:
        """The same by the guide's order, and how much of it was building."""
        began = time.monotonic()
        self.client.set_agent_type("HYBRID")
        self._start_agent()
        building = time.monotonic()
        for folder in find_code_locations(self.checkout.root):
            parent = self.checkout.root / "built" / folder.name
            built = _spec(self.checkout, parent).ensure(lambda text: None, time.sleep)
        built_in = time.monotonic() - building
        self._register(executable_of(built))
        until(self._stands, seconds=600, what="all locations are loaded by the guide's order")
        took = time.monotonic() - began
        self._stop_agent()
        return took, built_in

    def by_hand(self) -> float:
        """From starting the agent, all registered and built before, to all loaded."""
        self._register(self.python)
        began = time.monotonic()
        self._start_agent(wait=False)
        until(self._stands, seconds=600, what="all locations are loaded by an agent started by hand")
        took = time.monotonic() - began
        self._stop_agent()
        return took

    def _register(self, python: Path) -> None:
        for folder in find_code_locations(self.checkout.root):
            self.client.put_location(location_document(folder, executable_path=str(python)))

    def _running(self) -> bool:
        return any(each.label == self.label and each.is_running for each in self.client.agents())

    def _stands(self) -> bool:
        return self._running() and all(each.is_loaded for each in self.client.code_locations())

    def _start_agent(self, *, wait: bool = True) -> None:
        self.label = f"by-hand-{time.monotonic_ns()}"
        home = self.checkout.root / self.label
        home.mkdir()
        spec, url = LocalAgentSpec(), self.client.endpoint.agent_url
        text = render(spec, stock_process_launcher(spec), label=self.label, deployment="prod", url=url)
        (home / "dagster.yaml").write_text(text)
        made = self.client.create_agent_token(self.label)
        assert made.token is not None
        self.agent = subprocess.Popen(
            [str(self.checkout.root / ".venv/bin/dagster-cloud"), "agent", "run", str(home)],
            env={
                **self.checkout.environment,
                "HYBRID_PROCESS": str(self.checkout.root),
                "DAGSTER_CLOUD_AGENT_TOKEN": made.token.reveal(),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=os.fspath(self.checkout.root),
        )
        if wait:
            until(self._running, seconds=180, what="the agent started by hand is RUNNING")

    def _stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(30)
        for process in self.checkout.code_servers():
            process.kill()

    def _hybrid(self, *arguments: str) -> Any:
        answer = self.checkout.hybrid(*arguments, timeout=1200, DAGSTER_CLOUD_API_TOKEN=self.token)
        assert answer.code == 0, f"`hybrid {' '.join(arguments)}` ended with {answer.code}:\n{answer.err}"
        return answer.document if answer.out.startswith("{") else None


@contextmanager
def _organization(root: Path, locations: int, departure: int) -> Iterator[_Bench]:
    checkout, data, port = Checkout(root / "checkout"), root / "data", free_port()
    for number in range(locations):
        checkout.location(f"place{number}")
    url = f"http://127.0.0.1:{port}"
    values = f"config:\n  hybrid:organization: acme\n  hybrid:url: {url}\n"
    (checkout.root / "stacks" / "Pulumi.local.yaml").write_text(values)
    spec = _spec(checkout, Workspace(checkout.root).environments)
    python = executable_of(spec.ensure(lambda text: None, time.sleep))
    command = [str(HYBRID), "emulator", "serve", "--data", str(data), "--port", str(port), "--organization", "acme"]
    options = ["--agent-type", "serverless", "--serverless-departure", str(departure)]
    environment = {**checkout.environment, "HYBRID_PROCESS": str(checkout.root)}
    server = subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until((data / "api-token").exists, seconds=60, what="the emulator has made its token")
        with PlusClient(
            Endpoint(url=url, organization="acme", deployment="prod"), api_token({}, data / "api-token")
        ) as client:
            bench = _Bench(checkout, client, (data / "api-token").read_text().strip(), python)
            until(client.agents, seconds=120, what="the Serverless agent reports")
            bench._register(python)
            loaded = lambda: all(each.is_loaded for each in client.code_locations())  # noqa: E731
            until(loaded, seconds=300, what="Serverless has loaded all")
            yield bench
    finally:
        checkout.destroy()
        server.terminate()
        server.wait(30)


def _spec(checkout: Checkout, parent: Path) -> VirtualEnvironmentSpec:
    """Of any of the locations: all have the same requirements."""
    workspace = Workspace(checkout.root)
    return replace(VirtualEnvironmentSpec.of_location(find_code_locations(checkout.root)[0], workspace), parent=parent)
