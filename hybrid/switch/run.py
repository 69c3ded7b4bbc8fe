"""A switch carried out: forward, on from where it was left, and back; by one journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hybrid.errors import HybridError, NotReadyError, StoppedError, UsageError
from hybrid.plus import PlusMaintenance, PlusUnreachable
from hybrid.switch.choices import Choices
from hybrid.switch.claim import CLAIM, claim, release
from hybrid.switch.downtime import Downtime, downtime_of
from hybrid.switch.journal import Event, Journal, Journey, Line, facts_in, is_going_back, read_journal
from hybrid.switch.plan import Strategy
from hybrid.switch.steps import Given, kinds_of, steps_of
from hybrid.switch.steps.serving import is_loaded
from hybrid.switch.walk import Shown, Walk
from hybrid.switch.work import SwitchWork

FIRST = "preflight"
NO_PLAN = "none"
"""The plan of a journey that was begun without one."""

Stage = Literal["new", "begun", "done", "going_back", "back"]


def strategy_in(lines: Sequence[Line], wanted: Strategy = Strategy.AT_ONCE) -> Strategy:
    """By which a switch was begun: what is on its way goes on so, and goes back so. Before that is on record nothing
    is done, and it is the one that is ``wanted``."""
    found = (line.facts["strategy"] for line in reversed(lines) if line.step == FIRST and "strategy" in line.facts)
    return Strategy(next(found, wanted))


def stage_of(lines: Sequence[Line]) -> Stage:
    """How far a switch is. ``begun``: on its way to Hybrid, or failed there."""
    steps = [line for line in lines if line.step != CLAIM]
    if is_going_back(steps):
        return "going_back"
    last = {line.step: line.event for line in steps}
    if last.get(kinds_of(strategy_in(steps))[-1].name) is Event.DONE:
        return "done"
    if last and all(event is Event.TAKEN_BACK for event in last.values()):
        return "back"
    return "begun" if last else "new"


def put_aside(path: Path) -> None:
    """A journal of a switch that was taken back is kept under another name, so that a new one can begin."""
    found = read_journal(path)
    if found is not None and stage_of(found[1]) == "back":
        path.rename(path.with_name(f"{path.stem}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}{path.suffix}"))


@dataclass
class Switching:
    """``show`` hears of each step's events, ``tell`` takes one-line notices."""

    work: SwitchWork
    path: Path
    choices: Choices
    tell: Callable[[str], None]
    show: Callable[[Shown], None] = field(default=lambda shown: None)

    def forward(self, *, resume: bool = False, until: str | None = None) -> Journal:
        """To Hybrid. The journal, closed, as it is at the end.

        Raises ``UsageError`` when a switch was begun and ``resume`` is false, or one is on its way back;
        ``StackBusyError`` when another one is at work; what a step raises. With ``return_after``, ``NotReadyError``
        after it has gone back by itself.
        """
        put_aside(self.path)
        with self._journal() as journal:
            self._refuse_turning_round(stage_of(journal.lines), resume=resume)
            claim(self.work, journal, self.tell, take_over=self.choices.take_over)
            walk = self._walk(journal)
            try:
                self._go(walk, journal, until)
            except HybridError:
                if stage_of(journal.lines) == "begun" and self._touches_nothing(journal):
                    release(self.work, journal)
                raise
            if stage_of(journal.lines) == "done":
                release(self.work, journal)
            return journal

    def back(self) -> Journal:
        """To Serverless, from wherever it stands."""
        if (found := read_journal(self.path)) is None or stage_of(found[1]) in ("new", "back"):
            raise UsageError(
                f"No switch of the stack '{self.work.stack}' is there to take back.",
                next_step="`hybrid switch status` shows what the journal has.",
            )
        with self._journal() as journal:
            claim(self.work, journal, self.tell, take_over=self.choices.take_over)
            self._walk(journal).back()
            release(self.work, journal)
            return journal

    def _go(self, walk: Walk, journal: Journal, until: str | None) -> None:
        try:
            walk.forward(until)
        except StoppedError:
            raise
        except HybridError as error:
            if not self._returns(journal):
                raise
            self.tell(error.sentence())
            if self._all_loaded_in_time(journal):
                walk.forward(until)
                return
            self.tell(f"Not all is loaded {self.choices.return_after:g} s after the switch: going back, as told.")
            walk.back()
            release(self.work, journal)
            raise NotReadyError(
                f"The switch of '{self.work.deployment}' was taken back: not all was loaded within "
                f"{self.choices.return_after:g} s.",
                why=error.sentence(),
                next_step="mend that, then begin again.",
            ) from error

    def _returns(self, journal: Journal) -> bool:
        """Whether it is handed over, told to go back by itself, and was not seen loaded."""
        handed = journal.facts("switch").get("switched_at") is not None
        return self.choices.return_after is not None and handed and "loaded_at" not in journal.facts("loaded")

    def _all_loaded_in_time(self, journal: Journal) -> bool:
        """What did not load at once may yet, until the time is over."""
        deadline = float(journal.facts("switch")["switched_at"]) + (self.choices.return_after or 0)
        while self.work.now() < deadline:
            try:
                found = self.work.locations()
                running = any(one.label == self.work.agent_label and one.is_running for one in self.work.agents())
                if running and all(is_loaded(each, found) for each in self.work.wanted()):
                    return True
            except (PlusUnreachable, PlusMaintenance):
                pass
            self.work.sleep(self.choices.poll_seconds)
        return False

    def _touches_nothing(self, journal: Journal) -> bool:
        """Whether it ended at its first step, which changes nothing: then nobody has to go on or back."""
        return {line.step for line in journal.lines} <= {CLAIM, FIRST}

    def _refuse_turning_round(self, stage: Stage, *, resume: bool) -> None:
        stack = self.work.stack
        if stage == "going_back":
            raise UsageError(
                "The way back to Serverless was begun and did not come to its end.",
                next_step=f"`hybrid switch back {stack}` brings it to its end; then it can begin anew.",
            )
        if stage == "begun" and not resume:
            raise UsageError(
                f"A switch of the stack '{stack}' was begun and is not over.",
                next_step=f"`hybrid switch run {stack} --resume` goes on, `hybrid switch back {stack}` takes it back.",
            )
        if stage == "new" and resume:
            raise UsageError(
                f"No switch of the stack '{stack}' was begun.", next_step=f"`hybrid switch run {stack}` begins one."
            )

    def _journal(self) -> Journal:
        """By the plan that it was begun with, unless another one is given."""
        found, plan = read_journal(self.path), self.choices.plan
        begun = found[0].plan if found is not None and stage_of(found[1]) != "new" else NO_PLAN
        journey = Journey(
            organization=self.work.organization,
            deployment=self.work.deployment,
            stack=self.work.stack,
            plan=plan.digest if plan is not None else begun,
        )
        return Journal(self.path, journey, now=self.work.now)

    def _walk(self, journal: Journal) -> Walk:
        strategy = strategy_in(journal.lines, self.choices.strategy)
        return Walk(journal, steps_of(strategy, Given(self.work, self.choices, journal, self.tell)), self.show)


def downtime_in(lines: Sequence[Line]) -> Downtime | None:
    """That of the last switch; None: it was not handed over, not all was loaded, or it was taken back."""
    return downtime_of(*(facts_in(lines, step) for step in ("switch", "loaded", "departure")))


def standing_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Each step that anything is known of, in the order of the walk: its last event, when, and how long it took."""
    found: dict[str, dict[str, Any]] = {}
    begun: dict[str, float] = {}
    for line in lines:
        if line.step == CLAIM:
            continue
        if line.event in (Event.BEGUN, Event.TAKING_BACK) and not line.facts:
            begun[line.step] = line.at
        seconds = round(line.at - begun.get(line.step, line.at), 1)
        reason = line.facts.get("reason") if line.event is Event.FAILED else None
        found[line.step] = {
            "step": line.step,
            "event": line.event.value,
            "at": line.at,
            "seconds": seconds,
            "reason": reason,
        }
    return list(found.values())
