"""A deploy of several stacks, one after the other: each previewed again, held against what was reviewed, brought about,
and tried. The first one that fails ends it, and the later ones stay as they are.

What touches the world is behind ``World``, so that order and decisions can be shown without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from hybrid.engine.history import Update, deployed_commit, was_begun
from hybrid.engine.pipeline import DeployedStack, SmokeRun
from hybrid.errors import EngineError, HybridError, PolicyRefusedError, UsageError
from hybrid.pipeline.comparison import Verdict, acceptance, compare
from hybrid.pipeline.reviewed import Reviewed, ReviewSource
from hybrid.pipeline.smoke import SmokeResult
from hybrid.review.actions import Actions
from hybrid.review.document import StackReview

Result = Literal["deployed", "unchanged", "stopped", "failed", "rolled_back", "smoke_failed", "not_reached"]

_SHOWN: Final = 40


class DeployStopped(HybridError):
    """What would be done is not what was reviewed, so nothing was done."""

    exit_code = 12


@dataclass(frozen=True)
class Brought:
    """What an `up` did. ``rolled_back``: images by location that were pinned, since the new ones did not load."""

    changes: Mapping[str, int]
    rolled_back: Mapping[str, str] = field(default_factory=dict)


class World(Protocol):
    """What a deploy does with a stack. Everything raises a ``HybridError``."""

    def beforehand(self, stack: str) -> None:
        """What can be known before anything starts: files, credentials, the organization."""

    def review(self, stack: str) -> StackReview:
        """What `up` would do now."""
        ...

    def history(self, stack: str) -> Sequence[Update]: ...

    def agree(self, stack: str, sentences: Sequence[str]) -> None:
        """Ask the person, where one is to be asked. Raises when the answer is no."""

    def up(self, stack: str) -> Brought: ...

    def smoke(self, stack: str, smoke: SmokeRun) -> SmokeResult: ...

    def after_smoke(self, stack: str, smoke: SmokeRun) -> str:
        """What to do about a smoke run that failed, as a sentence."""
        ...

    def rolled_back(self, stack: str, images: Mapping[str, str]) -> HybridError:
        """What a rollback ends with."""
        ...


@dataclass
class StackResult:
    """What became of one stack."""

    stack: str
    result: Result = "not_reached"
    actions: tuple[str, ...] = ()
    """What the preview said would be done, as sentences."""
    digest: str | None = None
    """Accepts exactly these actions on this stack."""
    reviewed_by: tuple[str, ...] = ()
    """Where the actions were reviewed: ``#12``, a file, ``a person``, ``--accept``, ``--unreviewed``."""
    further: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    changes: Mapping[str, int] = field(default_factory=dict)
    """How many resources by operation; empty when nothing was done."""
    rolled_back: Mapping[str, str] = field(default_factory=dict)
    smoke: SmokeResult | None = None
    error: HybridError | None = None
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """For ``--json``; docs/deploy-on-merge.md has its keys."""
        error = self.error
        return {
            "stack": self.stack,
            "result": self.result,
            "actions": list(self.actions),
            "digest": self.digest,
            "reviewed_by": list(self.reviewed_by),
            "further": list(self.further),
            "absent": list(self.absent),
            "changes": dict(self.changes),
            "rolled_back": dict(self.rolled_back),
            "smoke": None if self.smoke is None else self.smoke.document(),
            "error": None if error is None else {"what": error.what, "why": error.why, "next_step": error.next_step},
            "seconds": round(self.seconds, 1),
        }


