"""Three locations taken one at a time from a real Serverless agent to a real local Hybrid one beside it, and back.
Meanwhile somebody pings each every second and launches a run every 15 s. Whether Dagster+ itself hands requests out by
queues as the embedded one does, by the location's document, is for the live tier."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.plus import PlusClient
from tests.emulated.checkout import Checkout, until
from tests.emulated.serverless_place import Serverless, serverless, standing
from tests.emulated.traffic import Traffic

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(900)]

NAMES = ("alpha", "beta", "gamma")
CODE = """
import sys
import time
from pathlib import Path

import dagster as dg

if Path("{broken}").exists() and sys.prefix != "{serverless}":
    raise ImportError("this is broken on Hybrid, by design")

@dg.op
def marking(context: dg.OpExecutionContext) -> None:
    with Path("{marks}").open("a") as file:
        file.write(context.run_id + chr(10))
    time.sleep(2)  # so that some are at work while their location is moved

@dg.job(executor_def=dg.in_process_executor)
def answers() -> None:
    marking()

nightly = dg.ScheduleDefinition(
    job=answers, cron_schedule="0 4 1 1 *", name="nightly_{name}", default_status=dg.DefaultScheduleStatus.RUNNING
)
defs = dg.Definitions(jobs=[answers], schedules=[nightly])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Serverless]:
    with serverless(tmp_path_factory.mktemp("queued"), environments) as found:
        with found.client() as client:
            for name in NAMES:
                client.put_location(_document(found.checkout, name))
            until(lambda: _all_loaded(client), seconds=180, what="Serverless has loaded them")
        yield found


def _document(checkout: Checkout, name: str) -> dict[str, object]:
    code = CODE.replace("{name}", name).replace("{marks}", str(_marks(checkout)))
    code = code.replace("{broken}", str(_broken(checkout, name))).replace("{serverless}", sys.prefix)
    folder = checkout.location(name, code)
    source = {"module_name": f"{name}.definitions"}
    return {"location_name": name, "code_source": source, "working_directory": str(folder / "src")}


def _broken(checkout: Checkout, name: str) -> Path:
    """While this file is there, the location does not load on Hybrid."""
    return checkout.root.parent / f"broken-{name}"


def _marks(checkout: Checkout) -> Path:
    return checkout.root.parent / "marks"


def _all_loaded(client: PlusClient) -> bool:
    found = client.code_locations()
    return len(found) == len(NAMES) and all(each.is_loaded for each in found)


def _queues(place: Serverless) -> dict[str, str | None]:
    with place.client() as client:
        return {name: document.get("agent_queue") for name, document in client.location_documents().items()}


def test_there_and_back_one_at_a_time_with_no_ping_unanswered_and_no_run_lost(place: Serverless) -> None:
    before = standing(place)
    assert len(before["on"]) == 3, "schedules are on by default, else resuming shows nothing"
    file = (place.checkout.root / "stacks" / "Pulumi.local.yaml").read_text()
    plan = place.checkout.root.parent / "plan.json"
    planning = ("--strategy", "by_queue", "--save", str(plan), "--repository", str(place.checkout.root))
    planned = place.hybrid("switch", "plan", "local", *planning)
    assert plan.exists(), planned.out + planned.err
    run = ("switch", "run", "local", "--yes", "--no-values", "--smoke", "alpha:answers")
    begun = time.monotonic()
    with Traffic(place.client, NAMES) as traffic:
        place.killed_at("move", "begun", *run, "--plan", str(plan), after=4)
        done = place.hybrid(*run, "--resume", "--json")
        assert done.code == 0, done.err
        there = time.monotonic() - begun
        assert standing(place)["type"] == "HYBRID"
        assert _queues(place) == dict.fromkeys(NAMES, "hybrid")
        assert standing(place)["on"] == before["on"]
        verified = place.hybrid("switch", "verify", "local", "--json")
        assert verified.code == 0, verified.out + verified.err
        back = place.hybrid("switch", "back", "local", "--yes", "--json")
        assert back.code == 0, back.err

    [switched] = done.document["stacks"]
    assert switched["stage"] == "done"
    assert switched["downtime"]["seconds"] == 0
    assert standing(place) == before, "Serverless runs what it ran, with what was on"
    now = (place.checkout.root / "stacks" / "Pulumi.local.yaml").read_text()
    own = [line for line in now.splitlines() if not line.startswith("encryptionsalt:")]  # Pulumi's, on first use
    assert own == file.splitlines(), "the stack file is as it was, comments and all"
    print(  # for who measures: pytest -s
        f"there in {there:.0f} s; {sum(traffic.pings.values())} pings, the slowest {traffic.slowest:.1f} s; "
        f"{len(traffic.runs)} runs, launches refused and tried again: {traffic.refused}"
    )
    assert traffic.unanswered == []
    assert all(traffic.pings[name] > 20 for name in NAMES), "else nothing was asked meanwhile"
    runs = traffic.runs
    assert len(runs) >= 4, "else hardly anything ran meanwhile"
    assert traffic.statuses() == dict.fromkeys(runs, "SUCCESS"), "a run was lost"
    marks = Counter(_marks(place.checkout).read_text().split())
    assert {each: marks[each] for each in runs} == dict.fromkeys(runs, 1), "a run ran twice, or not at all"


def test_one_that_does_not_load_is_moved_back_alone(place: Serverless) -> None:
    before = standing(place)
    run = ("switch", "run", "local", "--yes", "--no-values", "--by-queue", "hybrid")
    checked = place.hybrid(*run, "--until", "documents")
    assert checked.code == 0, checked.err
    broken = _broken(place.checkout, "beta")
    broken.touch()  # not earlier: the gate would have seen it
    refused = place.hybrid(*run, "--resume")
    assert refused.code == 7, refused.err
    assert "beta did not come up on Hybrid, and was moved back to Serverless" in refused.err
    assert "broken on Hybrid, by design" in refused.err, "its own error is told"
    assert _queues(place) == {"alpha": "hybrid", "beta": None, "gamma": None}
    now = standing(place)
    assert now["documents"]["beta"] == before["documents"]["beta"]
    assert now["type"] == "SERVERLESS"
    with place.client() as client:
        assert all(each.is_loaded for each in client.code_locations()), "one was left behind that no agent serves"
        client.ping_location("beta")
    broken.unlink()
    back = place.hybrid("switch", "back", "local", "--yes")
    assert back.code == 0, back.err
    assert standing(place) == before
