"""The ``VirtualEnvironment`` resource: a Python environment named by what is installed in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of, is_complete
from hybrid.provider.definition import Definition, Failure, ListOf, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties, has_unknown, reveal
from hybrid.provider.resource import Call, Existing, Resource

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
        if found or has_unknown(inputs) or outputs.get("path") == str(_spec(reveal(inputs)).path):
            return found
        # the same files are named, but they say something else now
        return [Change("path", "update", replaces=False)]

    def foreseen(self, inputs: Properties) -> Properties:
        return _outputs(_spec(inputs).path)

    def create(self, inputs: Properties, call: Call) -> Existing:
        path = _spec(inputs).ensure(call.report.status, call.wait)
        return Existing(id=str(path), outputs=_outputs(path))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        path = Path(outputs["path"])
        return Existing(id=id, outputs=_outputs(path)) if is_complete(path) else None

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: another stack may use the same folder, and nobody here can know."""


def _spec(inputs: Properties) -> VirtualEnvironmentSpec:
    lock = inputs.get("lock")
    return VirtualEnvironmentSpec(
        parent=Path(inputs["parent"]),
        requirements=tuple(inputs["requirements"]),
        lock=Path(lock) if lock else None,
        python=str(inputs.get("python") or sys.executable),
    )


def _outputs(path: Path) -> dict[str, Any]:
    return {"path": str(path), "executable": str(executable_of(path))}
