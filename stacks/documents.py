"""What Dagster+ is told of a stack's locations, on each platform. Pure: the program and the command line both read it,
so that a branch deployment and a comparison have the documents that `up` sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import location_document
from stacks.identity import StackIdentity
from stacks.platform_facts import facts_of
from stacks.stored_values import in_context


def document_of_image(
    who: StackIdentity, folder: CodeLocationFolder, image: str, *, full: bool = True
) -> dict[str, Any]:
    """Of a location that runs from ``image``, by an agent that runs containers. ``full``: whether it is for the full
    deployment; the code of a branch deployment must not write over its stored values."""
    document = location_document(folder, image=image, platform=who.settings.agent.kind)
    facts_of(who).complete(document, folder.name)
    return in_context(who, document) if full else document


def document_of_folder(who: StackIdentity, folder: CodeLocationFolder, executable: Path | str) -> dict[str, Any]:
    """Of a location that runs from its folder; ``executable`` is the Python of its environment."""
    return location_document(
        folder,
        platform=who.settings.agent.kind,
        executable_path=str(executable),
        working_directory=str(folder.working_directory),
    )
