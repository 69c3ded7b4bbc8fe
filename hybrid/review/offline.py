"""The review of one stack without any credentials: the program of the head and that of the base are run with nobody
behind them, and what they ask for is compared. For pull requests from forks.

What this cannot tell is said in the review itself: what stands, what Dagster+ has, which images are there, what AWS
makes of a change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.selection import Changes, changes_since
from hybrid.engine.events import UNKNOWN
from hybrid.engine.exported_state import ExportedState
from hybrid.engine.recorded_changes import RecordedChanges, recorded_changes
from hybrid.engine.recording import Program, Recording, StackConfig, record
from hybrid.engine.stack import Stack
from hybrid.errors import HybridError, SettingsError
from hybrid.redaction import redact
from hybrid.review.base_tree import BaseTree
from hybrid.review.contents import ChangedContents
from hybrid.review.document import LocationReview, Missing, PartName, StackReview
from hybrid.review.foreseen import Foreseen
from hybrid.review.sides import location_reviews
from hybrid.review.subject import Subject, text_of
from hybrid.workspace import Workspace

AS_IT_IS: Final = "(as it is)"
"""What stands for an image or an interpreter that is the same at base and head: offline nobody knows its digest."""
MADE_BY_THE_CHANGE: Final = "(made by this change)"
"""What stands for one that is not."""

_WITH_CREDENTIALS: Final = "`hybrid review` with credentials looks at it."
LIMITS: Final = (
    Missing(
        part="preview",
        why="Made offline: the program of the change was run without an engine and compared with that of the base. "
        "What really stands was not looked at, and of most updates it is not known whether they make the thing anew.",
        next_step=_WITH_CREDENTIALS,
    ),
    Missing(
        part="dagster_plus",
        why="Dagster+ was not asked: what the base would tell it is compared with what the change would.",
    ),
    Missing(part="policies", why="The policy pack was not run."),
)
"""What no offline review has, of any stack."""

_LOCATION: Final = "dagsterhybrid:index:CodeLocation"
# Types of ours whose outputs end up in what Dagster+ is told, and the output.
_MADE_UP: Final = {
    "dagsterhybrid:index:LocationImage": "reference",
    "dagsterhybrid:index:VirtualEnvironment": "executable",
}
_HOW_IMAGES_ARE_BUILT: Final = "hybrid/delivery/images/"
_SHOWN: Final = 10


def review_stack_offline(
    workspace: Workspace, stack: str, *, base: BaseTree, touched_by: Sequence[str], state: Path | None = None
) -> StackReview:
    """What the working tree would do to ``stack``, as far as the program alone tells it. Asks nobody: no network, no
    credentials, no Pulumi, no engine of Docker; only git, of this checkout.

    ``base``: where the base's files lie, with its program where the change touches programs (``BaseTree.whole``); else
    the head's is run over the base's settings, which is the same program. ``state``: a folder with ``STACK.json`` as
    `hybrid review export` writes it; what it names stands. A ``HybridError`` becomes part of the review.
    """
    begun = time.monotonic()
    found = _Work(Subject(workspace, stack, base, touched_by), base, state).review()
    return found.model_copy(update={"seconds": round(time.monotonic() - begun, 1)})


@dataclass
class _Work:
    subject: Subject
    base: BaseTree
    state: Path | None
    seen: Foreseen = field(default_factory=Foreseen)
    locations: tuple[LocationReview, ...] = ()

    def __post_init__(self) -> None:
        self.workspace, self.name, self.parts = self.subject.workspace, self.subject.name, self.subject.parts

    def review(self) -> StackReview:
        try:
            head = Stack.read(self.workspace, self.name)
        except HybridError as error:
            self.parts.lacks("preview", error)
            return self.subject.unread()
        base = self.subject.at_base()
        standing = self._compared(head)
        return self.subject.review(head, base, self.seen, standing=standing, locations=self.locations)

    # the two programs

    def _compared(self, head: Stack) -> str:
        """Takes what differs, and gives the stack's standing."""
        try:
            changes = changes_since(self.workspace.root, self.base.commit)
            contents = ChangedContents.of(head, self.workspace.root, changes)
            programs = self._programs(contents)
        except HybridError as error:
            self.parts.lacks("preview", error)
            return "failed"
        with ThreadPoolExecutor(max_workers=len(programs)) as pool:
            asked = [pool.submit(record, program) for program in programs]
            new = self.parts.part("preview", asked[0].result, None)
            old = self.parts.part("base", asked[1].result, None) if len(asked) > 1 else None
        exported = self._exported()
        if new is None:
            return "failed"
        if len(programs) > 1 and old is None and exported is None:
            self.parts.lacks("preview", _nothing_to_compare_with(self.name))
            return "failed"
        self._take(old, new, contents, exported)
        self._limits(new, changes, exported)
        is_new = not exported.resources if exported else len(programs) == 1
        return "new" if is_new else "present"

    def _programs(self, contents: ChangedContents) -> list[Program]:
        """The head's, and the base's if the stack was there."""
        text, file = text_of(self.workspace.stack_file(self.name)), self.base.workspace.stack_file(self.name)
        former = text_of(file) if file.exists() else None
        marks = {resource: "\n".join(paths) for resource, paths in contents.marks.items()}
        root = self.workspace.root
        head = Program(root, root, self.name, StackConfig.of_file(text, former), marks, contents.folders)
        if former is None:
            return [head]
        settings = self.base.workspace.root
        code = settings if self.base.whole else root
        return [head, Program(code, settings, self.name, StackConfig.of_file(former, None))]

    def _exported(self) -> ExportedState | None:
        if self.state is None:
            return None
        folder = self.state
        found: ExportedState | None = self.parts.part("preview", lambda: ExportedState.read(folder, self.name), None)
        return found

    def _take(
        self, old: Recording | None, new: Recording, contents: ChangedContents, exported: ExportedState | None
    ) -> None:
        found = recorded_changes(
            old, new, marks=contents.marks, standing=exported.standing if exported is not None else None
        )
        for event in found.events:
            self.seen(event)
        self._untold(found)
        before, wanted = _documents(old), _documents(new, old)
        if old is not None or not self.base.workspace.stack_file(self.name).exists():
            self.locations = location_reviews(before, wanted, frozenset(before))

    # what it is not

    def _untold(self, found: RecordedChanges) -> None:
        if found.untold:
            names = ", ".join(str(each) for each in found.untold[:_SHOWN])
            more = f" and {len(found.untold) - _SHOWN} more" if len(found.untold) > _SHOWN else ""
            self._says(
                "preview", f"Whether these change cannot be told, for the base has nothing of them: {names}{more}."
            )

    def _limits(self, new: Recording, changes: Changes, exported: ExportedState | None) -> None:
        """Those of this stack; ``LIMITS`` has those of every offline review."""
        if exported is not None:
            self._says(
                "preview", f"What is created and deleted is told by names that were exported {exported.exported_at}."
            )
        if new.asked:
            named = ", ".join(sorted({each.rpartition(":")[2] for each in new.asked}))
            self._says("preview", f"What the program looks up in a cloud or in other stacks was made up: {named}.")
        if any(self._is_below(path, _HOW_IMAGES_ARE_BUILT, changes) for path in changes.paths):
            self._says("images", "The change is also in how images are built, which only a build tells.")

    def _is_below(self, path: Path, folder: str, changes: Changes) -> bool:
        return (changes.repository / path).is_relative_to(self.workspace.root.resolve() / folder)

    def _says(self, part: PartName, why: str) -> None:
        self.parts.missing.append(Missing(part=part, why=redact(why), next_step=_WITH_CREDENTIALS))


