"""An inspection as text: short, what must change first at the beginning. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hybrid.redaction import redact
from hybrid.switch.finding import Finding, FindingKind, Weight, counted
from hybrid.switch.inspection import Inspection
from hybrid.switch.organization import OrganizationState
from hybrid.switch.remedies import REMEDIES, shown
from hybrid.switch.repository import RepositoryState

HEADINGS: Final = {
    Weight.MUST: "Must change first",
    Weight.SHOULD: "Should change, or be decided",
    Weight.KNOW: "To be known",
}
_MOST_NAMES: Final = 12
_MOST_ALIKE: Final = 5  # findings of one kind in one location that are written out; the report has all


def text_of(inspection: Inspection) -> str:
    """All of it, redacted, a line end at its end."""
    lines = [*_summary(inspection)]
    for weight in Weight:
        found = inspection.of_weight(weight)
        if found:
            lines += ["", f"{HEADINGS[weight]} ({len(found)}):"]
            lines += _known(found) if weight is Weight.KNOW else _grouped(found)
    if not inspection.findings:
        lines += ["", "Nothing was found that has to change."]
    return redact("\n".join(map(shown, lines)) + "\n")


def _summary(inspection: Inspection) -> Iterator[str]:
    if inspection.organization is not None:
        yield from _of_organization(inspection.organization)
    if inspection.repository is not None:
        yield _of_repository(inspection.repository)


def _of_organization(found: OrganizationState) -> Iterator[str]:
    plan = f", plan {found.plan}" if found.plan else ""
    yield f"{found.organization}/{found.deployment.name} is on {found.deployment.agent_type.title()}{plan}."
    failed = sum(each.status == "FAILED" for each in found.locations)
    on = _count(found.instigators and found.on(), found.instigators, "schedule or sensor", "schedules and sensors")
    parts = [
        counted(len(found.locations), "location") + (f" ({failed} not loaded)" if failed else ""),
        f"{on} on",
        f"{_count(found.runs, found.runs, 'run')} in flight",
        _count(found.variables, found.variables, "variable"),
        _count(found.branches, found.branches, "branch deployment"),
    ]
    yield f"{', '.join(parts)}."
    running = [each.label or "unlabelled" for each in found.agents or () if each.status == "RUNNING"]
    yield f"Agents running: {_names(running) or 'none'}. Agent queues: {_yes(found.has_queues)}."
    for question, answer in found.unanswered.items():
        yield f"Not told: {question.replace('_', ' ')}. {answer}"


def _of_repository(found: RepositoryState) -> str:
    at = f" at {found.commit[:10]}" if found.commit else ""
    names = _names([each.name for each in found.locations]) or "none"
    return f"Repository{at}: {found.files} files, locations: {names}."


def _grouped(found: list[Finding]) -> Iterator[str]:
    for name in sorted({each.location or "" for each in found}):
        yield f"  {name or 'The deployment and the repository'}"
        mine = [each for each in found if (each.location or "") == name]
        for kind in dict.fromkeys(each.kind for each in mine):
            alike = [each for each in mine if each.kind is kind]
            for each in alike[:_MOST_ALIKE]:
                yield f"    {each.where}: {each.what}"
            if len(alike) > _MOST_ALIKE:
                yield f"    … and {len(alike) - _MOST_ALIKE} more of these"
            yield f"      {alike[0].why}"
            yield f"      → {REMEDIES[kind]}"


def _known(found: list[Finding]) -> Iterator[str]:
    """A line a kind; of variables and files only the names."""
    for kind in dict.fromkeys(each.kind for each in found):
        alike = [each for each in found if each.kind is kind]
        if kind is FindingKind.SECRET:
            names = list(dict.fromkeys(each.facts["name"] for each in alike))
            yield f"  {counted(len(names), 'variable')} that Hybrid agents get as Serverless does: {_names(names)}."
        elif len(alike) == 1:
            yield f"  {alike[0].where}: {alike[0].what} {alike[0].why}"
        else:
            yield f"  {alike[0].what} {alike[0].why}"
            yield f"    {_names([each.where for each in alike])}"


def _names(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _count(found: list[object] | object, known: object, noun: str, plural: str = "") -> str:
    count = len(found) if isinstance(found, list) else 0
    if known is not None and count == 1:
        return f"1 {noun}"
    return f"{'an unknown number of' if known is None else count} {plural or f'{noun}s'}"


def _yes(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no (they need Dagster+ Pro)"
