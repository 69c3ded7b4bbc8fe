"""Variables that a switch takes over from Serverless, on a world in memory: told before, put back on the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.errors import SettingsError
from hybrid.switch.choices import Choices
from hybrid.switch.plan import Strategy
from tests.unit.switch.mortal import FAST, back, backward, go, switching
from tests.unit.switch.situation import Killed
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]

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