@dataclass
class Deployment:
    """``head`` is the commit that is deployed. ``source`` is None when a person on the terminal is the review."""

    world: World
    head: str
    source: ReviewSource | None
    note: Callable[[str], None]
    accepted: frozenset[str] = frozenset()
    unreviewed: bool = False
    results: list[StackResult] = field(default_factory=list)

    def run(self, stacks: Sequence[DeployedStack]) -> HybridError | None:
        """Deploy them in order. The error that ended it early, None when all went well; ``results`` has one for each
        stack, also for those that were not reached."""
        self.results = [StackResult(each.stack) for each in stacks]
        for deployed, result in zip(stacks, self.results, strict=True):
            begun = time.monotonic()
            try:
                self._deploy(deployed, result)
            except HybridError as error:
                result.error = error
                if result.result == "not_reached":
                    result.result = "stopped" if isinstance(error, DeployStopped | PolicyRefusedError) else "failed"
                return error
            finally:
                result.seconds = time.monotonic() - begun
        return None

    def _deploy(self, deployed: DeployedStack, result: StackResult) -> None:
        stack, world = deployed.stack, self.world
        world.beforehand(stack)
        self.note(f"{stack}: looking at what would be done")
        review = world.review(stack)
        _refuse_unseen(review)
        present = Actions.of(review)
        result.actions = present.sentences or ()
        if not review.changes:
            self._unchanged(deployed, result)
            return
        result.digest = acceptance(stack, present)
        self._require_reviewed(present, result)
        world.agree(stack, result.actions)
        brought = world.up(stack)
        result.changes, result.rolled_back = brought.changes, brought.rolled_back
        if brought.rolled_back:
            result.result = "rolled_back"
            raise world.rolled_back(stack, brought.rolled_back)
        if deployed.smoke is not None:
            self._try(deployed.smoke, result)
        result.result = "deployed"
        self.note(f"{stack}: deployed")

    def _unchanged(self, deployed: DeployedStack, result: StackResult) -> None:
        """Nothing to do. A deploy of this commit that was ended early may have brought all of it about and not have
        seen the end of the smoke run, so that is made up for."""
        self.note(f"{deployed.stack}: nothing to do")
        if deployed.smoke is not None and was_begun(self.world.history(deployed.stack), self.head):
            self._try(deployed.smoke, result)
        result.result = "unchanged"

    def _try(self, smoke: SmokeRun, result: StackResult) -> None:
        result.smoke = self.world.smoke(result.stack, smoke)
        if failure := result.smoke.failure(self.world.after_smoke(result.stack, smoke)):
            result.result = "smoke_failed"
            raise failure

    def _require_reviewed(self, present: Actions, result: StackResult) -> None:
        if result.digest in self.accepted:
            result.reviewed_by = ("--accept",)
        elif self.unreviewed:
            result.reviewed_by = ("--unreviewed",)
        elif self.source is None:
            result.reviewed_by = ("a person",)  # who is asked next
        else:
            found = self.source.of(result.stack, deployed_commit(self.world.history(result.stack)))
            verdict = compare(present, found.actions)
            result.reviewed_by, result.further, result.absent = found.by, verdict.further, verdict.absent
            if not verdict.is_reviewed:
                raise _stopped(result, found, verdict)
            self._say(result, found)

    def _say(self, result: StackResult, found: Reviewed) -> None:
        where = f" in {', '.join(found.by)}" if found.by else ""
        self.note(f"{result.stack}: what would be done was reviewed{where}")
        if result.absent:
            self.note(
                f"{result.stack}: reviewed and not to be done any more (done already, or not needed): "
                + _listed(result.absent, "; ")
            )


def chosen(deploy: Sequence[DeployedStack], names: Sequence[str]) -> tuple[DeployedStack, ...]:
    """Those of ``deploy`` that are named, in the pipeline's order; all when none is.

    Raises ``UsageError`` for a name that the pipeline does not deploy.
    """
    known = [each.stack for each in deploy]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"stacks/pipeline.yaml does not deploy {', '.join(unknown)}.",
            why=f"It deploys: {', '.join(known) or 'none'}.",
            next_step="correct the name, or list it under `deploy:` (docs/deploy-on-merge.md has an example).",
        )
    return tuple(each for each in deploy if not names or each.stack in names)


def _refuse_unseen(review: StackReview) -> None:
    """Raises when the review did not see what it has to see."""
    missing = next((each for each in review.missing if each.part in {"preview", "policies"}), None)
    if missing is not None:
        raise EngineError(
            f"What a deploy of '{review.stack}' would do could not be seen, so nothing was done.",
            why=missing.why,
            next_step=missing.next_step or f"`hybrid preview {review.stack}` shows more.",
        )
    broken = [each for each in review.policies if each.level == "mandatory"]
    if broken:
        raise PolicyRefusedError(
            f"The deploy of '{review.stack}' stopped: mandatory rules of the policy pack refuse it ({len(broken)}).",
            why=_listed([f"{each.policy} ({each.resource}): {each.message}" for each in broken], "\n"),
            next_step="mend it, or allow it in stacks/policy_exceptions.py, in a pull request.",
        )


def _stopped(result: StackResult, found: Reviewed, verdict: Verdict) -> DeployStopped:
    stack = result.stack
    lines = [f"  not reviewed: {sentence}" for sentence in verdict.further[:_SHOWN]]
    lines += [_rest(verdict.further, "not reviewed")] if len(verdict.further) > _SHOWN else []
    lines += [f"  reviewed, and not to be done: {sentence}" for sentence in verdict.absent[:_SHOWN]]
    lines += [_rest(verdict.absent, "reviewed, and not to be done")] if len(verdict.absent) > _SHOWN else []
    lines += [f"Reviewed in: {', '.join(found.by)}."] if found.by else ["No review is known."]
    lines += [f"Not counted: {note}." for note in found.notes]
    if not verdict.is_certain:
        lines += ["A review was too large to be carried whole; only its digest could be compared."]
    many = f"{len(verdict.further)} things" if len(verdict.further) != 1 else "one thing"
    return DeployStopped(
        f"The deploy of '{stack}' stopped: it would do {many} that nobody is known to have reviewed.",
        why="\n".join(lines),
        next_step=f"have it reviewed in a pull request; or accept exactly the {len(result.actions)} actions of the "
        f"preview (--json lists them) by `hybrid deploy --stack {stack} --accept {result.digest}`, in CI by starting "
        "the workflow with that digest.",
    )


def _rest(sentences: Sequence[str], word: str) -> str:
    return f"  {word}: {len(sentences) - _SHOWN} more, which --json lists"


def _listed(texts: Sequence[str], between: str) -> str:
    rest = len(texts) - _SHOWN
    return between.join(texts[:_SHOWN]) + (f"{between}and {rest} more" if rest > 0 else "")
