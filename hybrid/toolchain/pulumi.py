"""The Pulumi CLI that is already there: on PATH, or among the tools that were got earlier.

Layout of the tools folder: ``pulumi/<version>/bin/…`` with ``pulumi/<version>/installed.json``, written last, which
says that all of it is there and where it came from.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from hybrid.toolchain.machine import Machine
from hybrid.toolchain.version import Version

Origin = Literal["path", "download", "build"]

MINIMUM_PULUMI: Final = "3.259.0"
"""The oldest engine this is tested with."""

PYTHON_HOST: Final = "pulumi-language-python"
"""Runs Pulumi programs in Python; `pulumi` finds it beside itself or on PATH."""

_MINIMUM: Final = Version.within(MINIMUM_PULUMI) or Version(0, 0, 0)
_RECORD: Final = "installed.json"


@dataclass(frozen=True)
class Pulumi:
    """A usable Pulumi CLI: ``version`` like ``3.259.0``; ``bin_folder`` is to be on PATH when it runs."""

    executable: Path
    version: str
    origin: Origin
    bin_folder: Path


class RouteError(Exception):
    """This way to Pulumi does not lead there; the text is the reason, in words for people."""


def find_pulumi(machine: Machine | None = None) -> Pulumi | None:
    """The Pulumi to use, if one is there: the person's own first. No network; the second time it runs nothing."""
    machine = machine or Machine.this()
    for route in (on_path, installed):
        try:
            return route(machine)
        except RouteError:
            continue
    return None


def on_path(machine: Machine) -> Pulumi:
    """The person's own. Raises ``RouteError`` when it is missing, too old or without its Python host."""
    executable = machine.which("pulumi")
    if executable is None or kept_here(machine) in executable.resolve().parents:
        raise RouteError("there is none")
    version = _version_of(executable, machine)
    if version < _MINIMUM:
        raise RouteError(f"{executable} is {version}; {MINIMUM_PULUMI} or newer is needed")
    beside = (executable.parent, executable.resolve().parent)
    if not any((folder / PYTHON_HOST).exists() for folder in beside) and machine.which(PYTHON_HOST) is None:
        raise RouteError(f"{executable} comes without {PYTHON_HOST}, which runs programs in Python")
    return Pulumi(executable, str(version), "path", executable.parent)


def installed(machine: Machine) -> Pulumi:
    """The newest that was got earlier. Raises ``RouteError`` when there is none."""
    found = [pulumi for folder in kept_here(machine).glob("[0-9]*") if (pulumi := _recorded(folder)) is not None]
    usable = {version: pulumi for pulumi in found if (version := Version.within(pulumi.version))}
    if not usable or max(usable) < _MINIMUM:
        raise RouteError(f"nothing of version {MINIMUM_PULUMI} or newer is kept there")
    return usable[max(usable)]


def kept_here(machine: Machine) -> Path:
    """The folder of the versions that were got."""
    return machine.tools / "pulumi"


def record(folder: Path, origin: Origin) -> None:
    """Say that the version in ``folder`` is whole."""
    _write_json(folder / _RECORD, {"origin": origin})


def _recorded(folder: Path) -> Pulumi | None:
    said, executable = _read_json(folder / _RECORD), folder / "bin" / "pulumi"
    origin = said.get("origin")
    if origin not in ("download", "build") or not executable.exists() or not (folder / "bin" / PYTHON_HOST).exists():
        return None
    return Pulumi(executable, folder.name, origin, executable.parent)


def _version_of(executable: Path, machine: Machine) -> Version:
    """What ``pulumi version`` says. It takes 0.2 s, so the answer is kept until the file changes."""
    file, about = machine.tools / "versions.json", executable.stat()
    known, now = _read_json(file), {"changed": about.st_mtime_ns, "size": about.st_size}
    before = known.get(str(executable))
    if isinstance(before, dict) and {**before, **now} == before and (version := Version.within(str(before["version"]))):
        return version
    environ = {**machine.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    answer = machine.run([str(executable), "version"], environ, seconds=20)
    found = Version.within(answer.output)
    if answer.code != 0 or found is None:
        raise RouteError(f"`{executable} version` does not say which it is: {answer.last_words}")
    with suppress(OSError):  # a folder that cannot be written costs 0.2 s a call; `hybrid doctor` says so
        _write_json(file, {**known, str(executable): {**now, "version": str(found)}})
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)
