"""What `hybrid switch verify` and `status` say, of a world in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hybrid.errors import EngineError
from hybrid.switch.choices import Choices
from hybrid.switch.downtime import Downtime
from hybrid.switch.journal import read_journal
from hybrid.switch.run import Switching, downtime_in, stage_of, standing_of
from hybrid.switch.verification import verify
from tests.unit.switch.world import World

pytestmark = pytest.mark.unit


def switching(world: World) -> Switching:
    return Switching(world, world.folder / "switch.jsonl", Choices(), lambda text: None)


def wrong(world: World) -> list[str]:
    found = read_journal(world.folder / "switch.jsonl")
    assert found is not None
    return [check.name for check in verify(world, found[1], smoke=True) if check.is_so is False]


def test_a_switch_that_holds_is_verified_and_one_that_was_taken_back_is_not(world: World) -> None:
    switching(world).forward()
    assert wrong(world) == []
    switching(world).back()
    found = wrong(world)
    assert "agent type" in found
    assert "location location_0" in found, "Serverless's document is not the stack's image"


def test_each_thing_that_is_not_so_is_named(world: World) -> None:
    switching(world).forward()
    world.told["location_3"]["image"] = "registry/location_3@sha256:" + "2" * 64
    world.on.discard("schedule nightly (location_0)")
    world.smoke_status = "FAILURE"
    world.agent_up = False
    world.variable_names = list  # type: ignore[method-assign]
    expected = ["agent hybrid-prod", "location location_3", "schedules and sensors", "variables"]
    assert wrong(world) == [*expected, "run of answers in location_0"]


def test_an_agent_whose_place_was_taken_is_not_counted_while_dagster_plus_still_shows_it(world: World) -> None:
    switching(world).forward()
    (now,) = [agent for agent in world.agents() if agent.label == world.agent_label]
    stood_by = replace(now, id="before", last_heartbeat=now.last_heartbeat - 60)
    seen = world.agents()
    world.agents = lambda: [*seen, stood_by]  # type: ignore[method-assign]
    words = {check.name: check.words for check in verify(world, ())}
    assert words["agent hybrid-prod"].startswith("1 RUNNING"), "two would mean that two take the same requests"
    assert words["agent hybrid-prod"].endswith(", 1 more silent for 45 s"), "what the page shows is accounted for"

    world.agents = lambda: [stood_by]  # type: ignore[method-assign]
    checks = {check.name: check for check in verify(world, ())}
    assert checks["agent hybrid-prod"].is_so, "Dagster+ decides who is RUNNING"
    assert checks["agent hybrid-prod"].words.startswith("1 RUNNING"), checks["agent hybrid-prod"]


def test_without_a_journal_what_was_before_is_not_known(world: World) -> None:
    checks = {check.name: check.is_so for check in verify(world, ())}
    assert checks["schedules and sensors"] is None, "neither so nor not so"
    assert checks["variables"] is None


def test_the_journal_says_where_it_failed_and_why(world: World) -> None:
    world.fails_to_load = {"location_7"}
    with pytest.raises(EngineError):
        switching(world).forward()
    found = read_journal(world.folder / "switch.jsonl")
    assert found is not None
    assert stage_of(found[1]) == "begun"
    last = standing_of(found[1])[-1]
    assert (last["step"], last["event"]) == ("serve", "failed")
    assert "did not load" in last["reason"]
    assert downtime_in(found[1]) is None, "it is not over yet"


@pytest.mark.parametrize(
    ("heartbeat", "seconds"),
    [(None, 10), (95.0, 10), (104.0, 6), (130.0, 0)],
    ids=["no heartbeat seen", "before the switch", "after it", "after all was loaded"],
)
def test_downtime_begins_with_the_last_that_is_known_of_serverless(heartbeat: float | None, seconds: float) -> None:
    downtime = Downtime(switched_at=100, loaded_at=110, last_heartbeat=heartbeat)
    assert downtime.seconds == seconds
    assert downtime.since_switch == 10, "the most that it can be is said, too"