def _documents(recording: Recording | None, base: Recording | None = None) -> dict[str, Mapping[str, Any]]:
    """By location, what Dagster+ would be told, with words for what is made up in it. ``base``: the recording with
    which it is compared; None: it is that itself."""
    if recording is None:
        return {}
    known = set(_made_up(base or recording))
    words = {text: AS_IT_IS if text in known else MADE_BY_THE_CHANGE for text in _made_up(recording)}
    return {
        str(each.inputs.get("name")): _said(each.inputs.get("document"), words) for each in recording.of_type(_LOCATION)
    }


def _made_up(recording: Recording) -> list[str]:
    found = [each.outputs.get(_MADE_UP[each.type]) for each in recording.resources if each.type in _MADE_UP]
    return [text for text in found if isinstance(text, str)]


def _said(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return "(known after the update)" if value == UNKNOWN else words.get(value, value)
    if isinstance(value, Mapping):
        return {key: _said(item, words) for key, item in value.items()}
    return [_said(item, words) for item in value] if isinstance(value, list) else value


def _nothing_to_compare_with(stack: str) -> SettingsError:
    return SettingsError(
        "The program of the base could not be run, so there is nothing to compare with.",
        next_step=f"give --state DIR with {stack}.json of `hybrid review export`, or review with credentials.",
    )
