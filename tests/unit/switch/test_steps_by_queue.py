"""A switch by queue on a world in memory: one location at a time beside Serverless, killed at every moment, in both
directions. That Serverless's agent leaves other queues alone, and the real stack, are for the emulated tier."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import HybridError, NotReadyError, StoppedError, UsageError
from hybrid.plus import PlusForbidden, PlusMaintenance, PlusRejected, PlusUnauthorized, PlusUnreachable
from hybrid.switch.journal import read_journal
from hybrid.switch.plan import Strategy
from hybrid.switch.run import downtime_in, stage_of, strategy_in
from hybrid.switch.steps import BY_QUEUE, STEPS
from hybrid.switch.work import OwnQueue
from tests.unit.switch.mortal import FAST, back, backward, go, onward, switching
from tests.unit.switch.situation import NAMES, ON, Killed, hybrid_document, serverless_document
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]

QUEUED = replace(FAST, strategy=Strategy.BY_QUEUE)


def is_served_throughout(world: World) -> None:
    assert world.without == [], "a location was without an agent"


def moved(world: World) -> set[str]:
    return {name for name, document in world.told.items() if document.get("agent_queue")}


def test_locations_go_one_at_a_time_and_the_agent_type_changes_last(world: World) -> None:
    told: list[str] = []
    journal = go(world, QUEUED, told)
    world.is_hybrid()
    is_served_throughout(world)
    assert world.most_moving == 1, "two locations were loading at once"
    assert world.told["location_4"] == hybrid_document("location_4", "hybrid")
    assert world.queue == OwnQueue("hybrid", NAMES)
    found = downtime_in(journal.lines)
    assert found is not None
    assert found.seconds == found.since_switch == 0
    assert any("10 locations are on Hybrid; the slowest move was" in text for text in told)
    back(world, QUEUED)
    world.is_serverless()
    is_served_throughout(world)


def test_the_agent_type_is_left_alone_until_all_are_moved(world: World) -> None:
    switching(world, QUEUED).forward(until="move")
    assert world.type == "SERVERLESS"
    assert moved(world) == set(NAMES)
    assert world.locations()["location_9"].is_loaded


def test_the_agent_never_takes_serverless_s_queue(world: World) -> None:
    switching(world, QUEUED).forward(until="gate")
    assert world.agent_queue == "hybrid", "it would be handed what only Serverless can run"
    go(world, QUEUED)
    back(world)
    assert world.agent_queue == "hybrid", "it still stands, beside Serverless"


def test_what_goes_back_is_loaded_on_serverless_one_at_a_time(world: World) -> None:
    go(world, QUEUED)
    put, looked = world.put_document, []

    def putting(document: dict[str, Any]) -> None:
        looked.append([name for name, each in world.locations().items() if not each.is_loaded])
        put(document)

    world.put_document = putting  # type: ignore[method-assign]
    back(world, QUEUED)
    world.is_serverless()
    assert looked == [[]] * 10, "the next one was moved before the former one was loaded"


@pytest.mark.parametrize("way", [onward, backward])
def test_every_single_kill_is_walked_on_from_and_taken_back(tmp_path: Path, way: Any) -> None:
    fuse = 0
    while True:
        folder = tmp_path / str(fuse)
        folder.mkdir()
        world = World(folder, fuse=fuse)
        try:
            go(world, QUEUED)
        except Killed:
            world.fuse = None
            way(world, QUEUED)
        else:
            assert fuse > 200, "there were kills between all effects and lines, else this shows little"
            return
        if way is onward:
            world.is_hybrid()
        else:
            world.is_serverless()
        is_served_throughout(world)
        fuse += 1


def test_every_single_kill_of_the_way_back_is_walked_on_from(tmp_path: Path) -> None:
    fuse = 0
    while True:
        folder = tmp_path / str(fuse)
        folder.mkdir()
        world = World(folder)
        go(world, QUEUED)
        world.fuse = fuse
        try:
            switching(world).back()  # the journal knows how it was begun
        except Killed:
            world.fuse = None
            backward(world)
            world.is_serverless()
            is_served_throughout(world)
        else:
            assert fuse > 100
            return
        fuse += 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([onward, backward]), st.integers(0, 300)), max_size=5), st.booleans())
def test_killed_anywhere_any_number_of_times_it_ends_on_one_side(
    tmp_path_factory: pytest.TempPathFactory, walks: list[Any], forward: bool
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    for way, fuse in walks:
        world.fuse = fuse
        with contextlib.suppress(Killed):
            way(world, QUEUED)
    world.fuse = None
    (onward if forward else backward)(world, QUEUED)
    if forward:
        world.is_hybrid()
    else:
        world.is_serverless()
    is_served_throughout(world)


@pytest.mark.parametrize("trouble", ["does not load", "does not answer"])
def test_one_that_does_not_come_up_is_moved_back_alone(world: World, trouble: str) -> None:
    if trouble == "does not load":
        world.fails_to_load = {"location_7"}
    else:
        world.unanswered = {"location_7"}
    with pytest.raises(NotReadyError, match="location_7 did not come up on Hybrid, and was moved back") as refused:
        go(world, QUEUED)
    assert ("ImportError" in (refused.value.why or "")) is (trouble == "does not load"), "its error is told"
    assert world.told["location_7"] == serverless_document("location_7")
    assert world.locations()["location_7"].is_loaded, "Serverless was to have loaded it again"
    assert moved(world) == set(NAMES[:7]), "those before it stay where they are"
    assert world.type == "SERVERLESS"
    assert not world.lost, "the stack took it out of Dagster+ when it let go of it"
    assert world.queue == OwnQueue("hybrid", NAMES[:7]), "the next `up` of the stack would move it again"

    world.fails_to_load, world.unanswered = set(), set()
    go(world, QUEUED)
    world.is_hybrid()
    is_served_throughout(world)


def test_one_that_does_not_come_up_is_taken_back_with_all(world: World) -> None:
    world.fails_to_load = {"location_3"}
    with pytest.raises(NotReadyError):
        go(world, QUEUED)
    back(world)
    world.is_serverless()
    assert world.on == set(ON)
    is_served_throughout(world)


def test_every_kill_while_one_is_moved_back_leaves_a_way_on_and_a_way_back(tmp_path: Path) -> None:
    """The walk to the failure is long; the kills begin where the failing location is moved."""
    for way in (onward, backward):
        fuse = 0
        while True:
            folder = tmp_path / f"{fuse}-{way.__name__}"
            folder.mkdir()
            world = World(folder, fails_to_load={"location_0"})
            switching(world, QUEUED).forward(until="documents")
            world.fuse = fuse
            try:
                go(world, QUEUED)
            except Killed:
                world.fuse, world.fails_to_load = None, set()
                way(world, QUEUED)
                world.is_hybrid() if way is onward else world.is_serverless()
                is_served_throughout(world)
            except NotReadyError:
                assert fuse > 10
                break
            fuse += 1


def test_a_stop_is_no_failure_of_the_location_and_it_goes_on_there(world: World) -> None:
    switching(world, QUEUED).forward(until="documents")
    world.faults["up"] = [("after", StoppedError("Ctrl-C.", next_step="go on."))]
    with pytest.raises(StoppedError):
        go(world, QUEUED)
    assert moved(world) == {"location_0"}, "it was told already, and who stops it chooses the way"
    go(world, QUEUED)
    world.is_hybrid()


DROPPED = PlusUnreachable("The connection was closed.", reason="closed")


@pytest.mark.parametrize("method", ["locations", "agents", "put_document", "up", "ping", "set_agent_type", "resume"])
@pytest.mark.parametrize(
    "error", [DROPPED, ("after", DROPPED), PlusMaintenance("It is."), PlusForbidden("No."), PlusUnauthorized("No.")]
)
def test_whatever_dagster_plus_says_in_the_middle_it_goes_on_or_back(tmp_path: Path, method: str, error: Any) -> None:
    for way in (onward, backward):
        folder = tmp_path / way.__name__
        folder.mkdir()
        world = World(folder)
        switching(world, QUEUED).forward(until="documents")
        world.faults = {method: [error]}
        with contextlib.suppress(HybridError):
            go(world, QUEUED)
            back(world)
        world.faults.clear()
        way(world, QUEUED)
        world.is_hybrid() if way is onward else world.is_serverless()
        is_served_throughout(world)


@pytest.mark.parametrize("trouble", ["agent_comes", "hidden_before"])
def test_nothing_moves_to_an_agent_that_is_not_seen(world: World, trouble: str) -> None:
    setattr(world, trouble, trouble == "hidden_before")
    with pytest.raises(NotReadyError, match="does not show hybrid-prod as RUNNING"):
        go(world, QUEUED)
    assert moved(world) == set()
    assert "pause" not in world.calls
    back(world)
    world.is_serverless()


def test_a_queue_that_the_stack_file_has_is_used_and_stays_there_on_the_way_back(world: World) -> None:
    world.queue = OwnQueue("ours")
    go(world, QUEUED)
    world.is_hybrid()
    assert world.agent_queue == "ours"
    back(world)
    assert world.queue == OwnQueue("ours"), "it was the team's before"
    world.queue = None
    world.is_serverless()


def test_what_only_the_stack_has_is_taken_away_on_the_way_back(world: World) -> None:
    world.told.pop("location_9")
    go(world, QUEUED)
    assert moved(world) == set(NAMES)
    back(world)
    assert "location_9" not in world.told, "Serverless never ran it"


def test_what_only_the_stack_has_and_does_not_come_up_is_not_left_there(world: World) -> None:
    world.told.pop("location_9")
    world.fails_to_load = {"location_9"}
    with pytest.raises(NotReadyError, match="location_9"):
        go(world, QUEUED)
    assert "location_9" not in world.told


def test_a_switch_goes_on_and_back_as_it_was_begun_whatever_is_told_then(world: World) -> None:
    switching(world, QUEUED).forward(until="gate")
    switching(world, FAST).forward(resume=True)
    world.is_hybrid()
    assert moved(world) == set(NAMES), "the journal says by queue"
    found = read_journal(world.folder / "switch.jsonl")
    assert found is not None
    assert strategy_in(found[1]) is Strategy.BY_QUEUE
    switching(world, FAST).back()
    world.is_serverless()


def test_a_switch_that_waits_for_the_departure_is_not_done(world: World) -> None:
    world.stays = True
    choices = replace(QUEUED, serverless_stays="stop")
    with pytest.raises(NotReadyError, match="has not gone"):
        go(world, choices)
    found = read_journal(world.folder / "switch.jsonl")
    assert found is not None
    assert stage_of(found[1]) == "begun"
    assert world.on == set(ON), "an agent of another queue takes no work of it, so schedules need not wait"
    world.stays = False
    go(world, choices)
    world.is_hybrid()


def test_a_ping_that_is_rejected_is_said_in_its_words(world: World) -> None:
    world.faults["ping"] = [PlusRejected("No agent served it within 60 s.")]
    with pytest.raises(NotReadyError) as refused:
        go(world, QUEUED)
    assert "within 60 s" in (refused.value.why or "")


def test_values_are_safe_before_the_first_location_moves() -> None:
    names = [kind.name for kind in BY_QUEUE]
    assert names.index("verify_values") < names.index("documents") < names.index("move") < names.index("switch")
    assert names.index("move") < names.index("drain_rest") < names.index("switch"), "runs on Serverless end there"
    assert set(names) - {kind.name for kind in STEPS} == {"move", "drain_rest"}


def test_a_refused_first_look_leaves_the_choice_open(world: World) -> None:
    world.told["stranger"] = serverless_document("stranger")
    with pytest.raises(HybridError, match="stranger"):
        go(world, QUEUED)
    del world.told["stranger"]
    with pytest.raises(UsageError):
        switching(world, FAST).forward()
    switching(world, FAST).forward(resume=True)
    assert moved(world) == set(), "at once, as was told then"
    world.is_hybrid()
