"""The hand-over of a switch on a world in memory, with every fault: what is not known or not allowed, and who does not
come or go."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from hybrid.errors import EngineError, HybridError, NotReadyError, UsageError
from hybrid.plus import PlusForbidden, PlusMaintenance, PlusRejected, PlusUnauthorized, PlusUnreachable
from hybrid.switch.choices import Choices
from tests.unit.switch.mortal import FAST, Mortals, back, backward, go, onward, switching
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]

DROPPED = PlusUnreachable("The connection was closed.", reason="closed")


@pytest.mark.parametrize(
    "fault",
    [
        ("after", DROPPED),
        DROPPED,
        PlusUnreachable("Dagster+ is overloaded (HTTP 503).", reason="busy"),
        PlusUnreachable("Dagster+ asks to slow down (HTTP 429).", reason="busy"),
        PlusUnreachable("No answer within 60 s.", reason="timeout"),
        PlusMaintenance("Dagster+ is in maintenance."),
    ],
    ids=["dropped after", "dropped before", "503", "429", "time-out", "maintenance"],
)
@pytest.mark.parametrize("way", ["forth", "back"])
def test_an_unknown_outcome_of_the_hand_over_is_looked_at_before_it_is_sent_again(
    world: World, fault: Any, way: str
) -> None:
    if way == "back":
        go(world)
        world.calls.clear()
    world.faults["set_agent_type"] = [fault]
    if way == "forth":
        go(world)
        world.is_hybrid()
    else:
        switching(world).back()
        world.is_serverless()
    sent = world.calls.count("set_agent_type")
    assert sent == (1 if isinstance(fault, tuple) else 2), "what was accepted is not sent again, what was not is"


def test_a_hand_over_that_never_comes_about_ends_with_words_and_can_go_on(world: World) -> None:
    world.faults["set_agent_type"] = [DROPPED] * 100
    with pytest.raises(NotReadyError, match="did not become HYBRID"):
        go(world)
    world.faults.clear()
    go(world)
    world.is_hybrid()


def test_a_token_that_may_not_switch_has_a_person_press_the_button(world: World) -> None:
    world.faults["set_agent_type"] = [PlusForbidden("The token may not do this.")]
    world.press_at = world.clock + 300
    told: list[str] = []
    go(world, told=told)
    world.is_hybrid()
    words = " ".join(told)
    assert world.page in words, "the page is named"
    assert "Switch to Hybrid" in words, "and the button"


def test_a_button_that_nobody_presses_is_waited_for_only_so_long(world: World) -> None:
    world.faults["set_agent_type"] = [PlusForbidden("The token may not do this.")]
    with pytest.raises(NotReadyError, match="Nobody has made"):
        go(world)
    back(world)
    world.is_serverless()


@pytest.mark.parametrize(
    "method", ["agent_type", "agents", "locations", "up", "pause", "resume", "put_document", "gate"]
)
@pytest.mark.parametrize("error", [PlusUnauthorized("The token is not accepted."), PlusForbidden("It may not.")])
def test_rights_that_are_lost_in_the_middle_stop_it_and_it_goes_on_or_back(
    tmp_path: Path, method: str, error: HybridError
) -> None:
    for way in (onward, backward):
        folder = tmp_path / way.__name__
        folder.mkdir()
        world = World(folder, faults={method: [error]})
        with contextlib.suppress(PlusUnauthorized):
            go(world)
            back(world)
        world.faults.clear()
        way(world)
        world.is_hybrid() if way is onward else world.is_serverless()


def test_an_agent_that_never_comes_stops_it_and_it_can_be_taken_back(world: World) -> None:
    world.agent_comes = False
    with pytest.raises(EngineError, match="did not come"):
        go(world)
    assert world.type == "HYBRID", "nobody has told it to go back by itself"
    back(world)
    world.is_serverless()


def test_an_agent_that_dagster_plus_hides_before_the_switch_is_no_reason_to_stop(world: World) -> None:
    world.hidden_before = True
    told: list[str] = []
    journal = go(world, told=told)
    world.is_hybrid()
    assert journal.facts("agent")["seen"] is False
    assert any("does not show hybrid-prod" in text for text in told), "what was found out is said"


def test_one_of_ten_that_fails_to_load_is_named_and_what_is_mended_goes_on(world: World) -> None:
    world.fails_to_load = {"location_7"}
    with pytest.raises(EngineError):
        go(world)
    assert world.on == set(), "nothing is launched while a location is not loaded"
    world.fails_to_load = set()
    go(world)
    world.is_hybrid()


def test_a_location_that_fails_after_the_update_is_named_with_its_error(world: World) -> None:
    broken = switching(world)
    broken.forward(until="serve")
    world.fails_to_load = {"location_7"}
    with pytest.raises(NotReadyError, match="location_7") as refused:
        go(world)
    assert "ImportError" in (refused.value.why or "")
    assert "location_6" not in refused.value.sentence(), "only what failed"


@pytest.mark.parametrize("trouble", ["agent", "location"])
def test_it_goes_back_by_itself_when_not_all_is_loaded_in_time(world: World, trouble: str) -> None:
    world.agent_comes = trouble != "agent"
    world.fails_to_load = {"location_7"} if trouble == "location" else set()
    begun = world.clock
    with pytest.raises(NotReadyError, match="was taken back"):
        go(world, Choices(**{**FAST.__dict__, "return_after": 120}))
    world.is_serverless()
    assert 120 <= world.clock - begun < 200, "not before its time, and not long after it"


def test_what_loads_late_but_in_time_is_not_taken_back(world: World) -> None:
    world.fails_to_load, world.fixed_at = {"location_7"}, world.clock + 60
    told: list[str] = []

    def mended(text: str) -> None:
        told.append(text)

    with contextlib.suppress(EngineError):
        Mortals(
            world, world.folder / "switch.jsonl", Choices(**{**FAST.__dict__, "return_after": 120}), mended
        ).forward()
    assert world.type == "HYBRID", "it came about within the time"
    world.fails_to_load = set()
    go(world)
    world.is_hybrid()


@pytest.mark.parametrize("told_to", ["go-on", "stop"])
def test_a_serverless_agent_that_never_goes_is_said(world: World, told_to: Any) -> None:
    world.stays = True
    told: list[str] = []
    choices = Choices(**{**FAST.__dict__, "serverless_stays": told_to})
    if told_to == "stop":
        with pytest.raises(NotReadyError, match="has not gone"):
            go(world, choices)
        assert world.on == set(), "nothing is launched that two agents could take"
        back(world)
        world.is_serverless()
    else:
        go(world, choices, told)
        world.is_hybrid()
        assert any("has not gone" in text for text in told)


def test_other_deployments_on_serverless_do_not_hold_it_up(world: World) -> None:
    world.others = ("staging",)
    go(world)
    world.is_hybrid()


def test_an_agent_that_stays_is_seen_although_dagster_plus_s_word_is_another_deployment_s(world: World) -> None:
    world.others, world.stays = ("staging",), True
    told: list[str] = []
    go(world, told=told)
    assert any("has not gone" in text for text in told), "it was RUNNING to the last"


def test_a_no_to_the_hand_over_leaves_the_deployment_on_serverless(world: World) -> None:
    def no(question: str) -> None:
        raise UsageError("No.")

    with pytest.raises(UsageError, match="No"):
        go(world, Choices(**{**FAST.__dict__, "ask": no}))
    assert world.type == "SERVERLESS"
    assert "set_agent_type" not in world.calls
    back(world)
    world.is_serverless()


def test_a_rejected_hand_over_is_not_tried_again(world: World) -> None:
    world.faults["set_agent_type"] = [PlusRejected("The plan does not allow it.")]
    with pytest.raises(PlusRejected):
        go(world)
    assert world.calls.count("set_agent_type") == 1
