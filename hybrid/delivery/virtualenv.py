"""Python environments of code locations, named by what is installed in them: the same dependencies give the same
folder, at no cost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hybrid.errors import HybridError
from hybrid.redaction import redact

if TYPE_CHECKING:
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.workspace import Workspace

Say = Callable[[str], None]
"""Takes a line of progress."""

Wait = Callable[[float], None]
"""Sleeps so many seconds; it may raise, when the person stops the work."""

_PROJECT_FILES: Final = ("pyproject.toml", "setup.cfg", "setup.py")
_OUTPUT_LINES: Final = 30
_POLL: Final = 0.2
_DONE: Final = ".complete"


@dataclass(frozen=True)
class VirtualEnvironmentSpec:
    """What an environment holds. The same spec is the same folder, on every path that leads to one."""

    parent: Path
    """The folder that holds the environments, absolute."""
    requirements: tuple[str, ...]
    """As pip takes them: PEP 508, or ``-e path``."""
    lock: Path | None = None
    """A requirements file that pins versions."""
    python: str = sys.executable
    """An interpreter, or a version such as 3.12, that uv finds."""

    @classmethod
    def of_location(
        cls, location: CodeLocationFolder, workspace: Workspace, further: Sequence[str] = ()
    ) -> VirtualEnvironmentSpec:
        """The environment in which the location runs on this machine, with ``further`` requirements if need be."""
        return cls(
            parent=workspace.environments,
            requirements=tuple(dict.fromkeys((*location.requirements, *further))),
            lock=location.lock,
            python=str(workspace.python),
        )

    @property
    def path(self) -> Path:
        """The environment's folder. Reads the lock, and the project files of requirements that are paths."""
        parts = {
            "requirements": sorted(_identity(requirement) for requirement in self.requirements),
            "lock": _content(self.lock) if self.lock else None,
            "python": _interpreter(self.python),
            "platform": sys.platform,
        }
        return self.parent / hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def ensure(self, say: Say, wait: Wait) -> Path:
        """The folder, made if need be. Raises ``HybridError`` with the end of what uv said."""
        path = self.path
        if not is_complete(path):
            self._build(path, say, wait)
        return path

    def _build(self, path: Path, say: Say, wait: Wait) -> None:
        """Build beside the final place, then rename: two builds at once are harmless, a killed one is never used."""
        path.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        uv = _uv()
        try:
            say("making a virtual environment")
            # relocatable: its scripts must work after the rename
            _run([uv, "venv", "--relocatable", "--allow-existing", "--python", self.python, str(building)], wait)
            say(f"installing {len(self.requirements)} requirements")
            if arguments := self._arguments():
                _run([*_install_command(uv, building / "bin" / "python"), *arguments], wait)
            (building / _DONE).touch()
            _take_place(building, path)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _arguments(self) -> list[str]:
        arguments = ["--requirement", str(self.lock)] if self.lock else []
        for requirement in self.requirements:
            editable, _, path = requirement.partition(" ")
            arguments += ["--editable", path.strip()] if editable in {"-e", "--editable"} else [requirement]
        return arguments


def executable_of(path: Path) -> Path:
    """The Python of the environment at ``path``."""
    return path / "bin" / "python"


def is_complete(path: Path) -> bool:
    """Whether an environment was made at ``path`` to its end, and its interpreter is still there."""
    return (path / _DONE).is_file() and executable_of(path).exists()


def _interpreter(python: str) -> str:
    """The program itself: an environment is made on that, whichever other environment's link leads to it, and on
    another one when the link does."""
    path = Path(python)
    return str(path.resolve()) if path.is_absolute() else python


def _identity(requirement: str) -> str:
    """The requirement, and for one that is a path what it says there: the path alone does not tell it."""
    path = Path(requirement.partition(" ")[2].strip() if requirement.startswith("-") else requirement)
    if path.is_file():
        return f"{requirement} {_content(path)}"
    described = [path / name for name in _PROJECT_FILES] if path.is_absolute() else []
    return " ".join([requirement, *(_content(file) for file in described if file.is_file())])


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _install_command(uv: str, python: Path) -> list[str]:
    # without compiled bytecode each start of a code server pays for the compilation again
    return [uv, "pip", "install", "--compile-bytecode", "--python", str(python)]


def _take_place(building: Path, path: Path) -> None:
    try:
        building.rename(path)
    except OSError:
        if is_complete(path):
            return  # another build was faster
        # what stands there is the remains of something broken
        shutil.rmtree(path, ignore_errors=True)
        building.rename(path)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise HybridError(
            "uv is missing.",
            why="Virtual environments are made with uv, which this project's own environment contains.",
            next_step="run `make setup` in this checkout.",
        )
    return found


def _run(command: Sequence[str], wait: Wait) -> None:
    """Run to its end, or until ``wait`` raises. Raises ``HybridError`` with the end of what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                wait(_POLL)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
        if process.returncode == 0:
            return
        output.seek(0)
        said = "\n".join(output.read().splitlines()[-_OUTPUT_LINES:])
    raise HybridError(
        "The virtual environment could not be made.",
        why=f"{Path(command[0]).name} {command[1]} said:\n{redact(said)}",
        next_step="mend the location's requirements (its pyproject.toml or lock), or the network, and run it again.",
    )
