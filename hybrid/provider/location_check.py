"""The ``LocationCheck`` resource: the statement that a code location passed the gate before its image is built."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from hybrid.delivery.gate.check import LocationToCheck, check_location
from hybrid.delivery.gate.definitions import SECONDS, LoadedCode
from hybrid.delivery.gate.findings import refusal, warnings_of
from hybrid.delivery.gate.given import GivenByStack
from hybrid.provider.definition import Anything, Definition, Failure, ListOf, MapOf, Number, Property, Text
from hybrid.provider.properties import UNKNOWN, Properties
from hybrid.provider.resource import Call, Existing
from hybrid.provider.statement import Statement

_SOURCES: Final = ("module_name", "package_name", "python_file", "autoload_defs_module_name")

DEFINITION: Final = Definition(
    name="LocationCheck",
    description="The statement that a code location passed the gate: its document by the agent's own schema, its "
    "definitions loaded with its own interpreter, its Dagster against the agent's. It is made again when an input "
    "changes. Nothing is run in a preview, and deleting it does nothing.",
    inputs={
        "name": Property(Text(), "the location's name"),
        "folder": Property(Text(absolute=True), "absolute path of the location's folder"),
        "executable": Property(Text(absolute=True), "absolute path of the Python of the location's environment"),
        "workingDirectory": Property(Text(absolute=True), "absolute path of the folder that Python imports from"),
        "codeSource": Property(MapOf(Text()), f"what Dagster loads: one of {', '.join(_SOURCES)}"),
        "document": Property(MapOf(Anything()), "the location's document as Dagster+ takes it"),
        "contentHash": Property(Text(), "names the code; the location is checked again when it changes"),
        "agentVersion": Property(
            Text(), "the agent's dagster-cloud release; default: not compared", required=False
        ),
        "environment": Property(
            MapOf(Text(empty=True)), "plain variables that the code may read while it is loaded", default={}
        ),
        "withheld": Property(
            ListOf(Text()),
            "names of variables that the code will have and the check has not, such as secrets: code that stops for "
            "lack of one is warned about",
            default=[],
        ),
        "platform": Property(
            Text(), "the stack's platform, whose container context must be right; default: none", required=False
        ),
        "networks": Property(
            ListOf(Text()), "the stack's own container networks; default: not compared", required=False
        ),
        "given": Property(
            MapOf(Anything()),
            "what the stack gives to all code, and asks of it: names of `tags`, `variables` and `secrets`, and "
            "`packages` with the reason; default: nothing",
            required=False,
        ),
        "pythonImage": Property(
            Text(), "the image that the location's is built on, as python:3.12-slim; default: not compared",
            required=False,
        ),
        "files": Property(
            ListOf(Text(absolute=True)),
            "absolute paths of the container context's files, overlays last; default: the folder's own",
            required=False,
        ),
        "attribute": Property(
            Text(), "the repository, or the function that returns one, in the code; default: all", required=False
        ),
        "timeoutSeconds": Property(
            Number(1, 3600), "how long the definitions may take to load, in seconds", default=int(SECONDS)
        ),
    },
    outputs={
        "passed": Property(Text(), "names what was checked: code, document and versions"),
        "findings": Property(ListOf(Text()), "what was warned about"),
    },
)  # fmt: skip


class LocationCheck(Statement):
    """See ``DEFINITION``. The id is the location's name."""

    definition = DEFINITION
    import_refusal = "It is a statement about code in a folder, and there is nothing to read it from."

    def check(self, inputs: Properties) -> list[Failure]:
        source = inputs["codeSource"]
        if isinstance(source, dict) and (len(source) != 1 or not source.keys() <= set(_SOURCES)):
            return [Failure("codeSource", f"must have exactly one of {', '.join(_SOURCES)}")]
        folder = inputs["folder"]
        if folder is not UNKNOWN and not Path(folder).is_dir():
            return [Failure("folder", f"must be a folder that exists, not '{folder}'")]
        return []

    def create(self, inputs: Properties, call: Call) -> Existing:
        """Check it. Raises one ``HybridError`` with all that is wrong; warnings are reported and kept."""
        location = _location(inputs)
        call.check()
        call.report.status("loading the definitions")
        found = check_location(location, call.wait)
        error = refusal(location.code.name, found)
        warnings = [finding.sentence() for finding in warnings_of(found)]
        for text in warnings:
            call.report.warning(text)
        if error is not None:
            raise error
        passed = hashlib.sha256(f"{inputs['contentHash']} {location.digest()}".encode()).hexdigest()
        return Existing(location.code.name, {"passed": passed, "findings": warnings})


def _location(inputs: Properties) -> LocationToCheck:
    code = LoadedCode(
        name=inputs["name"],
        folder=Path(inputs["folder"]),
        python=Path(inputs["executable"]),
        working_directory=Path(inputs["workingDirectory"]),
        code_source=inputs["codeSource"],
        attribute=inputs.get("attribute"),
        variables=inputs["environment"],
        withheld=frozenset(inputs["withheld"]),
    )
    return LocationToCheck(
        code=code,
        document={"location_name": code.name, **inputs["document"]},
        agent_version=inputs.get("agentVersion"),
        platform=inputs.get("platform"),
        networks=inputs.get("networks"),
        given=GivenByStack.parse(inputs.get("given")),
        python_image=inputs.get("pythonImage"),
        files=[Path(file) for file in inputs.get("files") or ()],
        seconds=inputs["timeoutSeconds"],
    )
