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
from dataclasses import dataclass
from pathlib import Path

from agent.dagster_yaml import render
from agent.launchers import stock_process_launcher
from agent.spec import LocalAgentSpec
from benchmarks.figure import Figure
from benchmarks.switch_organization import Organization, organization
from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.virtualenv import executable_of
from hybrid.plus import PlusClient
from tests.emulated.checkout import until

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
        organization(Path(folder), locations, departure) as found,
        found.client() as client,
    ):
        bench = _Bench(found, client)
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
    found: Organization
    client: PlusClient
    agent: subprocess.Popen[bytes] | None = None
    label: str = ""
    """Of the agent started last; a former one is shown as RUNNING for a while."""

    def ours(self) -> float:
        """Seconds from the hand-over until all is loaded; then back on Serverless, and nothing of it stands."""
        done = self.found.hybrid("switch", "run", "local", "--yes", "--no-values", "--json", "--departure-limit", "600")
        [switched] = done["stacks"]
        self.found.hybrid("switch", "back", "local", "--yes", "--json")
        self.found.hybrid("down", "local", "--yes")
        return float(switched["downtime"]["seconds_since_switch"])

    def guide(self) -> tuple[float, float]:
        """The same by the guide's order, and how much of it was building."""
        began = time.monotonic()
        self.client.set_agent_type("HYBRID")
        self._start_agent()
        building = time.monotonic()
        for folder in find_code_locations(self.found.checkout.root):
            parent = self.found.checkout.root / "built" / folder.name
            built = self.found.environment_in(parent).ensure(lambda text: None, time.sleep)
        built_in = time.monotonic() - building
        self.found.register(self.client, executable_of(built))
        until(self._stands, seconds=600, what="all locations are loaded by the guide's order")
        took = time.monotonic() - began
        self._stop_agent()
        return took, built_in

    def by_hand(self) -> float:
        """From starting the agent, all registered and built before, to all loaded."""
        self.found.register(self.client, self.found.python)
        began = time.monotonic()
        self._start_agent(wait=False)
        until(self._stands, seconds=600, what="all locations are loaded by an agent started by hand")
        took = time.monotonic() - began
        self._stop_agent()
        return took

    def _running(self) -> bool:
        return any(each.label == self.label and each.is_running for each in self.client.agents())

    def _stands(self) -> bool:
        return self._running() and all(each.is_loaded for each in self.client.code_locations())

    def _start_agent(self, *, wait: bool = True) -> None:
        self.label = f"by-hand-{time.monotonic_ns()}"
        home = self.found.checkout.root / self.label
        home.mkdir()
        spec, url = LocalAgentSpec(), self.client.endpoint.agent_url
        text = render(spec, stock_process_launcher(spec), label=self.label, deployment="prod", url=url)
        (home / "dagster.yaml").write_text(text)
        made = self.client.create_agent_token(self.label)
        assert made.token is not None
        self.agent = subprocess.Popen(
            [str(self.found.checkout.root / ".venv/bin/dagster-cloud"), "agent", "run", str(home)],
            env={
                **self.found.checkout.environment,
                "HYBRID_PROCESS": str(self.found.checkout.root),
                "DAGSTER_CLOUD_AGENT_TOKEN": made.token.reveal(),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=os.fspath(self.found.checkout.root),
        )
        if wait:
            until(self._running, seconds=180, what="the agent started by hand is RUNNING")

    def _stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(180)  # it ends its code servers one after the other
        for process in self.found.checkout.code_servers():
            process.kill()
