"""A rehearsal in words and bars, for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hybrid.switch.rehearsal import Rehearsal
from hybrid.switch.rehearsal_timeline import Timed, bars

_MARKS = {True: "✓", False: "✗", None: "?"}


def text_of(found: Rehearsal) -> str:
    """Lines with their ends."""
    return "".join(f"{line}\n" for line in _lines(found))


def headline(found: Rehearsal) -> str:
    """What came of it, in a sentence."""
    if found.failed is not None:
        return f"The rehearsed switch failed at the step {found.failed.step}."
    if found.downtime is None:
        return "The rehearsed switch did not come to its end."
    wrong = sum(each.get("is_so") is False for each in found.checks)
    if wrong:
        return f"Rehearsed: {found.downtime.words()}; {wrong} of {len(found.checks)} checks afterwards failed."
    if not found.is_serverless_again:
        return f"Rehearsed: {found.downtime.words()}; the way back did not come to its end."
    return f"Rehearsed: {found.downtime.words()}; verified, and back on Serverless."


def took(step: Timed, found: Rehearsal) -> str:
    """A step's seconds beside what a plan reckons with."""
    low, high = found.expected.get(step.step, (None, None)) if step.way == "forth" else (None, None)
    if low is None:
        return f"{step.seconds:.1f} s"
    return f"{step.seconds:.1f} s (planned {low:g} to {'?' if high is None else f'{high:g}'})"


def _lines(found: Rehearsal) -> Iterator[str]:
    yield f"{found.organization}/{found.deployment}, as the stack {found.stack} would take it over"
    yield headline(found)
    for way, title in (("forth", "To Hybrid"), ("back", "Back to Serverless")):
        drawn = bars(found.timeline, found.titles, way)
        if drawn:
            yield from ("", title, *(f"  {line}" for line in drawn))
    yield from _listed(
        "Verified", [f"{_MARKS[each.get('is_so')]} {each['check']}: {each['words']}" for each in found.checks]
    )
    yield from _listed("What the real switch would meet", list(found.would_fail))
    yield from _listed("In what this was not the real one", list(found.differs))
    rests = [f"{each.question} Here: {each.assumed}. {each.otherwise}" for each in found.rests_on]
    yield from _listed("What it rests on that nobody knows (docs/unknowns.md)", rests)


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from ("", title, *(f"  {line}" for line in lines))
