"""The gate itself: all checks of one code location, those that do not depend on each other at the same time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.gate.definitions import SECONDS, LoadedCode, check_definitions
from hybrid.delivery.gate.findings import Finding, errors_first
from hybrid.delivery.gate.given import GivenByStack
from hybrid.delivery.gate.places import Places
from hybrid.delivery.gate.schema import check_document
from hybrid.delivery.gate.versions import Installed, check_versions, python_of_image
from hybrid.delivery.sources import Source, Toml
from hybrid.delivery.virtualenv import Wait

BASE_ARGUMENT: Final = "PYTHON_IMAGE"
"""The build argument by which a Dockerfile takes its base from the stack."""

CONTEXT_FILE: Final = "container_context.yaml"


@dataclass(frozen=True)
class LocationToCheck:
    """A code location, and what it is to go together with."""

    code: LoadedCode
    document: Mapping[str, Any]
    """As Dagster+ would take it."""
    agent_version: str | None = None
    """The agent's dagster-cloud. None: not known, not compared."""
    platform: str | None = None
    """The stack's, as ``docker``. None, or ``local``: one without a container context."""
    networks: Sequence[str] | None = None
    """The stack's own container networks. None: not known, not compared."""
    python_image: str | None = None
    """The base that images are built on, as ``python:3.12-slim``. None: not known, not compared."""
    given: GivenByStack = field(default_factory=GivenByStack)
    """What the stack gives to all code, and asks of it."""
    files: Sequence[Path] = ()
    """Files that the container context was read from, overlays after the base; empty: the folder's own."""
    seconds: float = SECONDS
    """How long the definitions may take to load."""

    def digest(self) -> str:
        """Names what is checked, but for the code itself."""
        parts = [self.document, self.agent_version, self.platform, self.python_image, dict(self.code.variables)]
        parts += [given] if (given := self.given.document()) else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def check_location(location: LocationToCheck, wait: Wait = time.sleep) -> list[Finding]:
    """Everything that the checks of document, definitions and versions find. It runs the location's code."""
    code = location.code
    installed = Installed.of_environment(code.python, tuple(location.given.packages))
    found = check_versions(
        code.name,
        installed,
        location.agent_version,
        requires_python=_requires_python(code.folder),
        image_python=_image_python(code.folder, location.python_image),
        packages=location.given.packages,
    )
    with ThreadPoolExecutor(1) as beside:
        document = beside.submit(check_document_of, location)
        if "dagster" in installed.packages:  # without it nothing more would be said than that it is missing
            found += check_definitions(code, seconds=location.seconds, wait=wait)
        return errors_first([*document.result(), *found])


def check_document_of(location: LocationToCheck) -> list[Finding]:
    """What the check of the document alone finds: all that can be known of an image built elsewhere."""
    places = Places.of(location.files or [location.code.folder / CONTEXT_FILE])
    return check_document(
        location.document, location.platform, places, networks=location.networks, given=location.given
    )


def _image_python(folder: Path, python_image: str | None) -> str | None:
    """The Python of the image to be built; a Dockerfile of the location's own may choose its base itself."""
    source = Source.read(folder / "Dockerfile", folder=folder)
    chosen = source is None or BASE_ARGUMENT in source.text
    return python_of_image(python_image) if python_image and chosen else None


def _requires_python(folder: Path) -> str | None:
    source = Source.read(folder / "pyproject.toml", folder=folder)
    said = (Toml(source).table("project") or {}).get("requires-python") if source else None
    return said if isinstance(said, str) else None
