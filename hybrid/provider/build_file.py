"""The ``BuildFile`` resource: keys of a ``build.yaml``, in a checkout, that say how an environment's image is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hybrid.errors import HybridError
from hybrid.provider.checkout_file import CheckoutFile, digest, path_fault
from hybrid.provider.definition import Anything, Definition, Failure, Flag, ListOf, MapOf, Property, Text
from hybrid.provider.properties import UNKNOWN, Properties
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.provider.yaml_edit import edited, parsed

DEFINITION: Final = Definition(
    name="BuildFile",
    description="Keys of a build.yaml in a checkout. Other keys and all comments stay. Deleting removes the file only "
    "if this resource made it and nobody changed it since.",
    inputs={
        "checkout": Property(Text(absolute=True), "absolute path of the checkout's folder", replaces=True),
        "path": Property(Text(), "the file's path in it, with slashes, ending in .yaml or .yml", replaces=True),
        "values": Property(MapOf(Anything()), "the keys to set, as `registry` and `directory`"),
    },
    outputs={
        "contentDigest": Property(Text(), "names the file's text as it was last seen"),
        "isOurs": Property(Flag(), "whether this resource made the file and nobody else changed it"),
        "managedKeys": Property(ListOf(Text()), "the keys that were set"),
    },
)


class BuildFile(Resource):
    """See ``DEFINITION``. The id is the file's path."""

    definition = DEFINITION
    import_refusal = "Which of a file's keys a stack is to manage cannot be read from the file."

    def check(self, inputs: Properties) -> list[Failure]:
        found = []
        fault = path_fault(inputs["path"]) if inputs["path"] is not UNKNOWN else None
        if fault is not None:
            found.append(Failure("path", f"{fault}, not '{inputs['path']}'"))
        checkout = inputs["checkout"]
        if checkout is not UNKNOWN and not Path(checkout).is_dir():
            found.append(Failure("checkout", f"must be a folder that exists, not '{checkout}'"))
        return found

    def create(self, inputs: Properties, call: Call) -> Existing:
        file = _file(inputs)
        present = file.read()
        return _written(file, present, inputs["values"], (), is_ours=present is None)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        file = _file(inputs)
        present = file.read() if Path(inputs["checkout"]).is_dir() else None
        if present is None:
            return None
        held = parsed(present, str(file))
        is_ours = bool(outputs.get("isOurs")) and digest(present) == outputs.get("contentDigest")
        # dates and the like, which YAML has and a state has not, as text
        picked = json.loads(json.dumps({key: held[key] for key in inputs["values"] if key in held}, default=str))
        drifted = {} if picked == inputs["values"] else {"values": picked}
        keys = [key for key in outputs.get("managedKeys", ()) if key in held]
        return Existing(id, _outputs(present, keys, is_ours=is_ours), drifted)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        file = _file(inputs)
        present = file.read()
        if present is not None and digest(present) != outputs.get("contentDigest"):
            raise HybridError(
                f"{file} changed since it was looked at.",
                why="What was written there meanwhile was in no preview.",
                next_step="run `up` again with a refresh (`hybrid up` does one): it shows what differs and goes on "
                "from it.",
            )
        # only what this resource once set may be taken out again
        gone = [key for key in outputs.get("managedKeys", ()) if key not in inputs["values"]]
        return _written(file, present, inputs["values"], gone, is_ours=present is None or bool(outputs.get("isOurs")))

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        file = _file(inputs)
        present = file.read() if Path(inputs["checkout"]).is_dir() else None
        if present is None:
            return
        if outputs.get("isOurs") and digest(present) == outputs.get("contentDigest"):
            file.delete(expected=present)
        else:
            call.report.warning(f"{file} stays: this stack did not make it, or somebody changed it since")


def _file(inputs: Properties) -> CheckoutFile:
    return CheckoutFile(Path(inputs["checkout"]), inputs["path"])


def _written(
    file: CheckoutFile, present: str | None, values: Properties, gone: list[str] | tuple[()], *, is_ours: bool
) -> Existing:
    text = edited(present or "", values, gone, str(file))
    if text != present:
        file.write(text, expected=present)
    return Existing(str(file), _outputs(text, list(values), is_ours=is_ours))


def _outputs(text: str, keys: list[str], *, is_ours: bool) -> dict[str, Any]:
    return {"contentDigest": digest(text), "isOurs": is_ours, "managedKeys": sorted(keys)}
