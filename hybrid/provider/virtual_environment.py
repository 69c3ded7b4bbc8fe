"""The ``VirtualEnvironment`` resource: a Python environment named by what is installed in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hybrid.errors import HybridError
from hybrid.provider.definition import Definition, Failure, ListOf, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties, has_unknown, reveal
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.redaction import redact

DEFINITION: Final = Definition(
    name="VirtualEnvironment",
    description="A Python virtual environment in a folder named by the hash of what is installed: the same "
    "dependencies give the same environment, at no cost. It is a cache: deleting the resource leaves the folder.",
    inputs={
        "parent": Property(Text(absolute=True), "absolute path of the folder that holds the environments"),
        "requirements": Property(ListOf(Text()), "requirements as pip takes them (PEP 508, or `-e path`)"),
        "lock": Property(
            Text(absolute=True), "absolute path of a requirements file that pins versions", required=False
        ),
        "python": Property(
            Text(), "interpreter, or version such as 3.12, that uv finds; default: the provider's own", required=False
        ),
    },
    outputs={
        "path": Property(Text(), "absolute path of the environment"),
        "executable": Property(Text(), "absolute path of its Python"),
    },
)

_PROJECT_FILES: Final = ("pyproject.toml", "setup.cfg", "setup.py")
_OUTPUT_LINES: Final = 30
_POLL: Final = 0.2
_DONE: Final = ".complete"


class VirtualEnvironment(Resource):
    """See ``DEFINITION``. The id is the environment's path."""

    definition = DEFINITION
    import_refusal = "What was asked for cannot be read from what is installed."

    def check(self, inputs: Properties) -> list[Failure]:
        lock = inputs.get("lock")
        if isinstance(lock, str) and not Path(lock).is_file():
            return [Failure("lock", f"must be a file that exists, not '{lock}'")]
        return []

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        if found or has_unknown(inputs) or outputs.get("path") == str(_path(reveal(inputs))):
            return found
        # the same files are named, but they say something else now
        return [Change("path", "update", replaces=False)]

    def foreseen(self, inputs: Properties) -> Properties:
        return _outputs(_path(inputs))

    def create(self, inputs: Properties, call: Call) -> Existing:
        path = _path(inputs)
        if not _complete(path):
            _build(path, inputs, call)
        return Existing(id=str(path), outputs=_outputs(path))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        path = Path(outputs["path"])
        return Existing(id=id, outputs=_outputs(path)) if _complete(path) else None

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: another stack may use the same folder, and nobody here can know."""


def _path(inputs: Properties) -> Path:
    lock = inputs.get("lock")
    parts = {
        "requirements": sorted(_identity(requirement) for requirement in inputs["requirements"]),
        "lock": _content(Path(lock)) if lock else None,
        "python": _interpreter(inputs),
        "platform": sys.platform,
    }
    return Path(inputs["parent"]) / hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _identity(requirement: str) -> str:
    """The requirement, and for one that is a path what it says there: the path alone does not tell it."""
    path = Path(requirement.partition(" ")[2].strip() if requirement.startswith("-") else requirement)
    if path.is_file():
        return f"{requirement} {_content(path)}"
    described = [path / name for name in _PROJECT_FILES] if path.is_absolute() else []
    return " ".join([requirement, *(_content(file) for file in described if file.is_file())])


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _interpreter(inputs: Properties) -> str:
    return str(inputs.get("python") or sys.executable)


def _outputs(path: Path) -> dict[str, Any]:
    return {"path": str(path), "executable": str(path / "bin" / "python")}


def _complete(path: Path) -> bool:
    return (path / _DONE).is_file() and (path / "bin" / "python").exists()


def _build(path: Path, inputs: Properties, call: Call) -> None:
    """Build beside the final place, then rename: two builds at once are harmless, a killed one is never used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    uv = _uv()
    try:
        call.report.status("making a virtual environment")
        # relocatable: its scripts must work after the rename
        _run([uv, "venv", "--relocatable", "--allow-existing", "--python", _interpreter(inputs), str(building)], call)
        call.report.status(f"installing {len(inputs['requirements'])} requirements")
        if arguments := _arguments(inputs):
            _run([*_install_command(uv, building / "bin" / "python"), *arguments], call)
        (building / _DONE).touch()
        _take_place(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _install_command(uv: str, python: Path) -> list[str]:
    # without compiled bytecode each start of a code server pays for the compilation again
    return [uv, "pip", "install", "--compile-bytecode", "--python", str(python)]


def _arguments(inputs: Properties) -> list[str]:
    arguments = ["--requirement", inputs["lock"]] if inputs.get("lock") else []
    for requirement in inputs["requirements"]:
        editable, _, path = requirement.partition(" ")
        arguments += ["--editable", path.strip()] if editable in {"-e", "--editable"} else [requirement]
    return arguments


def _take_place(building: Path, path: Path) -> None:
    try:
        building.rename(path)
    except OSError:
        if _complete(path):
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


def _run(command: Sequence[str], call: Call) -> None:
    """Run to its end, or to a cancellation. Raises ``HybridError`` with the end of what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                call.wait(_POLL)
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
        next_step="mend the location's requirements (its pyproject.toml or lock), or the network, and run `up` again.",
    )
