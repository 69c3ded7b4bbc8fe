"""Pulumi that is not there: the ways to it, in order, and what is left behind. Go, the installer and the network are
stand-ins; the real build is a slow test of tier `program`."""

from __future__ import annotations

import fcntl
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hybrid.errors import ToolchainError
from hybrid.toolchain import Pulumi, ensure_pulumi, find_pulumi
from hybrid.toolchain.build import ENGINE, ENGINE_VERSION, needed_go
from hybrid.toolchain.machine import Answer

if TYPE_CHECKING:
    from tests.unit.toolchain.conftest import World

pytestmark = pytest.mark.unit

PARTS = {"pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"}


def _reachable(world: World, *, host: bool = True, code: int = 0) -> None:
    """Pulumi's site answers, and its installer does what ``code`` says."""

    def install(command: Sequence[str], _folder: Path | None) -> Answer:
        folder = Path(command[-1]) / "bin"
        world.program(folder, "pulumi")
        if host:
            world.program(folder, "pulumi-language-python")
        return Answer(code, "curl: (22) The requested URL returned error: 403" if code else "")

    world.reason = None
    world.runner.tell(Path(sys.executable).name, "-c", answer=install)


def _left_over(world: World) -> list[str]:
    return sorted(path.name for path in (world.tools / "pulumi").glob(".*"))


def test_the_download_is_put_in_its_place_whole(world: World) -> None:
    _reachable(world)
    pulumi = ensure_pulumi(world.reports.append, world.machine)
    assert pulumi.origin == "download", "Pulumi's own release is the first choice"
    assert pulumi.executable.exists(), "what is handed out is there"
    assert find_pulumi(world.machine) == pulumi, "what was got is found again"
    assert _left_over(world) == [], "the partial folder is gone"


@pytest.mark.parametrize(("host", "code"), [(True, 1), (False, 0)])
def test_a_download_that_fails_leaves_nothing_and_the_build_is_next(world: World, host: bool, code: int) -> None:
    _reachable(world, host=host, code=code)
    world.go()
    pulumi = ensure_pulumi(world.reports.append, world.machine)
    assert pulumi.origin == "build", "where the download fails the build is tried"
    assert _left_over(world) == [], "half a download must not be found later"


def test_the_download_replaces_an_unfinished_folder_of_its_version(world: World) -> None:
    rest = world.program(world.tools / "pulumi" / version("pulumi") / "bin", "rest")
    _reachable(world)
    ensure_pulumi(world.reports.append, world.machine)
    assert not rest.exists(), "files of an unfinished try do not mix with a whole one"


def test_the_build_puts_every_part_in_one_folder(world: World) -> None:
    world.go()
    pulumi = ensure_pulumi(world.reports.append, world.machine)
    folder = world.tools / "pulumi" / ENGINE_VERSION / "bin"
    assert pulumi == Pulumi(folder / "pulumi", ENGINE_VERSION, "build", folder), "the caller is told where it is"
    assert {path.name for path in folder.iterdir()} == PARTS, "Pulumi finds its helpers beside itself"
    assert all(path.stat().st_mode & 0o111 for path in folder.iterdir()), "each part is a program"
    assert (folder / "pulumi-language-python-exec").read_text() == "host\n", "the helper is of the host's release"
    assert (folder / "pulumi-resource-pulumi-python").read_text() == "engine\n", "dynamic providers are of the engine's"


def test_the_build_is_held_against_the_hashes_and_keeps_the_persons_settings(world: World) -> None:
    world.go()
    ensure_pulumi(world.reports.append, world.machine)
    builds = [command for command in world.runner.asked if command[:2] == ["go", "build"]]
    assert all("-mod=readonly" in command for command in builds), "go.mod and go.sum decide, nothing else"
    for environ in world.runner.environments:
        assert environ["GOFLAGS"] == "-buildvcs=false", "how this machine uses Go is its owner's business"
        assert environ["GOWORK"] == "off", "a workspace around us would build its own modules"
        assert "GOOS" not in environ, "it is to run on this machine"


