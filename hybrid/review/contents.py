"""What a change does to contents that no input of a resource tells: of images, of locations' code, of environments.
Told from the names of changed files alone, so that nothing is built, hashed or asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import is_code
from hybrid.delivery.images.content import ignore_rules
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.selection import Changes
from hybrid.engine.recording import CHECKOUT
from hybrid.engine.stack import Stack

_PROJECT_FILES: Final = frozenset({"pyproject.toml", "setup.cfg", "setup.py"})
"""What of a requirement that is a folder says what is installed (hybrid/delivery/virtualenv.py)."""
_WHOLE: Final = "(the whole folder)"
"""A submodule is one entry to git."""


@dataclass(frozen=True)
class ChangedContents:
    """``marks``: by name of a resource, the paths in it that differ. ``folders``: by folder of code, with ``CHECKOUT``
    for the checkout's, what changed in it."""

    marks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, root: Path, changes: Changes) -> ChangedContents:
        """``root``: the checkout. Raises ``HybridError`` for a .dockerignore that cannot be read."""
        found = cls()
        own = stack.who.settings.agent.image_folder
        for folder in stack.folders:
            if folder.kind == "folder":
                found._take(stack, folder, root, changes)
        if own is not None:
            context = root / own
            spec = ImageSpec(repository="agent", context=context, dockerfile=context / "Dockerfile")
            found._mark("agent-image", _sent(spec, changes))
        return found

    def _take(self, stack: Stack, folder: CodeLocationFolder, root: Path, changes: Changes) -> None:
        code = [each for each in _below(folder.folder, changes) if each == _WHOLE or is_code(PurePosixPath(each))]
        if code:
            self.folders[_named(folder.folder, root)] = "\n".join(code)
        if any(_installed_anew(folder, changes)):
            self._mark(f"{folder.name}-environment", ["path"])
        if stack.who.settings.agent.needs_images and not folder.image:
            self._mark(f"{folder.name}-image", _sent(stack.image_spec(folder), changes))

    def _mark(self, resource: str, paths: Sequence[str]) -> None:
        if paths:
            self.marks[resource] = tuple(paths)


def _sent(spec: ImageSpec, changes: Changes) -> list[str]:
    """Changed files of a build context, as the resource names them; and a Dockerfile that is not among them."""
    rules = ignore_rules(spec)
    inside = [each for each in _below(spec.context, changes) if each == _WHOLE or not rules.leaves_out(each)]
    files = [f'files["{each}"]' for each in inside]
    dockerfile = spec.dockerfile
    own = dockerfile is not None and any(changes.repository / path == dockerfile.resolve() for path in changes.paths)
    known = dockerfile is not None and dockerfile.name in inside
    return [*files, *(["dockerfile"] if own and not known else [])]


def _installed_anew(folder: CodeLocationFolder, changes: Changes) -> Iterator[bool]:
    """Whether what an environment is made from says something else, though it is named alike."""
    changed = {changes.repository / path for path in changes.paths}
    if folder.lock is not None:
        yield folder.lock.resolve() in changed
    for requirement in folder.requirements:
        path = Path(requirement.partition(" ")[2].strip() if requirement.startswith("-") else requirement)
        if path.is_absolute():
            yield path.resolve() in changed
            yield any((path.resolve() / name) in changed for name in _PROJECT_FILES)


def _below(folder: Path, changes: Changes) -> list[str]:
    """Changed files in ``folder``, relative to it."""
    inside = folder.resolve()
    found = []
    for path in changes.paths:
        changed = changes.repository / path
        if changed.is_relative_to(inside) and changed != inside:
            found.append(changed.relative_to(inside).as_posix())
        elif inside.is_relative_to(changed):
            found.append(_WHOLE)
    return found


def _named(folder: Path, root: Path) -> str:
    return str(folder).replace(str(root), CHECKOUT).replace(str(root.resolve()), CHECKOUT)
