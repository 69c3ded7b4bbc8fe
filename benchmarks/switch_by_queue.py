"""What those who use a deployment notice while its locations move by an agent queue, one at a time: each is pinged
every second and a run launched every 15 s, before, and then during `hybrid switch run --by-queue` and `back`."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.switch_organization import Organization, organization
from tests.emulated.traffic import Traffic

_QUIET_SECONDS = 45.0
_CODE = """
from pathlib import Path
import dagster as dg

@dg.op
def marking(context: dg.OpExecutionContext) -> None:
    with Path("{gate}.marks").open("a") as file:
        file.write(context.run_id + chr(10))

@dg.job(executor_def=dg.in_process_executor)
def answers() -> None:
    marking()

defs = dg.Definitions(jobs=[answers])
"""


def measure() -> list[Figure]:
    """Four locations. Raises ``AssertionError`` when a ping was not answered, or a run was lost or ran twice."""
    with (
        tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder,
        organization(Path(folder), 4, 0, _CODE) as found,
    ):
        with Traffic(found.client, found.names) as before:
            before.over.wait(_QUIET_SECONDS)
        with Traffic(found.client, found.names) as during:
            began = time.monotonic()
            there = found.hybrid("switch", "run", "local", "--yes", "--no-values", "--by-queue", "hybrid", "--json")
            moved = time.monotonic() - began
            found.hybrid("switch", "back", "local", "--yes", "--json")
        [switched] = there["stacks"]
        assert switched["downtime"]["seconds"] == 0, "a location was without an agent"
        for each in (before, during):
            _nothing_lost(found, each)
        found.hybrid("down", "local", "--yes")
    pings = f"{sum(during.pings.values())} pings, {len(during.runs)} runs, there and back"
    return [
        Figure(f"slowest ping while four locations move by queue / while nothing moves ({pings})", "s",
               during.slowest, before.slowest),
        Figure("four locations moved by queue, a location / the whole", "s", moved / len(found.names), moved),
    ]  # fmt: skip


def _nothing_lost(found: Organization, traffic: Traffic) -> None:
    assert traffic.unanswered == [], traffic.unanswered
    runs = traffic.runs
    assert traffic.statuses() == dict.fromkeys(runs, "SUCCESS"), "a run was lost"
    marks = Counter(Path(f"{found.checkout.gate}.marks").read_text().split())
    assert {each: marks[each] for each in runs} == dict.fromkeys(runs, 1), "a run ran twice, or not at all"
