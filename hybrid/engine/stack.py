"""A stack as the command line knows it without starting the engine: from its file and its locations' folders."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.served import served_locations
from stacks.settings import from_file

if TYPE_CHECKING:
    from hybrid.delivery.gate.given import GivenByStack
    from hybrid.delivery.images.spec import ImageSpec


@dataclass(frozen=True)
class Stack:
    """Who the stack is to Dagster+, and what it serves there."""

    who: StackIdentity
    folders: tuple[CodeLocationFolder, ...]

    @classmethod
    def read(cls, workspace: Workspace, name: str) -> Stack:
        """Raises ``SettingsError`` for a wrong stack file or location, as the program would, before it is started."""
        who = identity(workspace, name)
        return cls(who, served_locations(workspace, who))

    @property
    def location_names(self) -> tuple[str, ...]:
        """The locations that the stack registers: while it only prepares those alone that its own queue was given."""
        return tuple(folder.name for folder in self.folders if self.who.settings.registers(folder.name))

    def location(self, name: str) -> CodeLocationFolder:
        """The location of that name. Raises ``UsageError`` with the names that there are."""
        names = {folder.name: folder for folder in self.folders}
        if name in names:
            return names[name]
        near = difflib.get_close_matches(name, names, n=1)
        raise UsageError(
            f"The stack '{self.who.stack}' has no code location '{name}'.",
            why=f"It has: {', '.join(names) or 'none'}.",
            next_step=f"did you mean {near[0]}?" if near else "name one of them.",
        )

    @property
    def given(self) -> GivenByStack:
        """What the stack gives to the code of all locations, and asks of it."""
        from stacks.given import given_by

        return given_by(self.who)

    def document(
        self,
        folder: CodeLocationFolder,
        *,
        image: str | None = None,
        executable: Path | None = None,
        full: bool = True,
    ) -> dict[str, Any]:
        """What `up` tells Dagster+ of ``folder``: by its ``image`` where the agent runs containers, else by the
        ``executable`` of its environment on this machine. ``full``: whether it is for the full deployment."""
        from stacks.documents import document_of_folder, document_of_image

        if image is not None:
            return document_of_image(self.who, folder, image, full=full)
        if executable is None:
            raise TypeError("a location runs from an image, or by an interpreter")
        return document_of_folder(self.who, folder, executable)

    def image_spec(self, folder: CodeLocationFolder) -> ImageSpec:
        """What the image of ``folder`` is built from. Raises ``SettingsError``: the stack has no registry."""
        from stacks.images import image_spec

        return image_spec(self.who, folder)


def stack_names(workspace: Workspace) -> list[str]:
    """The stacks that have a file, by name."""
    files = workspace.stack_files.glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def environments(workspace: Workspace) -> dict[str, list[str]]:
    """The stacks of each environment. Those whose file is wrong are nobody's: the others are not held up by them.

    Raises ``SettingsError`` when all that there are are wrong.
    """
    found: dict[str, list[str]] = {}
    wrong: list[SettingsError] = []
    for name in stack_names(workspace):
        try:
            found.setdefault(identity(workspace, name).settings.environment, []).append(name)
        except SettingsError as error:
            wrong.append(error)
    if wrong and not found:
        raise wrong[0]
    return found


def identity(workspace: Workspace, stack: str) -> StackIdentity:
    """Who the stack is to Dagster+. Raises ``SettingsError`` for a missing or wrong stack file."""
    return StackIdentity.of(stack, from_file(workspace.stack_file(stack), stack=stack), workspace)
