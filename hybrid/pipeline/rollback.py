"""A code location that does not load goes back to the image that was loaded before: a pin in the stack's file, and one
more update. Which those are the resource ``ready`` tells (hybrid/provider/agent_ready.py), which names what failed and
remembers what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import EngineError, HybridError, NotReadyError, StackBusyError, StoppedError

if TYPE_CHECKING:
    from hybrid.engine.engine import Listener, Outcome
    from hybrid.engine.events import Event
    from hybrid.plus import CodeLocationStatus

READY: Final = "ready"
"""The stack's resource that says what is loaded."""

PARTS: Final = ("environment", "check", "image", "published", "build-file", "location")
"""What a location's resources are called, behind its name and a dash."""


def targets(names: Sequence[str]) -> tuple[str, ...]:
    """The resources of these locations, by name, and the one that waits until they are loaded."""
    return (*(f"{name}-{part}" for name in names for part in PARTS), READY)


@dataclass
class Watched:
    """Hands an update's events on, and remembers which resources failed."""

    failed: set[str] = field(default_factory=set)

    def through(self, shown: Listener) -> Listener:
        from hybrid.engine.events import StepEnded

        def take(event: Event) -> None:
            if isinstance(event, StepEnded) and event.failed:
                self.failed.add(event.resource.name)
            shown(event)

        return take


@dataclass(frozen=True)
class Rollback:
    """How to go back in one stack. ``file`` is the stack's. ``update`` runs `up` of the given targets."""

    stack: str
    file: Path
    outputs_of: Callable[[str], Mapping[str, Any]]
    statuses: Callable[[], Mapping[str, CodeLocationStatus]]
    update: Callable[[Sequence[str]], Outcome]
    note: Callable[[str], None]

    def images(self, names: Sequence[str], error: EngineError, *, waited: bool) -> dict[str, str]:
        """The images to go back to. Raises ``error`` again, with why, when there is none. ``waited``: whether the
        update came as far as to see what loads."""
        if not waited:
            self.note("Nothing was rolled back: the update failed before it was seen whether the code locations load.")
            raise error
        ready = self.outputs_of(READY)
        if not ready.get("agentId"):
            self.note("Nothing was rolled back: no agent of the stack is RUNNING, so no image would load.")
            raise error
        try:
            told = self.statuses()
        except HybridError as unknown:
            self.note(f"Nothing was rolled back: Dagster+ does not say what it has. {unknown.what}")
            raise error from None
        back, stuck = to_pin(names, ready, told)
        for name, why in stuck.items():
            self.note(f"{name} cannot be rolled back: {why}.")
        if not back:
            self.note("Nothing was rolled back.")
            raise error
        return back

    def to(self, images: Mapping[str, str]) -> Outcome:
        """Pin ``images`` and update once more. Raises ``NotReadyError`` when that fails too."""
        from hybrid.delivery.pins import StackFile

        for name, image in images.items():
            StackFile(self.file).pin(name, image)
            self.note(f"Rolling back: {name} is pinned to {image}.")
        try:
            return self.update(targets(tuple(images)))
        except (StoppedError, StackBusyError):
            raise
        except EngineError as second:
            raise NotReadyError(
                f"{', '.join(images)} did not load, and the rollback did not bring back what was loaded before.",
                why=second.sentence(),
                next_step=f"the stack file has the pins; `hybrid up {self.stack}` tries again, "
                f"`hybrid locations unpin {self.stack} NAME` takes one out.",
            ) from None


def to_pin(
    names: Sequence[str], ready: Mapping[str, Any], told: Mapping[str, CodeLocationStatus]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of ``names``, those that failed to load and can go back: the images that were loaded before, by digest. And why
    others that failed cannot.

    ``ready`` are the outputs of the resource of that name, ``told`` is what Dagster+ has of each location.
    """
    back: dict[str, str] = {}
    stuck: dict[str, str] = {}
    loaded = ready.get("loaded") or {}
    for name in names:
        if name not in (ready.get("failed") or ()):
            continue
        previous = loaded.get(name)
        if not previous:
            stuck[name] = "no image of it was loaded before"
        elif name in told and told[name].was_told(previous):
            stuck[name] = "it already has the image that was loaded before"
        elif "@sha256:" not in previous:
            stuck[name] = f"the image before, {previous}, is not known by its digest"
        else:
            back[name] = previous
    return back, stuck


def pinned(stack: str, images: Mapping[str, str], *, again: str) -> NotReadyError:
    """What a deploy that was rolled back ends with. ``again`` is how the next one is made."""
    return NotReadyError(
        f"Rolled back: {', '.join(images)} did not load, and what was loaded before is loaded again.",
        why="\n".join(f"{name} is pinned to {image}" for name, image in images.items()),
        next_step=again,
    )
