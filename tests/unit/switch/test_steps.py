"""All steps of a switch on a world in memory, in both directions: ends, phases, documents, what stops it at the start.
What the real Dagster+, engine and agents do is for the emulated tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hybrid.errors import EngineError, RunFailedError, SettingsError, UsageError
from hybrid.switch.choices import Choices, PlanGiven
from hybrid.switch.journal import Event, Journal, read_journal
from hybrid.switch.run import downtime_in
from hybrid.switch.steps import Given
from hybrid.switch.steps.handover import Documents
from hybrid.switch.work import SwitchRights
from tests.unit.switch.mortal import FAST, back, go, switching
from tests.unit.switch.situation import NAMES, ON, hybrid_document, serverless_document
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]


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


def test_a_state_or_passphrase_that_is_not_to_be_had_stops_it_before_anything(world: World) -> None:
    world.faults["check_engine"] = [EngineError("The secrets of the stack 'prod' cannot be opened.")]
    with pytest.raises(EngineError, match="cannot be opened"):
        go(world)
    assert not {"up", "pause", "set_agent_type"} & set(world.calls)
    assert world.marked is None


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


def test_a_second_switch_begins_anew_after_a_way_back(world: World) -> None:
    go(world)
    back(world)
    world.clock += 5
    go(world)
    world.is_hybrid()
    kept = list(world.folder.glob("switch-*.jsonl"))
    assert len(kept) == 1, "the former journal is kept"


def test_no_secret_of_a_document_is_in_the_journal(world: World) -> None:
    go(world)
    assert b"0123456789abcdef" not in (world.folder / "switch.jsonl").read_bytes()
    assert (world.folder / "documents.json").stat().st_mode & 0o777 == 0o600