def test_an_interrupted_build_goes_on_where_it_was(world: World) -> None:
    world.go()
    working = world.runner.answers["go", "build"]

    def interrupted(command: Sequence[str], folder: Path | None) -> Answer:
        if command[-1] == ENGINE.package:
            Path(command[command.index("-o") + 1]).write_text("half")
            raise KeyboardInterrupt
        return working(command, folder)

    world.runner.tell("go", "build", answer=interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensure_pulumi(world.reports.append, world.machine)
    assert find_pulumi(world.machine) is None, "half a toolchain is none"
    assert _left_over(world) == [], "Ctrl-C leaves no half files"
    world.runner.tell("go", "build", answer=working)
    world.runner.asked.clear()
    ensure_pulumi(world.reports.append, world.machine)
    again = [command[-1] for command in world.runner.asked if command[1] in ("build", "mod")]
    assert again == [ENGINE.package], "what was done is not done again"


@pytest.mark.parametrize(
    ("go", "toolchain", "enough"),
    [
        ("1.26.8", "local", True),
        ("1.25.11", "local", True),
        ("1.25.10", "local", False),
        ("1.25.10", "auto", True),
        ("1.21.0", "go1.21.0+auto", True),
        ("1.21.0", "go1.21.0", False),
        ("1.19.8", "", False),
    ],
)
def test_a_go_is_enough_when_it_is_new_or_may_fetch_a_newer(
    world: World, go: str, toolchain: str, enough: bool
) -> None:
    world.go(go, toolchain)
    if enough:
        assert ensure_pulumi(world.reports.append, world.machine).origin == "build", "this Go can build it"
        return
    with pytest.raises(ToolchainError) as raised:
        ensure_pulumi(world.reports.append, world.machine)
    assert f"go is {go}; {needed_go()} or newer is needed" in str(raised.value), "the reader learns which Go"


def test_when_all_ways_fail_the_error_names_each_with_its_reason(world: World) -> None:
    world.pulumi_on_path("v3.1.0")
    with pytest.raises(ToolchainError) as raised:
        ensure_pulumi(world.reports.append, world.machine)
    why = raised.value.why or ""
    for way, reason in {
        "Pulumi on PATH": "pulumi is 3.1.0; 3.259.0 or newer is needed",
        "the tools folder": "nothing of version 3.259.0",
        "Pulumi's download": "get.pulumi.com is not reachable: no such host",
        "from Go modules": "it needs Go, which is not on PATH",
    }.items():
        line = next((line for line in why.splitlines() if way in line), "")
        assert reason in line, f"'{way}' is one way, and its own reason is what helps"
    assert "install Pulumi" in (raised.value.next_step or ""), "the reader learns what to install"
    assert raised.value.exit_code == 4, "docs/cli.md promises it"


def test_a_build_that_fails_says_gos_own_words(world: World) -> None:
    world.go()
    world.runner.tell("go", "build", answer=Answer(1, "go: x@v1: verifying module: checksum mismatch"))
    with pytest.raises(ToolchainError, match="checksum mismatch"):
        ensure_pulumi(world.reports.append, world.machine)
    assert _left_over(world) == [], "the workshop is cleared"


def test_of_two_at_once_the_second_waits_and_takes_what_the_first_got(world: World) -> None:
    world.tools.mkdir()
    waiting, results = threading.Event(), []

    def report(line: str) -> None:
        world.reports.append(line)
        waiting.set()

    with (world.tools / "lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: results.append(ensure_pulumi(report, world.machine)), daemon=True)
        second.start()
        assert waiting.wait(20), "the second says that it waits"
        kept = world.kept("3.272.0")
    second.join(20)
    assert [pulumi.executable for pulumi in results] == [kept], "it takes what the first got"
    assert world.reports == ["Another command is getting Pulumi; waiting for it"], "it does nothing else"


def test_a_folder_that_cannot_be_made_is_said_with_the_setting_that_moves_it(world: World) -> None:
    world.tools.write_text("a file where the folder should be")
    with pytest.raises(ToolchainError, match="HYBRID_TOOLS"):
        ensure_pulumi(world.reports.append, world.machine)
