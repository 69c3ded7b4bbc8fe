"""Dagster+ told of a stack's locations right after the hand-over, before the update that would do it: agents load while
the engine is still looking at what stands. The update finds them told and leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hybrid.delivery.document import content_hash
from hybrid.delivery.document_form import normal
from hybrid.delivery.told import Told, write_told
from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of, is_complete
from hybrid.engine.stack import Stack

if TYPE_CHECKING:
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.engine import Engine
    from hybrid.plus import PlusClient
    from hybrid.workspace import Workspace

_AT_ONCE: Final = 16
"""As many as the engine does: an agent that hears of one alone loads that one, and the others only after it."""
_IMAGES: Final = ("image", "published")
"""What the program calls the resource of a location's image, behind the location's name (stacks/containers.py)."""


@dataclass(frozen=True)
class Foreseen:
    """What an update will say of a location. ``content`` names the code behind a document that does not change with
    it."""

    document: Mapping[str, Any]
    content: str | None


@dataclass
class EarlyTelling:
    """``file`` is where the update finds what was told."""

    workspace: Workspace
    stack: str
    client: PlusClient
    engine: Engine
    file: Path

    @cached_property
    def foreseen(self) -> Mapping[str, Foreseen]:
        """By location; it takes the state of the stack, and so some time. Those are left out of which it cannot be
        known. Empty, too, for a stack with variables, which have to be there before code is loaded, and for one whose
        locations go over by a queue."""
        read = Stack.read(self.workspace, self.stack)
        settings = read.who.settings
        if settings.environment_variables or settings.own_queue is not None:
            return {}
        images = self._images(read.folders) if settings.agent.needs_images else {}
        found = {}
        for folder in read.folders:
            if settings.agent.needs_images and folder.name in images:
                found[folder.name] = Foreseen(read.document(folder, image=images[folder.name]), None)
            elif not settings.agent.needs_images:
                spec = VirtualEnvironmentSpec.of_location(folder, self.workspace)
                if is_complete(spec.path):
                    document = read.document(folder, executable=executable_of(spec.path))
                    found[folder.name] = Foreseen(document, content_hash(folder.folder))
        return found

    def tell(self) -> list[str]:
        """All at once; the names. What already stands as it is to be is not sent again.

        Raises ``HybridError`` when Dagster+ refuses one, or Serverless runs the deployment: what is told then would be
        Serverless's.
        """
        foreseen = self.foreseen
        if not foreseen:
            return []
        self.client.current_deployment().refuse_serverless()
        before = self.client.location_documents()
        missing = [
            {**each.document, "location_name": name}
            for name, each in foreseen.items()
            if each.content is not None or normal(before.get(name) or {}) != normal(each.document)
        ]
        with ThreadPoolExecutor(_AT_ONCE) as beside:
            list(beside.map(self.client.put_location, missing))
        after = self.client.location_documents()
        told = {
            name: Told.of(each.document, after[name], each.content) for name, each in foreseen.items() if name in after
        }
        write_told(self.file, told)
        return sorted(told)

    def _images(self, folders: Sequence[CodeLocationFolder]) -> dict[str, str]:
        names = [f"{folder.name}-{each}" for folder in folders for each in _IMAGES]
        outputs = self.engine.all_outputs_of(names)
        found = {}
        for name, said in outputs.items():
            if isinstance(reference := said.get("reference"), str):
                found[name.rpartition("-")[0]] = reference
        return found
