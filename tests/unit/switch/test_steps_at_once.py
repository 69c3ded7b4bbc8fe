"""Two switches at the same time on worlds in memory: of one deployment, of two deployments, on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.errors import StackBusyError
from hybrid.plus import PlusForbidden
from hybrid.switch import claim as claims
from hybrid.switch.choices import Choices
from hybrid.switch.work import Marker
from tests.unit.switch.mortal import FAST, back, go, switching
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]


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
