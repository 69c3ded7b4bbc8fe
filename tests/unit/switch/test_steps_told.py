"""Locations are told right after the hand-over, before the update; what cannot be told then is left to the update."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hybrid.errors import HybridError, StoppedError
from hybrid.plus import PlusRejected, PlusUnreachable
from hybrid.plus.failure import Failure
from tests.unit.switch.mortal import back, go
from tests.unit.switch.situation import NAMES, serverless_document
from tests.unit.switch.world import World

pytestmark = pytest.mark.unit


def test_between_the_hand_over_and_the_telling_is_nothing_and_all_that_takes_time_is_before(world: World) -> None:
    looked: list[str] = []
    world.foresee = lambda: looked.extend(world.calls)  # type: ignore[method-assign]
    journal = go(world)
    after = world.calls[world.calls.index("set_agent_type") + 1 :]
    assert after[:3] == ["set_phase", "tell_locations", "up"], "whatever is between lies in the gap"
    assert "pause" in looked, "it was never looked at"
    assert "set_agent_type" not in looked, "what is told is known before the hand-over"
    assert journal.facts("serve")["told"] == list(NAMES)


@pytest.mark.parametrize("fault", [PlusRejected("It does not like that."), HybridError("No image is known.")])
def test_what_cannot_be_told_early_is_told_by_the_update(world: World, fault: Any) -> None:
    told: list[str] = []
    world.faults["tell_locations"] = [fault]
    go(world, told=told)
    world.is_hybrid()
    assert any(f"told by the update: {fault.what}" in text for text in told)
    back(world)
    world.is_serverless()


def test_a_connection_that_drops_after_it_was_told_costs_nothing_but_a_second_telling(world: World) -> None:
    world.faults["tell_locations"] = [("after", PlusUnreachable("It dropped."))]
    go(world)
    world.is_hybrid()


def test_ctrl_c_while_they_are_told_is_no_fault_to_go_on_from(world: World) -> None:
    world.faults["tell_locations"] = [StoppedError("Stopped.")]
    with pytest.raises(StoppedError):
        go(world)
    assert "up" not in world.calls[world.calls.index("tell_locations") :]
    back(world)
    world.is_serverless()


@pytest.mark.parametrize("loads_theirs", [True, False])
def test_an_agent_that_did_not_load_its_own_stands_by_when_serverless_is_back(world: World, loads_theirs: bool) -> None:
    world.loads_theirs, world.fails_to_load = loads_theirs, {"location_7"}
    with pytest.raises(HybridError):
        go(world)
    back(world)
    world.is_serverless()
    assert world.stands_by, "it would report for Serverless's locations what it reported for its own"


def test_an_agent_that_loaded_all_is_beside_serverless_as_before(world: World) -> None:
    world.loads_theirs = True
    go(world)
    back(world)
    assert not world.stands_by


def test_a_location_that_a_hybrid_agent_has_spoilt_is_told_to_serverless_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is the same, so that nobody would load it anew by itself."""
    go(world)
    world.told = {each: serverless_document(each) for each in NAMES}
    told: list[str] = []
    put, found = world.put_document, world.locations

    def telling(document: dict[str, Any]) -> None:
        told.append(document["location_name"])
        put(document)

    def spoilt() -> dict[str, Any]:
        statuses = found()
        if NAMES[0] not in told:
            failure = Failure("ImportError: not on Hybrid", "")
            well = {"load_status": "LOADED", "is_outdated": False, "error": failure}
            statuses[NAMES[0]] = replace(statuses[NAMES[0]], **well)
        return statuses

    monkeypatch.setattr(world, "put_document", telling)
    monkeypatch.setattr(world, "locations", spoilt)
    back(world)
    assert told == [NAMES[0]], "what is well is not loaded anew, what is not would never be"
