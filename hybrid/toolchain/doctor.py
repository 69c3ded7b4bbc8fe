"""What can be known about this machine before anything starts: one finding for each thing, with its next step.

Nothing is changed and no network is asked. What an organization says about itself is asked elsewhere.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hybrid.toolchain.build import go_refusal
from hybrid.toolchain.machine import Machine
from hybrid.toolchain.pulumi import MINIMUM_PULUMI, RouteError, find_pulumi, on_path
from hybrid.toolchain.version import Version
from hybrid.workspace import Workspace

Status = Literal["ok", "warning", "missing"]

GIGABYTE: Final = 10**9
ROOM_TO_WORK: Final = 2 * GIGABYTE
"""State, logs and the environments of a few code locations."""
ROOM_TO_BUILD: Final = 6 * GIGABYTE
"""Go's module cache (1.4 GB) and build cache (about 3 GB) while Pulumi is built, and the room to work."""

OLDEST_PYTHON: Final = Version(3, 11, 0)
FIRST_PYTHON_TOO_NEW: Final = Version(3, 14, 0)
OLDEST_UV: Final = Version(0, 9, 0)


@dataclass(frozen=True)
class Finding:
    """``missing``: this will not work; ``warning``: something will be slow or fail later.

    ``next_step`` is None when there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    next_step: str | None = None


def check_machine(workspace: Workspace, machine: Machine | None = None) -> list[Finding]:
    """Everything that is looked at on this machine, in the order in which it is needed."""
    machine = machine or Machine.this()
    return [
        python_version(Version(*sys.version_info[:3])),
        bytecode_written(machine),
        bytecode_present(workspace),
        uv(workspace, machine),
        git(machine),
        pulumi(machine),
        go(machine),
        docker(machine),
        disk_space(workspace.root, "disk of the checkout", ROOM_TO_WORK),
        disk_space(machine.tools, "disk of the tools", ROOM_TO_WORK if find_pulumi(machine) else ROOM_TO_BUILD),
        writable(workspace.private, "writing .hybrid"),
        writable(machine.tools, "writing the tools folder"),
    ]


def python_version(version: Version) -> Finding:
    if OLDEST_PYTHON <= version < FIRST_PYTHON_TOO_NEW:
        return Finding("python", "ok", f"{version} ({platform.system()} {platform.machine()})")
    return Finding("python", "missing", f"{version}; 3.11, 3.12 or 3.13 is needed", "install one, then `make setup`.")


def bytecode_written(machine: Machine) -> Finding:
    if not machine.environ.get("PYTHONDONTWRITEBYTECODE"):
        return Finding("bytecode is kept", "ok", "PYTHONDONTWRITEBYTECODE is not set")
    return Finding(
        "bytecode is kept",
        "warning",
        "PYTHONDONTWRITEBYTECODE is set: without kept bytecode an import of Dagster takes about three times as long",
        "unset it in your shell; make and what hybrid starts do without it already.",
    )


def bytecode_present(workspace: Workspace) -> Finding:
    folders = list(workspace.virtualenv.glob("lib/python3.*/site-packages/dagster"))
    if not folders:
        return Finding(
            "environment", "missing", f"{workspace.virtualenv} has no Dagster", "`make setup` makes the environment."
        )
    if any(any((folder / "__pycache__").glob("*.pyc")) for folder in folders):
        return Finding("environment", "ok", f"{workspace.virtualenv}, with compiled bytecode")
    return Finding(
        "environment",
        "warning",
        f"{workspace.virtualenv} has no compiled bytecode; every process starts slowly",
        "`make clean setup` makes it anew, compiled.",
    )


def uv(workspace: Workspace, machine: Machine) -> Finding:
    own = workspace.virtualenv / "bin" / "uv"
    found = own if own.exists() else machine.which("uv")
    step = "`make setup` puts it into .venv."
    if found is None:
        return Finding("uv", "missing", "it makes the environments of code locations", step)
    version = _asked(found, machine)
    if version is None or version < OLDEST_UV:
        return Finding("uv", "missing", f"{found} is {version or 'broken'}; {OLDEST_UV} or newer is needed", step)
    return Finding("uv", "ok", f"{version}, {found}")


def git(machine: Machine) -> Finding:
    found = machine.which("git")
    version = found and _asked(found, machine)
    if found is None or version is None:
        return Finding(
            "git", "warning", "branches and commits cannot be told", "install git (git-scm.com or your system's)."
        )
    return Finding("git", "ok", f"{version}, {found}")


def pulumi(machine: Machine) -> Finding:
    found = find_pulumi(machine)
    if found is not None:
        where = {"path": "found on PATH", "download": "downloaded", "build": "built from Go modules"}[found.origin]
        return Finding("pulumi", "ok", f"{found.version}, {where}: {found.executable}")
    try:
        on_path(machine)
        reason = "there is none"
    except RouteError as error:
        reason = str(error)
    step = f"`hybrid tools install` gets {MINIMUM_PULUMI} or newer."
    return Finding("pulumi", "missing", f"on PATH: {reason}; nothing is kept in {machine.tools}", step)


def go(machine: Machine) -> Finding:
    """Only a machine that has no Pulumi, and cannot download it, needs Go."""
    if find_pulumi(machine) is not None:
        return Finding("go", "ok", "not needed: Pulumi is there")
    reason = go_refusal(machine)
    if reason is None:
        return Finding("go", "ok", "can build Pulumi where it cannot be downloaded")
    return Finding(
        "go", "warning", f"Pulumi can be downloaded but not built: {reason}", "install Go, if the download fails too."
    )


def docker(machine: Machine) -> Finding:
    """Images of code locations are built with it; the local stack does without."""
    found = machine.which("docker")
    if found is None:
        return Finding("docker", "warning", "not on PATH; containers need it", "install it for images.")
    answer = machine.run([str(found), "version", "--format", "{{.Server.Version}}"], machine.environ, seconds=5)
    if answer.code != 0:
        return Finding("docker", "warning", "no engine answers; only stacks with containers need one", "start it.")
    return Finding("docker", "ok", f"{answer.output.strip()}, {found}")


def disk_space(folder: Path, name: str, needed: int) -> Finding:
    """``needed`` in bytes."""
    free = shutil.disk_usage(_nearest(folder)).free
    said = f"{free / GIGABYTE:.1f} GB free for {folder}"
    if free >= needed:
        return Finding(name, "ok", said)
    return Finding(name, "warning", f"{said}; {needed / GIGABYTE:.0f} GB may be needed", "free some space.")


def writable(folder: Path, name: str) -> Finding:
    nearest = _nearest(folder)
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Finding(name, "ok", str(folder))
    return Finding(name, "missing", f"{nearest} cannot be written", "mend its owner or permissions.")


def _nearest(folder: Path) -> Path:
    """``folder``, or the one above it in which it would be made."""
    return next(candidate for candidate in (folder.absolute(), *folder.absolute().parents) if candidate.exists())


def _asked(executable: Path, machine: Machine) -> Version | None:
    answer = machine.run([str(executable), "--version"], machine.environ, seconds=10)
    return Version.within(answer.output) if answer.code == 0 else None
