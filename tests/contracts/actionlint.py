"""actionlint, a linter of GitHub's workflows: the one on PATH of this version, or built once from its Go module."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from hybrid.workspace import tools_folder

VERSION: Final = "1.7.12"
_MODULE: Final = f"github.com/rhysd/actionlint/cmd/actionlint@v{VERSION}"
_BUILD_SECONDS: Final = 600


class NoActionlint(Exception):
    """There is none, and none can be built; the text says why."""


def actionlint() -> Path:
    """The program. Raises ``NoActionlint``."""
    found = shutil.which("actionlint")
    if found and VERSION in _says(Path(found)):
        return Path(found)
    built = tools_folder() / "actionlint" / VERSION / "actionlint"
    if not built.exists():
        _build(built)
    return built


def lint(files: list[Path]) -> str:
    """What it finds, one finding a line; empty when all is well. Without shellcheck and pyflakes, so that it finds the
    same on every machine."""
    done = subprocess.run(
        [str(actionlint()), "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"actionlint ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _build(place: Path) -> None:
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if go is None:
        raise NoActionlint(f"neither actionlint {VERSION} nor Go, to build it, is on PATH")
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one builds
        if place.exists():
            return
        done = subprocess.run(
            [go, "install", _MODULE],
            env={**os.environ, "GOBIN": str(place.parent / "new"), "GOWORK": "off", "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        if done.returncode:
            raise NoActionlint(f"`go install {_MODULE}` failed: {done.stderr.strip().splitlines()[-1:]}")
        (place.parent / "new" / "actionlint").replace(place)


def _says(program: Path) -> str:
    return subprocess.run([str(program), "-version"], capture_output=True, text=True, check=False).stdout
