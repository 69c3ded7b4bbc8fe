"""`AgentDrain` with a real agent and real runs in progress: what `down` does to them before the agent goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hybrid.errors import NotReadyError
from hybrid.provider.agent_drain import RUNS_VARIABLE, AgentDrain
from hybrid.provider.connection import Clients
from hybrid.provider.resource import Call
from tests.emulated.checkout import until
from tests.emulated.served import ServedOrganization
from tests.emulated.test_agents import CODE

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Said:
    lines: list[str] = field(default_factory=list)

    def status(self, text: str) -> None:
        self.lines.append(text)

    info = warning = status


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrganization]:
    with ServedOrganization(tmp_path_factory.mktemp("plus")) as served:
        served.location("alpha", CODE)
        served.start_agent("drained")
        served.until_loaded("alpha")
        until(lambda: served.agent_states().get("drained") == "RUNNING", seconds=60, what="the agent is RUNNING")
        yield served


def drain(plus: ServedOrganization, said: Said, *, runs: str, seconds: float) -> None:
    inputs = {
        "connection": {
            "url": plus.url,
            "organization": "local",
            "deployment": "prod",
            "tokenFile": str(plus.data / "api-token"),
        },
        "locations": ["alpha"],
        "agentLabel": "drained",
        "runs": runs,
        "queuedRuns": False,
        "timeoutSeconds": seconds,
    }
    AgentDrain(Clients()).delete("id", inputs, {}, Call(said, threading.Event()))


def test_runs_in_progress_hold_the_agent_and_are_ended_when_that_is_chosen(
    plus: ServedOrganization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RUNS_VARIABLE, raising=False)
    said = Said()
    drain(plus, said, runs="wait", seconds=0)
    assert said.lines == [], "without runs the agent may go at once"
    run = plus.launch("alpha", "waiting")
    until(lambda: "STEP_START" in plus.run(run)["events"], seconds=60, what="the run is under way")
    with pytest.raises(NotReadyError, match="still 1 run \\(1 STARTED\\): waiting"):
        drain(plus, said, runs="wait", seconds=0.5)
    assert plus.run(run)["status"] == "STARTED", "who waits ends nothing"
    drain(plus, said, runs="terminate", seconds=60)
    assert plus.run(run)["status"] == "CANCELED", "the agent had to be there to end it"
    assert said.lines[-1] == "no run is in progress any more"
