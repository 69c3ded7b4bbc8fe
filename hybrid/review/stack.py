"""The review of one stack: its program previewed by the real engine on a copy of its state, and beside that what needs
no engine. What cannot be looked at is named; the rest is told all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.engine.copied import CopiedStack
from hybrid.engine.engine import Listener
from hybrid.engine.events import Event
from hybrid.engine.stack import Stack
from hybrid.engine.state_copy import WITHHELD
from hybrid.errors import HybridError, SettingsError, StoppedError
from hybrid.plus import Patience, PlusClient, api_token
from hybrid.redaction import redact
from hybrid.review.base_tree import BaseTree
from hybrid.review.document import LocationReview, PolicyFinding, StackReview
from hybrid.review.foreseen import Foreseen
from hybrid.review.sides import location_reviews
from hybrid.review.subject import Subject, text_of
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

TO_BE_BUILT: Final = "(built by this change)"
"""What stands for an image that is not there yet."""
TO_BE_MADE: Final = "(made by this change)"
"""What stands for the interpreter of an environment that is not there yet."""

# a reviewer waits: a Dagster+ that does not answer within some seconds is a missing part
_PATIENCE: Final = Patience(attempts=3, wait_seconds=4, connect_seconds=5, answer_seconds=20)


def review_stack(
    workspace: Workspace,
    stack: str,
    *,
    pulumi: Pulumi,
    environ: Mapping[str, str],
    base: BaseTree | None,
    listener: Listener | None = None,
    report: Callable[[str], None] = lambda _: None,
    policies: bool = False,
    withheld: bool = False,
    touched_by: Sequence[str] = (),
) -> StackReview:
    """What the working tree would do to ``stack``. Writes nothing that stays: not to the checkout, not to the backend.

    ``base``: what build files and costs are compared with; None: with nothing. ``withheld``: values of secrets are
    left out, which then need no key, and what stands is not looked at, since that would show them; the state is taken
    as the last update left it. ``listener`` hears of the engine's events. A ``HybridError`` becomes
    part of the review; only ``StoppedError`` does, after Ctrl-C.
    """
    begun = time.monotonic()
    subject = Subject(workspace, stack, base, touched_by)
    found = _Work(subject, pulumi, environ, listener or (lambda _: None), report, policies, withheld).review()
    return found.model_copy(update={"seconds": round(time.monotonic() - begun, 1)})


@dataclass
class _Work:
    subject: Subject
    pulumi: Pulumi
    environ: Mapping[str, str]
    listener: Listener
    report: Callable[[str], None]
    policies: bool
    withheld: bool
    seen: Foreseen = field(default_factory=Foreseen)

    def __post_init__(self) -> None:
        self.workspace, self.name, self.base = self.subject.workspace, self.subject.name, self.subject.base
        self.parts = self.subject.parts

    def review(self) -> StackReview:
        try:
            head = Stack.read(self.workspace, self.name)
        except HybridError as error:
            self.parts.lacks("preview", error)
            return self.subject.unread()
        base = self.subject.at_base()
        with ThreadPoolExecutor(max_workers=1) as pool:
            present = pool.submit(self._present, head)
            standing, findings = self._previewed(head)
            locations = self._locations(head, base, present)
        return self.subject.review(head, base, self.seen, standing=standing, policies=findings, locations=locations)

    def _previewed(self, head: Stack) -> tuple[Any, tuple[PolicyFinding, ...]]:
        if self.withheld and not head.who.settings.agent.needs_images:
            self.parts.lacks("preview", _of_its_machine(self.name))
            return "failed", ()
        try:
            with _withheld_variables(head) if self.withheld else _nothing(), self._copied() as copied:
                outcome = copied.preview(self._hear, self.report, **self._packs())
                return "new" if copied.copy.is_new else "present", _findings(outcome)
        except StoppedError:
            raise
        except HybridError as error:
            self.parts.lacks("preview", error)
            return "failed", ()

    def _copied(self) -> Any:
        base_file = None
        if self.base is not None:
            file = self.base.workspace.stack_file(self.name)
            base_file = text_of(file) if file.exists() else None
        return CopiedStack.of(
            self.workspace, self.name, self.pulumi, self.environ, base_file=base_file, withheld=self.withheld
        )

    def _packs(self) -> dict[str, Any]:
        pack = self.workspace.policies
        return {"policy_packs": (pack,)} if self.policies and (pack / "PulumiPolicy.yaml").is_file() else {}

    def _hear(self, event: Event) -> None:
        self.seen(event)
        self.listener(event)

    def _present(self, head: Stack) -> dict[str, dict[str, Any]]:
        who = head.who
        if who.token_file is not None and not who.token_file.exists():
            raise SettingsError("The embedded Dagster+ does not stand.", next_step=f"`hybrid up {self.name}`.")
        with PlusClient(who.endpoint, api_token(self.environ, who.token_file), patience=_PATIENCE) as client:
            return client.location_documents()

    def _locations(self, head: Stack, base: Stack | None, present: Future[dict[str, dict[str, Any]]]) -> Any:
        wanted = {folder.name: self._wanted(head, folder) for folder in head.folders}
        if head.who.settings.phase != "serve":
            wanted = {}
        before = base.location_names if base else ()
        going = {step.resource.removeprefix("CodeLocation ") for step in self.seen.steps if step.operation == "delete"}
        owned = frozenset(before) | {name.removesuffix("-location") for name in going}
        nothing: tuple[LocationReview, ...] = ()
        return self.parts.part("dagster_plus", lambda: location_reviews(present.result(), wanted, owned), nothing)

    def _wanted(self, head: Stack, folder: Any) -> Mapping[str, Any]:
        known = self.seen.documents.get(folder.name)
        if known is not None:
            return known
        if head.who.settings.agent.needs_images:
            return head.document(folder, image=TO_BE_BUILT)
        return head.document(folder, executable=Path(TO_BE_MADE))


def _findings(outcome: Any) -> tuple[PolicyFinding, ...]:
    return tuple(
        PolicyFinding(
            policy=each.policy, level=each.level, resource=str(each.resource or ""), message=redact(each.message)
        )
        for each in getattr(outcome, "policies", ())
    )


def _of_its_machine(stack: str) -> SettingsError:
    return SettingsError(
        "An agent on a machine of its own is previewed on that machine.",
        why="Its program names paths of that machine, and what would be compared with them is not here.",
        next_step=f"`hybrid preview {stack}` there.",
    )


@contextmanager
def _withheld_variables(head: Stack) -> Iterator[None]:
    """The program finds the same in the environment, for values that it takes from there, as the copied state holds."""
    names = [each.from_environment for each in head.who.settings.environment_variables if each.from_environment]
    former = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, WITHHELD))
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _nothing() -> Iterator[None]:
    yield
