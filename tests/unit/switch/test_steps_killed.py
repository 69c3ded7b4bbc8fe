"""A switch on a world in memory that is killed at every moment, in both directions."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.switch.mortal import backward, go, onward, switching
from tests.unit.switch.situation import Killed
from tests.unit.switch.world import World

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_disk")]


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
