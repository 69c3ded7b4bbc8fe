"""Steps walked in order, by a journal: forward to Hybrid, back to Serverless, on from wherever a kill has left them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hybrid.switch.journal import Event, Journal


class Step(Protocol):
    """One step. Both ways are idempotent: what a kill has left half done is done again from its beginning."""

    @property
    def name(self) -> str:
        """As the journal has it."""
        ...

    @property
    def title(self) -> str:
        """For people: what is being done."""
        ...

    def do(self, facts: Mapping[str, Any], note: Callable[[Mapping[str, Any]], None]) -> None:
        """Do it. ``facts`` are what the journal has of it; ``note`` puts further ones there before going on."""
        ...

    def take_back(self, facts: Mapping[str, Any]) -> None:
        """Make it as it was before, as far as it was done at all."""
        ...


@dataclass(frozen=True)
class Shown:
    """What a listener is told: a step, and what happened to it."""

    step: Step
    event: Event
    skipped: bool = False


class Walk:
    """``steps`` in the order in which they are done. ``tell`` hears of each event."""

    def __init__(self, journal: Journal, steps: Sequence[Step], tell: Callable[[Shown], None] | None = None) -> None:
        if len({step.name for step in steps}) != len(steps):
            raise ValueError("two steps have one name, by which the journal tells them apart")
        self._journal = journal
        self._steps = tuple(steps)
        self._tell = tell or (lambda shown: None)

    def forward(self, until: str | None = None) -> None:
        """Do what is not done yet, up to and with the step ``until``. What a step raises ends the walk; the journal has
        it, and the next walk begins with that step."""
        for step in self._steps:
            if self._stands(step):
                self._tell(Shown(step, Event.DONE, skipped=True))
            else:
                self._do(step)
            if step.name == until:
                return

    def back(self) -> None:
        """Take back what was begun, the last first."""
        for step in self._steps:
            if self._stands(step):
                self._tell(Shown(step, Event.DONE, skipped=True))
        for step in reversed(self._steps):
            last = self._journal.last(step.name)
            if last is None or last.event is Event.TAKEN_BACK:
                continue
            self._journal.note(step.name, Event.TAKING_BACK)
            self._tell(Shown(step, Event.TAKING_BACK))
            step.take_back(self._journal.facts(step.name))
            self._journal.note(step.name, Event.TAKEN_BACK)
            self._tell(Shown(step, Event.TAKEN_BACK))

    def _stands(self, step: Step) -> bool:
        last = self._journal.last(step.name)
        return last is not None and last.event is Event.DONE

    def _do(self, step: Step) -> None:
        self._journal.note(step.name, Event.BEGUN)
        self._tell(Shown(step, Event.BEGUN))

        def note(facts: Mapping[str, Any]) -> None:
            self._journal.note(step.name, Event.BEGUN, facts)

        try:
            step.do(self._journal.facts(step.name), note)
        except Exception as error:
            self._journal.note(step.name, Event.FAILED, {"reason": str(error)[:2000]})
            self._tell(Shown(step, Event.FAILED))
            raise
        self._journal.note(step.name, Event.DONE)
        self._tell(Shown(step, Event.DONE))
