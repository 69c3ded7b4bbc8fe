"""Waiting for a branch deployment, with a clock that moves only when somebody waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hybrid.pipeline.branch_deployment import Wanted
from hybrid.pipeline.errors import SupersededError
from hybrid.pipeline.loading import Limits, Loading, await_loaded
from hybrid.plus import CodeLocationStatus
from tests.unit.pipeline.organization import Organization, agent, status

pytestmark = pytest.mark.unit

OLD, NEW = (f"ghcr.io/acme/alpha@sha256:{letter * 64}" for letter in "ab")
LABEL = "hybrid-prod"
LIMITS = Limits(heartbeat=60, load=300)


@dataclass
class Time:
    """``then`` is done at a moment, in seconds."""

    now: float = 0.0
    then: dict[float, Any] = field(default_factory=dict)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        for moment in sorted(self.then):
            if moment <= self.now:
                self.then.pop(moment)()


@dataclass
class Claim:
    looks: int = 0
    superseded: bool = False

    def look(self) -> None:
        self.looks += 1
        if self.superseded:
            raise SupersededError("A newer commit is at work.")


def waited(
    organization: Organization, time: Time, image: str | None = NEW, claim: Claim | None = None
) -> tuple[Loading, list[str]]:
    said: list[str] = []
    found = await_loaded(
        claim or Claim(),  # type: ignore[arg-type]
        organization.client("prod"),
        LABEL,
        [Wanted("alpha", {}, "built", image=image)],
        LIMITS,
        said.append,
        pause=time.pause,
        now=lambda: time.now,
    )
    return found, said


def has(organization: Organization, *statuses: CodeLocationStatus) -> None:
    organization.statuses["prod"] = list(statuses)


def test_it_waits_for_the_image_that_was_sent_and_not_for_any() -> None:
    organization, time = Organization(), Time()
    has(organization, status("alpha", OLD))
    time.then = {20: lambda: has(organization, status("alpha", NEW))}
    found, said = waited(organization, time)
    assert found.all_loaded
    assert time.now >= 20, "what was loaded before is not what was sent"
    assert said == ["0 of 1 locations loaded; waiting for alpha"], "the same words are said once"


def test_what_runs_from_its_folder_is_waited_for_until_it_is_not_outdated() -> None:
    organization, time = Organization(), Time()
    has(organization, status("alpha", outdated=True))
    time.then = {10: lambda: has(organization, status("alpha"))}
    found, _ = waited(organization, time, image=None)
    assert found.all_loaded
    assert time.now >= 10


def test_one_that_failed_with_what_was_sent_ends_the_wait() -> None:
    organization, time = Organization(), Time()
    has(organization, status("alpha", OLD, error="of before"))
    time.then = {10: lambda: has(organization, status("alpha", NEW, error="no module"))}
    found, _ = waited(organization, time)
    assert time.now >= 10, "the error of what was there before is no answer"
    assert not found.all_loaded
    assert found.has_failed(found.wanted[0])
    assert found.problem is None, "all have settled"


@pytest.mark.parametrize("there", [[], [agent(status="NOT_RUNNING")], [agent(label="another")]])
def test_without_an_agent_of_the_stack_it_ends_soon(there: list[Any]) -> None:
    organization, time = Organization(agents=there), Time()
    has(organization, status("alpha", NEW))
    found, _ = waited(organization, time)
    assert "no agent called hybrid-prod is RUNNING since 60 s" in (found.problem or "")
    assert time.now < 70, "an hour would be what the installed command line waits"


def test_an_agent_that_comes_back_is_waited_for_anew() -> None:
    organization, time = Organization(agents=[]), Time()
    has(organization, status("alpha", OLD))
    time.then = {
        50: lambda: organization.agents.append(agent()),
        56: lambda: organization.agents.clear(),
        110: lambda: organization.agents.append(agent()),
        112: lambda: has(organization, status("alpha", NEW)),
    }
    found, _ = waited(organization, time)
    assert found.all_loaded


def test_what_does_not_come_about_in_time_is_said() -> None:
    organization, time = Organization(), Time()
    found, _ = waited(organization, time)
    assert found.problem == "alpha did not load within 300 s"
    assert not found.all_loaded


def test_a_newer_commit_ends_the_wait() -> None:
    organization, time, claim = Organization(), Time(), Claim()
    time.then = {30: lambda: setattr(claim, "superseded", True)}
    with pytest.raises(SupersededError):
        waited(organization, time, claim=claim)
    assert time.now < 50
    assert claim.looks < 6, "it is not asked at every look at the locations"
