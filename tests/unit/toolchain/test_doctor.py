"""What the doctor finds on machines that lack something. It does not prove that the versions asked for suffice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hybrid.toolchain import doctor
from hybrid.toolchain.machine import Answer, Machine
from hybrid.toolchain.version import Version
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from tests.unit.toolchain.conftest import World

pytestmark = pytest.mark.unit


def _environment(root: Path, *, compiled: bool = True) -> Workspace:
    dagster = root / ".venv" / "lib" / "python3.11" / "site-packages" / "dagster" / "__pycache__"
    dagster.mkdir(parents=True)
    if compiled:
        (dagster / "__init__.cpython-311.pyc").touch()
    return Workspace(root)


def test_a_machine_that_has_everything_has_nothing_to_do(world: World, tmp_path: Path) -> None:
    workspace = _environment(tmp_path)
    world.pulumi_on_path("v3.272.0")
    for name, said in {"uv": "uv 0.13.9", "git": "git version 2.39.5", "docker": "28.5.1"}.items():
        world.program(world.path, name)
        world.runner.tell(name, answer=Answer(0, said))
    findings = {finding.name: finding for finding in doctor.check_machine(workspace, world.machine)}
    wanting = {name for name, finding in findings.items() if finding.status != "ok" and not name.startswith("disk")}
    assert wanting == set(), "disk space is this machine's; all else was given"
    assert "3.272.0" in findings["pulumi"].detail, "people compare versions first"


def test_what_is_wanting_has_a_next_step(world: World, tmp_path: Path) -> None:
    findings = doctor.check_machine(Workspace(tmp_path), world.machine)
    assert {"environment", "uv", "pulumi"} <= {item.name for item in findings if item.status == "missing"}, (
        "a new machine lacks them"
    )
    assert all(item.next_step for item in findings if item.status != "ok"), "a finding without a next step is a riddle"


@pytest.mark.parametrize(("version", "status"), [((3, 10, 13), "missing"), ((3, 11, 0), "ok"), ((3, 14, 0), "missing")])
def test_python_must_be_one_that_dagster_takes(version: tuple[int, int, int], status: str) -> None:
    assert doctor.python_version(Version(*version)).status == status, "pyproject.toml says 3.11 to 3.13"


def test_a_shell_that_keeps_no_bytecode_is_told_of(world: World) -> None:
    machine = Machine(environ={"PYTHONDONTWRITEBYTECODE": "1"}, tools=world.tools, run=world.runner)
    assert doctor.bytecode_written(machine).status == "warning", "it costs three times the start of each process"


def test_an_environment_without_bytecode_is_told_of(tmp_path: Path) -> None:
    assert doctor.bytecode_present(_environment(tmp_path, compiled=False)).status == "warning", "it works, slowly"


@pytest.mark.parametrize("said", [Answer(0, "uv 0.8.22"), Answer(1, "broken")])
def test_a_uv_that_is_old_or_broken_is_missing(world: World, tmp_path: Path, said: Answer) -> None:
    world.program(world.path, "uv")
    world.runner.tell("uv", "--version", answer=said)
    assert doctor.uv(Workspace(tmp_path), world.machine).status == "missing", "environments could not be made"


def test_a_pulumi_that_is_too_old_is_named(world: World) -> None:
    world.pulumi_on_path("v3.1.0")
    assert "3.1.0" in doctor.pulumi(world.machine).detail, "the reader wonders why theirs is not taken"


def test_a_go_is_asked_for_only_where_pulumi_is_missing(world: World) -> None:
    assert doctor.go(world.machine).status == "warning", "the download may still succeed"
    world.kept("3.272.0")
    assert doctor.go(world.machine).status == "ok", "who has Pulumi needs no Go"


def test_a_docker_without_its_daemon_is_a_warning(world: World) -> None:
    world.program(world.path, "docker")
    world.runner.tell("docker", "version", answer=Answer(1, "Cannot connect to the Docker daemon"))
    assert doctor.docker(world.machine).status == "warning", "the local stack needs none"


def test_room_is_measured_where_a_folder_would_be_made(tmp_path: Path) -> None:
    wanted = tmp_path / "not" / "yet"
    assert doctor.disk_space(wanted, "disk", 0).status == "ok", "a folder that is not there yet has room above it"
    assert doctor.disk_space(wanted, "disk", 10**18).status == "warning", "nobody has an exabyte free"
    assert not wanted.exists(), "looking makes nothing"


def test_a_folder_that_cannot_be_made_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert doctor.writable(tmp_path / "file" / "folder", "tools").status == "missing", "a file stands in its way"
    assert doctor.writable(tmp_path / "folder", "tools").status == "ok", "it can be made"
