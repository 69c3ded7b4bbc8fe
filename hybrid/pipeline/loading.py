"""Waiting until a branch deployment is loaded: by an agent of the stack, from what was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hybrid.pipeline.branch_deployment import Wanted
    from hybrid.pipeline.claim import Claim
    from hybrid.plus import CodeLocationStatus, PlusClient

_POLL_HERE: Final = 0.3  # seconds; a Dagster+ on this machine is for one person
_POLL: Final = 2.0
_LOOK: Final = 10.0  # seconds between looks whether a newer commit has taken over
_SHOWN: Final = 5


@dataclass(frozen=True)
class Limits:
    """In seconds."""

    heartbeat: float
    """How long no agent may be RUNNING before the wait ends."""
    load: float
    """How long it may take until all is loaded."""


@dataclass(frozen=True)
class Loading:
    """How the locations stand. ``problem``: why the wait ended before all had settled; None: all have."""

    statuses: dict[str, CodeLocationStatus]
    wanted: tuple[Wanted, ...]
    problem: str | None = None

    def is_loaded(self, wanted: Wanted) -> bool:
        """Whether it is loaded, from the image that was sent if there is one."""
        status = self.statuses.get(wanted.name)
        if status is None:
            return False
        return status.is_loaded if wanted.image is None else status.has_loaded(wanted.image)

    def has_failed(self, wanted: Wanted) -> bool:
        status = self.statuses.get(wanted.name)
        return status is not None and status.has_failed(wanted.image)

    @property
    def waiting(self) -> list[str]:
        return [each.name for each in self.wanted if not self.is_loaded(each) and not self.has_failed(each)]

    @property
    def all_loaded(self) -> bool:
        return all(self.is_loaded(each) for each in self.wanted)


def look(branch: PlusClient, wanted: Collection[Wanted]) -> Loading:
    """How they stand now."""
    return Loading({status.name: status for status in branch.code_locations()}, tuple(wanted))


def await_loaded(
    claim: Claim,
    branch: PlusClient,
    label: str,
    wanted: Collection[Wanted],
    limits: Limits,
    say: Callable[[str], None],
    pause: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Loading:
    """Wait until an agent called ``label`` is RUNNING and each location is loaded or has failed.

    What does not come about is in the answer, not an error. Raises ``SupersededError`` when a newer commit takes over
    meanwhile: what that one sends is not waited for.
    """
    begun = heard = looked = now()
    poll = _POLL_HERE if branch.endpoint.is_loopback else _POLL
    told = ""
    while True:
        running = any(agent.label == label and agent.is_running for agent in branch.agents())
        seen = look(branch, wanted)
        if running and not seen.waiting:
            return seen
        moment = now()
        heard = moment if running else heard
        if moment - heard > limits.heartbeat:
            return _ended(seen, f"no agent called {label} is RUNNING since {limits.heartbeat:g} s")
        if moment - begun > limits.load:
            return _ended(seen, f"{', '.join(seen.waiting)} did not load within {limits.load:g} s")
        if moment - looked > _LOOK:
            claim.look()
            looked = moment
        words = _progress(label, seen, running=running)
        if words != told:
            say(words)
            told = words
        pause(poll)


def _ended(seen: Loading, problem: str) -> Loading:
    return Loading(seen.statuses, seen.wanted, problem)


def _progress(label: str, seen: Loading, *, running: bool) -> str:
    if not running:
        return f"waiting for the agent {label} to be RUNNING"
    names = ", ".join(seen.waiting[:_SHOWN]) + (" …" if len(seen.waiting) > _SHOWN else "")
    return f"{len(seen.wanted) - len(seen.waiting)} of {len(seen.wanted)} locations loaded; waiting for {names}"
