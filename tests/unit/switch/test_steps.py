"""All steps of a switch on a world in memory: killed at every moment, with every fault, in both directions. What the
real Dagster+, engine and agents do is for the emulated tier."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import (
    EngineError,
    HybridError,
    NotReadyError,
    RunFailedError,
    SettingsError,
    StackBusyError,
    UsageError,
)
from hybrid.plus import PlusForbidden, PlusMaintenance, PlusRejected, PlusUnauthorized, PlusUnreachable
from hybrid.switch import claim as claims
from hybrid.switch.choices import Choices, PlanGiven
from hybrid.switch.journal import Event, Journal, read_journal
from hybrid.switch.plan import Strategy
from hybrid.switch.run import downtime_in
from hybrid.switch.steps import Given
from hybrid.switch.steps.handover import Documents
from hybrid.switch.work import Marker, SwitchRights
from tests.unit.switch.mortal import FAST, Mortals, back, backward, go, onward, switching
from tests.unit.switch.world import NAMES, ON, Killed, World, hybrid_document, serverless_document

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill here is an exception, so nothing has to be on a disk; the emulated tier has real ones."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_switch_ends_on_hybrid_and_its_way_back_on_serverless(world: World) -> None:
    told: list[str] = []
    journal = go(world, told=told)
    world.is_hybrid()
    found = downtime_in(journal.lines)
    assert found is not None
    assert found.since_switch == pytest.approx(5, abs=3), "loading takes five seconds here"
    assert found.seconds == 0, "the Serverless agent was there for 20 s more"
    back(world, told=told)
    world.is_serverless()
    assert any("orders" in text and "not on Serverless" in text for text in told), "values stored since are named"


@pytest.mark.parametrize("phase", [None, "prepare", "serve"])
def test_the_phase_is_as_it_was_after_the_way_back(world: World, phase: str | None) -> None:
    world.file_phase = phase
    go(world)
    back(world)
    world.is_serverless(phase)


def test_an_agent_that_cannot_load_what_serverless_runs_stands_by_until_the_hand_over(world: World) -> None:
    told: list[str] = []
    switching(world, told=told).forward(until="documents")
    assert world.stands_by, "it would hang on what it cannot load, and fail what it takes"
    assert any("takes no work until the hand-over" in text and "location_0" in text for text in told)
    go(world)
    world.is_hybrid()
    back(world)
    world.is_serverless()
    assert world.stands_by, "beside Serverless again"


def test_an_agent_that_can_load_what_serverless_runs_need_not_start_anew_at_the_hand_over(world: World) -> None:
    world.loads_theirs = True
    switching(world).forward(until="documents")
    assert world.file_phase == "prepare"
    assert not world.stands_by
    go(world)
    world.is_hybrid()


SERVERLESS_S = {"DB_URL": ("v1", "serverless"), "OTHER": ("v2", "theirs")}


def values_in(world: World) -> dict[str, str]:
    return {name: value for name, (_, value) in world.variables.items()}


@pytest.mark.parametrize("choices", [FAST, Choices(**{**FAST.__dict__, "strategy": Strategy.BY_QUEUE})])
def test_a_variable_that_the_stack_takes_over_has_its_former_value_again_on_the_way_back(
    tmp_path: Path, choices: Choices
) -> None:
    fuse = 0
    while True:
        folder = tmp_path / str(fuse)
        folder.mkdir()
        world = World(folder, variables=dict(SERVERLESS_S), own_variables={"DB_URL": "hybrid", "NEW": "hybrid"})
        switching(world, choices).forward(until="verify_values")
        world.fuse = fuse
        done = False
        try:
            go(world, choices)
            assert values_in(world) == {"DB_URL": "hybrid", "NEW": "hybrid", "OTHER": "theirs"}
            switching(world, choices).back()
            done = True
        except Killed:
            world.fuse = None
            backward(world, choices)
        world.is_serverless()
        assert values_in(world) == {**values_in(world), "DB_URL": "serverless", "OTHER": "theirs"}
        if done:
            assert fuse > 20
            return
        fuse += 7 if fuse > 60 else 1  # each at first; further on the variables are on no step's way but some


def test_what_is_taken_over_is_said_before_anything_is_done(world: World) -> None:
    world.variables, world.own_variables = dict(SERVERLESS_S), {"DB_URL": "hybrid"}
    told: list[str] = []
    switching(world, told=told).forward(until="preflight")
    assert "The stack takes over DB_URL; `back` puts the former values back." in told
    assert not any("OTHER" in text for text in told), "that one is left alone"


def test_a_former_value_that_dagster_plus_does_not_tell_is_named_before_and_after(world: World) -> None:
    world.variables, world.own_variables, world.values_told = dict(SERVERLESS_S), {"DB_URL": "hybrid"}, False
    told: list[str] = []
    switching(world, told=told).forward(until="preflight")
    assert any("DB_URL" in text and "cannot put them back" in text for text in told)
    go(world)
    back(world, told=told)
    world.is_serverless()
    assert any("DB_URL has the stack's value" in text and world.page in text for text in told)


def test_a_value_that_the_stack_has_not_got_stops_it_before_anything(world: World) -> None:
    world.valueless = [("DB_URL", "DB_URL of the environment")]
    with pytest.raises(SettingsError, match="No value is at hand for DB_URL"):
        go(world)
    assert not {"up", "pause", "set_agent_type"} & set(world.calls)
    assert world.marked is None


def test_a_state_or_passphrase_that_is_not_to_be_had_stops_it_before_anything(world: World) -> None:
    world.faults["check_engine"] = [EngineError("The secrets of the stack 'prod' cannot be opened.")]
    with pytest.raises(EngineError, match="cannot be opened"):
        go(world)
    assert not {"up", "pause", "set_agent_type"} & set(world.calls)
    assert world.marked is None


def test_every_single_kill_is_walked_on_from_and_taken_back(tmp_path: Path) -> None:
    fuse = 0
    while True:
        for way in (onward, backward):
            folder = tmp_path / f"{fuse}-{way.__name__}"
            folder.mkdir()
            world = World(folder, fuse=fuse)
            try:
                go(world)
            except Killed:
                world.fuse = None
                way(world)
            else:
                assert fuse > 100, "there were kills between all effects and lines, else this shows little"
                return
            if way is onward:
                world.is_hybrid()
                backward(world)
            world.is_serverless()
        fuse += 1


def test_every_single_kill_of_the_way_back_is_walked_on_from(tmp_path: Path) -> None:
    fuse = 0
    while True:
        folder = tmp_path / str(fuse)
        folder.mkdir()
        world = World(folder)
        go(world)
        world.fuse = fuse
        try:
            switching(world).back()
        except Killed:
            world.fuse = None
            backward(world)
            world.is_serverless()
        else:
            assert fuse > 80
            return
        fuse += 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([onward, backward]), st.integers(0, 220)), max_size=5), st.booleans())
def test_killed_anywhere_any_number_of_times_it_ends_on_one_side(
    tmp_path_factory: pytest.TempPathFactory, walks: list[Any], forward: bool
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    for way, fuse in walks:
        world.fuse = fuse
        with contextlib.suppress(Killed):
            way(world)
    world.fuse = None
    (onward if forward else backward)(world)
    if forward:
        world.is_hybrid()
    else:
        world.is_serverless()


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


def test_what_serverless_ran_at_first_is_kept_whatever_comes_then(world: World) -> None:
    switching(world).forward(until="verify_values")
    with Journal(world.folder / "switch.jsonl", read_journal(world.folder / "switch.jsonl")[0]) as journal:  # type: ignore[index]
        step = Documents(Given(world, FAST, journal, lambda text: None))

        def note(facts: Mapping[str, Any]) -> None:
            journal.note("documents", Event.BEGUN, facts)

        step.do({}, note)
        world.told["location_0"] = {"location_name": "location_0", "image": "somebody's"}
        step.do(journal.facts("documents"), note)
        found = world.kept_documents(journal.facts("documents")["digest"])
    assert found["location_0"] == serverless_document("location_0")


def test_documents_that_were_changed_on_disk_are_not_put_back(world: World) -> None:
    go(world)
    (world.folder / "documents.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        switching(world).back()
    assert world.told["location_0"] == hybrid_document("location_0"), "nothing was put or taken away by a guess"


def test_two_who_begin_it_are_told_apart_by_the_marker(world: World) -> None:
    world.marked = Marker("somebody's")
    with pytest.raises(StackBusyError, match="is at work, or was"):
        go(world)
    assert world.marked == Marker("somebody's"), "it is theirs"
    assert world.calls == [], "nothing was changed"
    go(world, Choices(**{**FAST.__dict__, "take_over": True}))
    world.is_hybrid()


def test_one_who_loses_the_race_for_the_marker_is_told(world: World) -> None:
    make, looks = world.make_marker, iter([None])

    def lost(text: str) -> Marker:
        world.marked = Marker("faster")
        return make(text)

    world.make_marker = lost  # type: ignore[method-assign]
    assert next(looks) is None
    with pytest.raises(StackBusyError):
        go(world)
    assert world.type == "SERVERLESS"


@pytest.fixture
def waves(tmp_path: Path) -> tuple[World, World]:
    """Two deployments of one organization."""
    first, second = World(tmp_path / "first"), World(tmp_path / "second", stack="staging", deployment="staging")
    first.neighbours, second.neighbours = [second], [first]
    for each in (first, second):
        each.folder.mkdir()
    return first, second


def test_a_second_deployment_waits_for_the_first_and_goes_after_it(waves: tuple[World, World]) -> None:
    first, second = waves
    switching(first).forward(until="gate")
    with pytest.raises(StackBusyError, match=r"A switch of prod is at work in 'acme'"):
        go(second)
    assert second.calls == [], "nothing was changed"
    assert second.marked is None
    go(first)
    first.is_hybrid()
    go(second)
    second.is_hybrid()
    first.is_hybrid()


def test_a_second_deployment_goes_when_the_first_was_taken_back(waves: tuple[World, World]) -> None:
    first, second = waves
    switching(first).forward(until="gate")
    back(first)
    go(second)
    second.is_hybrid()
    first.is_serverless()


def test_a_dead_switch_of_another_deployment_can_be_passed_and_keeps_its_marker(waves: tuple[World, World]) -> None:
    first, second = waves
    first.marked = Marker("of the dead")
    with pytest.raises(StackBusyError):
        go(second)
    go(second, Choices(**{**FAST.__dict__, "take_over": True}))
    second.is_hybrid()
    assert first.marked == Marker("of the dead"), "its own way on or back finds it"


def test_of_two_that_begin_in_the_same_moment_none_keeps_the_other_out_for_ever(waves: tuple[World, World]) -> None:
    first, second = waves
    make = first.make_marker

    def both(text: str) -> Marker:
        second.marked = Marker("in the same moment")
        return make(text)

    first.make_marker = both  # type: ignore[method-assign]
    with pytest.raises(StackBusyError):
        go(first)
    assert first.marked is None
    second.marked, first.make_marker = None, make  # type: ignore[method-assign]
    switching(first).forward()
    first.is_hybrid()


def test_a_token_that_may_set_no_variable_is_told_and_goes_on(world: World) -> None:
    world.faults["make_marker"] = [PlusForbidden("It may not.")]
    told: list[str] = []
    go(world, told=told)
    world.is_hybrid()
    assert any("HYBRID_SWITCH" in text for text in told)


def test_two_on_one_machine_in_one_organization_are_refused(tmp_path: Path) -> None:
    with claims.only_one_here(tmp_path, "acme"):
        with pytest.raises(StackBusyError, match="on this machine"), claims.only_one_here(tmp_path, "acme"):
            pass
        with claims.only_one_here(tmp_path, "other"):
            pass
    with claims.only_one_here(tmp_path, "acme"):
        pass


def test_a_switch_that_was_begun_is_not_begun_again_unasked(world: World) -> None:
    switching(world).forward(until="pause")
    with pytest.raises(UsageError, match="not over"):
        switching(world).forward()
    switching(world).forward(resume=True)
    world.is_hybrid()


def test_a_plan_of_another_state_or_deployment_is_refused_and_leaves_nothing(world: World) -> None:
    for plan in (PlanGiven("acme", "prod", "old", "d"), PlanGiven("other", "prod", "f1", "d")):
        with pytest.raises(UsageError):
            go(world, Choices(**{**FAST.__dict__, "plan": plan}))
        assert world.marked is None, "nobody is kept out by a switch that did not begin"
        (world.folder / "switch.jsonl").unlink()
    go(world, Choices(**{**FAST.__dict__, "plan": PlanGiven("acme", "prod", "f1", "d")}))
    world.is_hybrid()


def test_what_the_stack_does_not_serve_stops_it_before_anything(world: World) -> None:
    world.told["stranger"] = serverless_document("stranger")
    with pytest.raises(SettingsError, match="stranger"):
        go(world)
    assert not {"up", "pause", "set_agent_type"} & set(world.calls)


def test_a_token_without_the_rights_stops_it_before_anything(world: World) -> None:
    world.given_rights = SwitchRights(may_edit_locations=False, may_launch_runs=True, may_switch=None)
    with pytest.raises(SettingsError, match="edit code locations"):
        go(world)
    assert not {"up", "pause", "set_agent_type"} & set(world.calls)


def test_a_location_that_only_hybrid_has_is_taken_away_on_the_way_back(world: World) -> None:
    world.told.pop("location_9")
    go(world)
    assert set(world.told) == set(NAMES)
    back(world)
    assert "location_9" not in world.told, "Serverless never ran it"


def test_only_documents_that_differ_are_put_back(world: World) -> None:
    switching(world).forward(until="switch")
    world.calls.clear()
    back(world)
    assert "put_document" not in world.calls, "a document that is sent reloads its location, on Serverless too"
    world.is_serverless()


def test_a_smoke_run_that_fails_leaves_schedules_paused(world: World) -> None:
    world.smoke_status = "FAILURE"
    with pytest.raises(RunFailedError, match="FAILURE"):
        go(world)
    assert world.on == set()
    back(world)
    world.is_serverless()
    assert world.on == set(ON)


def test_a_no_to_the_hand_over_leaves_the_deployment_on_serverless(world: World) -> None:
    def no(question: str) -> None:
        raise UsageError("No.")

    with pytest.raises(UsageError, match="No"):
        go(world, Choices(**{**FAST.__dict__, "ask": no}))
    assert world.type == "SERVERLESS"
    assert "set_agent_type" not in world.calls
    back(world)
    world.is_serverless()


def test_a_second_switch_begins_anew_after_a_way_back(world: World) -> None:
    go(world)
    back(world)
    world.clock += 5
    go(world)
    world.is_hybrid()
    kept = list(world.folder.glob("switch-*.jsonl"))
    assert len(kept) == 1, "the former journal is kept"


def test_a_rejected_hand_over_is_not_tried_again(world: World) -> None:
    world.faults["set_agent_type"] = [PlusRejected("The plan does not allow it.")]
    with pytest.raises(PlusRejected):
        go(world)
    assert world.calls.count("set_agent_type") == 1


def test_no_secret_of_a_document_is_in_the_journal(world: World) -> None:
    go(world)
    assert b"0123456789abcdef" not in (world.folder / "switch.jsonl").read_bytes()
    assert (world.folder / "documents.json").stat().st_mode & 0o777 == 0o600
