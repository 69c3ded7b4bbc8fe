"""What really stands against what is deployed, and that against the program of the branch: two questions that are kept
apart, for one is answered by a person who changed something by hand, the other by a merge that is not deployed.

- by hand: what a refresh would take into the state, on both sides: AWS, Docker or this machine, and Dagster+.
- not deployed: what the program would change of the state as it is written, without a look at what stands.
- not ready: no agent RUNNING, a location not loaded, as Dagster+ says.

Nothing is written, and nothing locked. What cannot be looked at is a problem of its own, never "no drift".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from hybrid.engine.engine import Command, Outcome
from hybrid.engine.events import StepEnded
from hybrid.errors import EngineError, HybridError, StoppedError
from hybrid.pipeline.comparison import LOOKS

DRIFT_EXIT_CODE: Final = 13

# what of a statement changes when ECS or Docker starts something again by itself
_RESTARTED: Final = frozenset({"startedAt", "instance", "runningCount", "lastStop"})
_READY: Final = "AgentReady"


@dataclass(frozen=True)
class Difference:
    """One resource. ``operation``: ``update`` it differs, ``delete`` it is gone (by hand), or what a deploy would do.
    ``because``: paths of what differs, never values."""

    resource: str
    operation: str
    because: tuple[str, ...] = ()

    @classmethod
    def of(cls, step: StepEnded) -> Difference:
        return cls(str(step.resource), step.operation, step.reasons)

    def document(self) -> dict[str, Any]:
        return {"resource": self.resource, "operation": self.operation, "because": list(self.because)}


@dataclass(frozen=True)
class Problem:
    """A part that could not be looked at."""

    part: str
    """``state``, ``resources``, ``program`` or ``dagster_plus``."""
    error: HybridError

    def document(self) -> dict[str, Any]:
        return {"part": self.part, "why": self.error.sentence()}


@dataclass
class StackDrift:
    """One stack. ``stands``: whether anything of it was ever deployed; None: that cannot be told."""

    stack: str
    stands: bool | None = None
    by_hand: tuple[Difference, ...] = ()
    not_deployed: tuple[Difference, ...] = ()
    not_ready: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def has_drift(self) -> bool:
        return bool(self.by_hand or self.not_deployed or self.not_ready) or self.stands is False

    def document(self) -> dict[str, Any]:
        """For ``--json``; docs/deploy-on-merge.md has its keys."""
        return {
            "stack": self.stack,
            "stands": self.stands,
            "drift": self.has_drift,
            "by_hand": [each.document() for each in self.by_hand],
            "not_deployed": [each.document() for each in self.not_deployed],
            "not_ready": list(self.not_ready),
            "problems": [each.document() for each in self.problems],
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Drift:
    """Of several stacks, against the program of ``commit``."""

    branch: str | None
    commit: str | None
    stacks: tuple[StackDrift, ...]

    @property
    def has_drift(self) -> bool:
        return any(each.has_drift for each in self.stacks)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for each in self.stacks for problem in each.problems)

    @property
    def exit_code(self) -> int:
        """What could not be looked at weighs more than drift: the largest code of its errors."""
        if self.problems:
            return max(problem.error.exit_code for problem in self.problems)
        return DRIFT_EXIT_CODE if self.has_drift else 0

    def document(self) -> dict[str, Any]:
        return {
            "branch": self.branch,
            "commit": self.commit,
            "drift": self.has_drift,
            "stacks": [each.document() for each in self.stacks],
        }


class Lookout(Protocol):
    """How one stack is looked at. Everything raises a ``HybridError``."""

    def beforehand(self, stack: str) -> None:
        """What can be known before anything starts: credentials of another account, a wrong file."""

    def stands(self, stack: str) -> bool: ...

    def run(self, stack: str, command: Command) -> Outcome: ...

    def not_ready(self, stack: str) -> Sequence[str]:
        """What Dagster+ says that is not as it should be, as sentences."""
        ...


def drift_of(stacks: Sequence[str], lookout: Lookout, note: Callable[[str], None]) -> tuple[StackDrift, ...]:
    """Each of them; one that cannot be looked at does not hold up the others. Raises ``StoppedError`` after Ctrl-C."""
    found = []
    for name in stacks:
        note(f"{name}: looking")
        begun = time.monotonic()
        seen = StackDrift(name)
        _look(seen, lookout)
        seen.seconds = time.monotonic() - begun
        found.append(seen)
    return tuple(found)


def _look(seen: StackDrift, lookout: Lookout) -> None:
    name = seen.stack
    if not _part(seen, "state", lambda: lookout.beforehand(name)):
        return

    def stands() -> None:
        seen.stands = lookout.stands(name)

    if not _part(seen, "state", stands) or not seen.stands:
        return

    def ready() -> None:
        seen.not_ready = tuple(lookout.not_ready(name))

    def resources() -> None:
        seen.by_hand, statements = by_hand(lookout.run(name, "look"))
        seen.not_ready = (*seen.not_ready, *(_of_statement(each, seen) for each in statements))
        seen.not_ready = tuple(each for each in seen.not_ready if each)

    def program() -> None:
        seen.not_deployed = not_deployed(lookout.run(name, "compare"))

    _part(seen, "dagster_plus", ready)
    _part(seen, "resources", resources)
    _part(seen, "program", program)


def _part(seen: StackDrift, part: str, look: Callable[[], None]) -> bool:
    try:
        look()
    except StoppedError:
        raise
    except HybridError as error:
        seen.problems.append(Problem(part, error))
        return False
    return True


def by_hand(outcome: Outcome) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """What somebody changed, and the statements that do not hold any more. That ECS or Docker started something again
    by itself is neither."""
    steps = [step for step in outcome.steps if not step.failed and not _is_restart(step)]
    things = tuple(Difference.of(step) for step in steps if step.resource.kind not in LOOKS)
    return things, tuple(Difference.of(step) for step in steps if step.resource.kind in LOOKS)


def not_deployed(outcome: Outcome) -> tuple[Difference, ...]:
    """What a deploy would do beyond looking; one line of a replacement."""
    return tuple(
        Difference.of(step)
        for step in outcome.steps
        if not step.failed and step.resource.kind not in LOOKS and step.operation != "clear"
    )


def _is_restart(step: StepEnded) -> bool:
    changed = {path.partition(".")[0].partition("[")[0] for path in step.changed}
    return step.resource.kind in LOOKS and step.operation == "update" and bool(changed) and changed <= _RESTARTED


def _of_statement(statement: Difference, seen: StackDrift) -> str:
    """As a sentence; empty for that of readiness where Dagster+ has already said what is not ready."""
    if statement.resource.startswith(f"{_READY} ") and seen.not_ready:
        return ""
    why = f" ({', '.join(statement.because)})" if statement.because else ""
    return f"{statement.resource} does not hold any more{why}."


def unseen(drift: Drift) -> HybridError | None:
    """The error that a look ends with that could not look at all; None when it could."""
    if not drift.problems:
        return None
    named = [
        f"{each.stack} ({problem.part}): {problem.error.what}" for each in drift.stacks for problem in each.problems
    ]
    error = EngineError(
        "Not everything could be looked at, so what is not listed may differ all the same.",
        why="\n".join(named),
        next_step="mend that and run `hybrid drift` again; --json has the whole errors.",
    )
    error.exit_code = drift.exit_code
    return error
