"""A plan for people: what is missing first, then what has to be done, then the steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hybrid.switch.plan import Plan, PlannedStep, Span, State, Strategy, Task, Undo
from hybrid.switch.remedies import shown

_SIGNS: Final = {State.OK: "✓", State.MISSING: "✗", State.UNKNOWN: "?"}
_UNDO: Final = {Undo.FREE: "free", Undo.WITH_DOWNTIME: "with downtime", Undo.NO: "no"}
_STRATEGIES: Final = {Strategy.BY_QUEUE: "by queue, one location at a time", Strategy.AT_ONCE: "all at once"}


def plan_text(plan: Plan) -> str:
    """All of it, a thing a line; what comes from elsewhere is on one line and without control characters."""
    return "\n".join(line for line in _lines(plan)) + "\n"


def span_text(span: Span) -> str:
    """``3 to 40 s``, ``2 to 10 min``, ``from 5 s, open``."""
    if span.high is None:
        return f"from {_time(span.low)}, open"
    if span.high < 1:
        return "none"
    if _time(span.low) == _time(span.high):
        return f"about {_time(span.high)}"
    return f"{_time(span.low)} to {_time(span.high)}"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.deployment} of {plan.organization}: from Serverless to the stack {plan.stack}"
    yield f"Inspected {plan.inspected_at}; fingerprint {plan.fingerprint[:12]}. {len(plan.locations)} locations."
    yield f"Strategy: {_STRATEGIES[plan.strategy]}. {shown(plan.why_strategy)}"
    yield f"Downtime: {span_text(plan.downtime)} ({plan.downtime.why.removesuffix('.')})."
    yield ""
    yield "Needed"
    for each in plan.prerequisites:
        yield f"  {_SIGNS[each.state]} {shown(each.words)}"
        if each.next_step and each.state is not State.OK:
            yield f"    → {shown(each.next_step)}"
    tasks = [each for each in plan.tasks if each.open]
    if tasks:
        yield ""
        yield f"To be done first ({len(tasks)})"
        for task in tasks:
            yield from _task(task)
    later = [words for each in plan.tasks for words in each.afterwards]
    if later:
        yield ""
        yield "With the switch, or after it"
        yield from (f"  {shown(words)}" for words in dict.fromkeys(later))
        yield ""
    rest = len(plan.tasks) - len(tasks)
    if rest:
        yield f"  {rest} further findings ask for nothing; --json has them."
    yield ""
    yield "Steps"
    for number, step in enumerate(plan.steps, start=1):
        yield from _step(number, step)
    yield ""
    yield "Times assume:"
    yield from (f"  - {each}" for each in plan.assumptions)


def _task(task: Task) -> Iterator[str]:
    of = f" [{shown(task.location)}]" if task.location else ""
    yield f"  {task.weight:6} {shown(task.title)}{of}  ({shown(task.where)})"
    for path in task.files:
        yield f"         writes {shown(path)}"
    for words in task.by_hand:
        first, *more = words.splitlines()
        yield f"         by hand: {shown(first)}"
        yield from (f"           {shown(line)}" for line in more)


def _step(number: int, step: PlannedStep) -> Iterator[str]:
    yield f"{number:3}. {step.name}: {step.title} ({span_text(step.takes)})"
    yield f"       {step.does}"
    yield f"       If it fails: {step.if_it_fails}"
    yield f"       Undone: {_UNDO[step.undo]}. {step.how_undone}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
