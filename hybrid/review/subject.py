"""What a review is about: one stack, at both ends of the change, whichever way it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid.engine.backend import is_personal
from hybrid.engine.stack import Stack
from hybrid.redaction import redact
from hybrid.review.base_tree import BaseTree
from hybrid.review.document import BuildFileDiff, StackReview
from hybrid.review.foreseen import Foreseen
from hybrid.review.parts import Parts
from hybrid.review.sides import build_file_diffs, costs
from hybrid.workspace import Workspace


@dataclass
class Subject:
    """``base`` None: there is nothing to compare with."""

    workspace: Workspace
    name: str
    base: BaseTree | None
    touched_by: Sequence[str]
    parts: Parts = field(default_factory=Parts)

    def at_base(self) -> Stack | None:
        """The stack at the base; None: it was not there, or cannot be read by the code of now. A personal file is in no
        commit, so it is taken as it is."""
        if self.base is None:
            return None
        workspace = self.base.workspace
        file = workspace.stack_file(self.name)
        if not file.exists() and is_personal(self.workspace, self.name):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text_of(self.workspace.stack_file(self.name)), encoding="utf-8")
        if not file.exists():
            return None
        found: Stack | None = self.parts.part("base", lambda: Stack.read(workspace, self.name), None)
        return found

    def unread(self) -> StackReview:
        """The review of a stack whose own file cannot be read."""
        return self._said(None, standing="failed")

    def review(self, head: Stack, base: Stack | None, seen: Foreseen, **parts: Any) -> StackReview:
        """What was seen, and what needs no looking: build files and costs."""
        nothing: tuple[BuildFileDiff, ...] = ()
        root = self.base.workspace.root if self.base else None
        build_files = self.parts.part(
            "build_files", lambda: build_file_diffs(head, self.workspace.root, base, root), nothing
        )
        dollars = self.parts.part("costs", lambda: costs(head, base), None)
        return self._said(
            head,
            steps=tuple(seen.steps),
            restarts=seen.restarts,
            images=tuple(sorted(seen.images, key=lambda image: image.location)),
            iam=tuple(seen.iam),
            build_files=build_files,
            costs=dollars,
            **parts,
        )

    def _said(self, head: Stack | None, **parts: Any) -> StackReview:
        who = head.who if head else None
        return StackReview(
            stack=self.name,
            environment=who.settings.environment if who else "",
            platform=who.settings.agent.kind if who else "",
            deployment=f"{who.endpoint.organization}/{who.endpoint.deployment}" if who else "",
            touched_by=tuple(redact(each) for each in self.touched_by),
            missing=tuple(self.parts.missing),
            **parts,
        )


def text_of(file: Path) -> str:
    """A stack file's text, whatever bytes it has."""
    return file.read_text(encoding="utf-8", errors="replace")
