"""An inspection as one page of HTML that needs nothing beside it: for whoever decides, and to be printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from hybrid.switch.finding import Finding, Weight
from hybrid.switch.inspection import Inspection
from hybrid.switch.organization import FoundLocation, OrganizationState
from hybrid.switch.page import Child, node, page, prose, table
from hybrid.switch.remedies import REMEDIES
from hybrid.switch.repository import RepositoryState

_WEIGHTS: Final = {
    Weight.MUST: "must change first",
    Weight.SHOULD: "should change or be decided",
    Weight.KNOW: "to be known",
}


def html_of(inspection: Inspection) -> str:
    """The whole page."""
    title = _title(inspection)
    organization, repository = inspection.organization, inspection.repository
    return page(
        title,
        "inspection.css",
        node("h1", node("bdi", title)),
        _taken(inspection),
        node("div", *(_counted(inspection, weight) for weight in Weight), kind="counts"),
        *_headed("Locations", _locations(inspection)),
        *_headed("Of the deployment and the repository", _card(None, inspection.of_location(None))),
        *_headed(
            "By location",
            *(_card(name, inspection.of_location(name), n) for n, name in enumerate(_names(inspection))),
        ),
        *(_of_organization(organization) if organization else ()),
        *(_of_repository(repository) if repository else ()),
    )


def _title(inspection: Inspection) -> str:
    found = inspection.organization
    return (
        f"{found.organization}/{found.deployment.name}: the way to Hybrid"
        if found
        else "The repository's way to Hybrid"
    )


def _taken(inspection: Inspection) -> Element:
    found = inspection.organization
    state = f" State {inspection.fingerprint[:12]}." if inspection.fingerprint else ""
    who = f"On {found.deployment.agent_type.title()}, plan {found.plan or 'not known'}. " if found else ""
    return node("p", f"{who}Looked at on {inspection.taken_at.replace('T', ' ')}.{state}", kind="dim")


def _counted(inspection: Inspection, weight: Weight) -> Element:
    return node("div", node("b", str(len(inspection.of_weight(weight)))), _WEIGHTS[weight], kind=weight.value)


def _headed(heading: str, *children: Child) -> Iterator[Child]:
    found = [child for child in children if child is not None]
    if found:
        yield node("h2", heading)
        yield from found


def _names(inspection: Inspection) -> list[str]:
    """Of all locations, in Dagster+ or in the repository."""
    names = {each.name for each in inspection.organization.locations} if inspection.organization else set()
    names |= {each.name for each in inspection.repository.locations} if inspection.repository else set()
    return sorted(names | {each.location for each in inspection.findings if each.location})


def _locations(inspection: Inspection) -> Element | None:
    head = ["location", "runs from", "status", "assets", "on", "must", "should", "what to do"]
    return table(head, (_row(inspection, number, name) for number, name in enumerate(_names(inspection))))


def _row(inspection: Inspection, number: int, name: str) -> list[Child]:
    found = inspection.organization.location(name) if inspection.organization else None
    on = [each for each in (inspection.organization.on() if inspection.organization else ()) if each.location == name]
    mine = inspection.of_location(name)
    counts = [sum(each.weight is weight for each in mine) for weight in (Weight.MUST, Weight.SHOULD)]
    remedies = dict.fromkeys(REMEDIES[each.kind] for each in mine if each.weight is not Weight.KNOW)
    return [
        node("a", name, href=f"#location-{number}") if mine else name,
        _runs_from(found, name, inspection.repository),
        _status(found),
        "not known" if found is None or found.assets is None else str(found.assets),
        str(len(on)),
        str(counts[0]),
        str(counts[1]),
        node("ul", *(node("li", each) for each in remedies)) if remedies else "nothing",
    ]


def _runs_from(found: FoundLocation | None, name: str, repository: RepositoryState | None) -> Child:
    if found is not None and found.is_pex:
        return f"Python executables{f', Python {found.python_version}' if found.python_version else ''}"
    if found is not None and found.image:
        return node("code", found.image)
    folder = repository.location(name) if repository else None
    return f"its folder {folder.folder}" if folder else "not known"


def _status(found: FoundLocation | None) -> Child:
    if found is None:
        return "not in Dagster+, or not asked"
    return node("span", f"not loaded: {found.error}", kind="bad") if found.error else found.status.lower()


def _card(name: str | None, findings: list[Finding], number: int | None = None) -> Element | None:
    if not findings:
        return None
    anchor = {} if number is None else {"id": f"location-{number}"}
    heading = node("h3", node("bdi", name)) if name else None
    return node("section", heading, *map(_finding, findings), kind="card", **anchor)


def _finding(finding: Finding) -> Element:
    return node(
        "div",
        node("div", finding.weight.value, kind=f"weight {finding.weight.value}"),
        node(
            "div",
            node("div", node("code", node("bdi", finding.where)), " ", *prose(finding.what)),
            node("div", *prose(finding.why), kind="dim"),
            node("div", REMEDIES[finding.kind], kind="fix"),
        ),
        kind="finding",
    )


def _of_organization(found: OrganizationState) -> Iterator[Child]:
    yield from _headed("Schedules and sensors", _instigators(found))
    yield from _headed("Environment variables, without values", _variables(found))
    yield from _headed("Runs in flight", _runs(found))
    backfills = (
        [b.id, b.of, "not known" if b.partitions is None else str(b.partitions)] for b in found.backfills or ()
    )
    yield from _headed("Backfills", table(["backfill", "of", "partitions"], backfills))
    yield from _headed(
        "Deployments",
        table(["deployment", "type", "agents"], ([d.name, d.type, d.agent_type] for d in found.deployments or ())),
    )
    yield from _headed(
        "Branch deployments",
        table(
            ["deployment", "branch", "pull request", "agents"],
            ([b.name, b.branch, b.pull_request, b.agent_type] for b in found.branches or ()),
        ),
    )
    yield from _headed(
        "Agents",
        table(
            ["agent", "status", "launcher", "version"],
            ([a.label or "unlabelled", a.status, a.kind, a.version] for a in found.agents or ()),
        ),
    )
    yield from _headed(
        "Alert policies",
        table(
            ["policy", "events", "on"],
            ([p.name, ", ".join(p.event_types), _yes(p.enabled)] for p in found.policies or ()),
        ),
    )
    if found.settings:
        text = node("code", json.dumps(found.settings, sort_keys=True, ensure_ascii=False))
        yield from _headed("Settings of the deployment", node("div", text, kind="card"))
    yield from _headed("Not told by Dagster+", table(["question", "answer"], found.unanswered.items()))


def _instigators(found: OrganizationState) -> Element | None:
    rows = (
        [each.name, each.location, each.kind, "on" if each.is_on else "off", "on" if each.on_by_default else "off"]
        for each in found.instigators or ()
    )
    return table(["name", "location", "kind", "now", "by the code"], rows)


def _variables(found: OrganizationState) -> Element | None:
    rows = ([v.name, ", ".join(v.scopes), ", ".join(v.locations) or "all"] for v in found.variables or ())
    return table(["variable", "scopes", "locations"], rows)


def _runs(found: OrganizationState) -> Element | None:
    rows = ([r.id, r.job, r.status, r.location, _yes(r.is_isolated)] for r in found.runs or ())
    return table(["run", "job", "status", "location", "isolated"], rows)


def _of_repository(found: RepositoryState) -> Iterator[Child]:
    at = f" at commit {found.commit}" if found.commit else ""
    yield from _headed(
        "Repository",
        node("p", f"{found.files} files{at}. Nothing of it was imported or run.", kind="dim"),
        table(
            ["location", "folder", "named by", "Dockerfile", "hooks"],
            (
                [
                    each.name,
                    each.folder,
                    f"{each.file}:{each.line}",
                    each.dockerfile,
                    ", ".join(filter(None, (each.pre_hook, each.post_hook))),
                ]
                for each in found.locations
            ),
        ),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
