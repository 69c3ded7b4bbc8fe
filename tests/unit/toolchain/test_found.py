"""Which Pulumi is taken of those that are there. Commands are answered by a stand-in; that a real Pulumi answers
`version` so is proved by the slow build."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hybrid.toolchain import MINIMUM_PULUMI, Pulumi, find_pulumi
from hybrid.toolchain.machine import Answer

if TYPE_CHECKING:
    from tests.unit.toolchain.conftest import World

pytestmark = pytest.mark.unit


def _taken(world: World) -> Pulumi:
    found = find_pulumi(world.machine)
    assert found is not None, "one of those that are there can be used"
    return found


def test_the_persons_own_pulumi_comes_first(world: World) -> None:
    world.kept("3.300.0")
    own = world.pulumi_on_path("v3.272.0")
    assert find_pulumi(world.machine) == Pulumi(own, "3.272.0", "path", own.parent), (
        "who has Pulumi has chosen its version"
    )


@pytest.mark.parametrize("version", ["v3.258.9", "v2.999.0", "3.1.0-alpha.3+dirty"])
def test_one_that_is_too_old_is_passed_over(world: World, version: str) -> None:
    world.pulumi_on_path(version)
    kept = world.kept(MINIMUM_PULUMI)
    assert _taken(world).executable == kept, "an engine older than what is tested is not used"


def test_one_without_its_python_host_is_passed_over(world: World) -> None:
    world.pulumi_on_path("v3.272.0", host=False)
    assert find_pulumi(world.machine) is None, "without the host no Python program runs"


def test_a_host_beside_what_a_link_points_to_counts(world: World, tmp_path: Path) -> None:
    real = world.program(tmp_path / "elsewhere", "pulumi")
    world.program(tmp_path / "elsewhere", "pulumi-language-python")
    world.runner.tell("pulumi", "version", answer=Answer(0, "v3.272.0"))
    (world.path / "pulumi").symlink_to(real)
    assert _taken(world).origin == "path", "Pulumi looks beside its real file too"


def test_its_version_is_asked_once_until_the_file_changes(world: World) -> None:
    own = world.pulumi_on_path("v3.272.0")
    for _ in range(3):
        find_pulumi(world.machine)
    assert len(world.runner.asked) == 1, "each asking costs a fifth of a second of every command"
    world.pulumi_on_path("v3.280.0")
    os.utime(own, ns=(1, 1))
    assert _taken(world).version == "3.280.0", "an upgrade of Pulumi must be seen"


def test_a_pulumi_that_cannot_say_its_version_is_passed_over(world: World) -> None:
    world.pulumi_on_path("mise ERROR no version set")
    assert find_pulumi(world.machine) is None, "a shim without a version is no Pulumi"


def test_the_version_is_known_even_where_nothing_can_be_kept(world: World) -> None:
    world.tools.write_text("a file where the folder should be")
    world.pulumi_on_path("v3.272.0")
    assert find_pulumi(world.machine) is not None, "a read-only home must not stop who has Pulumi"


def test_a_spoilt_cache_of_versions_is_asked_anew(world: World) -> None:
    world.tools.mkdir()
    (world.tools / "versions.json").write_text("{half")
    world.pulumi_on_path("v3.272.0")
    assert find_pulumi(world.machine) is not None, "a cache may be lost at any time"


def test_what_was_built_keeps_its_origin_when_its_folder_is_on_path(world: World) -> None:
    kept = world.kept("3.259.0", '{"origin": "build"}')
    world.path = kept.parent
    assert _taken(world).origin == "build", "the engine skips look-ups by the origin"


def test_the_newest_of_those_kept_is_taken_as_numbers_go(world: World) -> None:
    world.kept("3.272.0")
    newest = world.kept("3.1000.0")
    assert _taken(world).executable == newest, "1000 is newer than 272 though it sorts before"


@pytest.mark.parametrize("record", ["", "{half", "[]", '{"origin": "somewhere"}'])
def test_one_that_is_not_whole_is_not_taken(world: World, record: str) -> None:
    world.kept("3.272.0", record)
    assert find_pulumi(world.machine) is None, "the record is written last: without it something is missing"


def test_nothing_there_is_no_pulumi(world: World) -> None:
    assert find_pulumi(world.machine) is None, "on a new machine there is none, and that is no error"
    assert not world.tools.exists(), "looking makes nothing"
