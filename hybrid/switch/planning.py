"""A plan made of an inspection, of what the stack's file says, and of the fixes: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.errors import UsageError
from hybrid.redaction import redact
from hybrid.switch.finding import FindingKind, Weight, counted
from hybrid.switch.fixes.catalogue import Fixes
from hybrid.switch.fixes.fix import Fix
from hybrid.switch.inspection import Inspection
from hybrid.switch.organization import OrganizationState
from hybrid.switch.plan import Plan, PlannedStep, Prerequisite, Span, State, Strategy, Task, parts_of
from hybrid.switch.planned_steps import Sizes, downtime, steps
from hybrid.switch.standby import can_load

_RIGHTS: Final = {
    "right_to_switch": ("may_switch", "change the agent type and make agent tokens", "Organization Admin"),
    "right_to_edit_locations": ("may_edit_locations", "add and change code locations", "Editor"),
    "right_to_launch": ("may_launch_runs", "launch and end runs", "Launcher"),
}
_NOT_TO_BE_DONE: Final = frozenset({FindingKind.RIGHTS, FindingKind.AGENT_TYPE})
"""Findings that are prerequisites here."""
_BY_STEPS: Final = frozenset({FindingKind.STORED_VALUES, FindingKind.INSTIGATORS, FindingKind.RUNS_IN_FLIGHT})
"""Findings that steps of the plan take care of."""


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a stack's file says, as far as a plan needs it. ``served`` None: all folders under locations/."""

    stack: str
    agent: str
    served: tuple[str, ...]
    phase: Literal["prepare", "standby", "serve"]
    io_manager: bool
    needs_images: bool = True
    """Whether its agent runs locations from images alone."""
    values_place: str | None = None
    """Where stored values are copied to; None: the stack has no place for them."""


def plan_of(
    inspection: Inspection,
    stack: StackFacts,
    fixes: Fixes,
    not_written: Collection[str],
    *,
    made_at: str,
    strategy: Strategy | None = None,
) -> Plan:
    """``not_written`` are the paths of proposed files that are not there as proposed. ``strategy`` None: by queue where
    the organization's plan has queues, else all at once.

    Raises ``UsageError`` for an inspection without Dagster+, and for a strategy that the organization cannot do.
    """
    state = inspection.organization
    if state is None:
        raise UsageError(
            "A plan needs what Dagster+ tells, and this inspection was made offline.",
            next_step="`hybrid switch inspect STACK --save FILE` without --offline.",
        )
    chosen, why = _strategy(state, strategy)
    tasks = tuple(_task(fix, not_written) for fix in fixes.fixes if fix.finding.kind not in _NOT_TO_BE_DONE)
    sizes = _sizes(state, stack, tasks)
    planned = steps(sizes, chosen)
    return Plan(
        stack=stack.stack,
        organization=state.organization,
        deployment=state.deployment.name,
        url=state.url,
        fingerprint=state.fingerprint(),
        parts=parts_of(state),
        inspected_at=inspection.taken_at,
        made_at=made_at,
        strategy=chosen,
        why_strategy=why,
        locations=tuple(sorted(each.name for each in state.locations)),
        prerequisites=tuple(_prerequisites(state, stack, tasks, chosen)),
        steps=planned,
        tasks=tasks,
        downtime=downtime(planned, chosen),
        assumptions=_assumptions(planned),
    )


def _strategy(state: OrganizationState, wanted: Strategy | None) -> tuple[Strategy, str]:
    queues = state.has_queues
    if wanted is Strategy.BY_QUEUE and queues is False:
        raise UsageError(
            "The organization cannot switch by queue.",
            why=f"Agent queues are of Dagster+ Pro, and its plan is {state.plan}.",
            next_step="leave --strategy away, or give at_once.",
        )
    if wanted is not None:
        return wanted, "It was asked for."
    if queues:
        return Strategy.BY_QUEUE, f"The plan {state.plan} has agent queues: no location is ever without an agent."
    if queues is None:
        return Strategy.AT_ONCE, "Dagster+ does not say which plan it is, so agent queues cannot be counted on."
    return Strategy.AT_ONCE, f"The plan {state.plan} has no agent queues, which moving locations one by one takes."


def _task(fix: Fix, not_written: Collection[str]) -> Task:
    paths = tuple(each.path for each in fix.files)
    weight = fix.finding.weight
    is_open = any(path in not_written for path in paths) or bool(fix.by_hand and weight is not Weight.KNOW)
    return Task(
        fix.finding.kind.value,
        weight.value,
        redact(fix.finding.where),
        fix.finding.location,
        redact(fix.title),
        paths,
        tuple(redact(each) for each in fix.by_hand),
        tuple(redact(each) for each in fix.afterwards),
        is_open and fix.finding.kind not in _BY_STEPS,
    )


def _sizes(state: OrganizationState, stack: StackFacts, tasks: tuple[Task, ...]) -> Sizes:
    return Sizes(
        agent=stack.agent,
        locations=len(state.locations),
        assets=sum(each.assets or 0 for each in state.locations),
        assets_known=all(each.assets is not None for each in state.locations),
        instigators=len(state.on()),
        runs=None if state.runs is None else len(state.runs),
        stands_by=not all(can_load(each.document, needs_images=stack.needs_images) for each in state.locations),
    )


def _prerequisites(
    state: OrganizationState, stack: StackFacts, tasks: tuple[Task, ...], strategy: Strategy
) -> Iterator[Prerequisite]:
    kind = state.deployment.agent_type
    yield Prerequisite(
        "agent_type",
        State.OK if kind == "SERVERLESS" else State.MISSING,
        f"The deployment's agent type is {kind}.",
        "" if kind == "SERVERLESS" else "Nothing is to be switched; `hybrid up` serves it.",
    )
    for name, (attribute, words, role) in _RIGHTS.items():
        may = getattr(state.rights, attribute)
        yield Prerequisite(
            name,
            State.UNKNOWN if may is None else State.OK if may else State.MISSING,
            f"The token may {'' if may else 'not '}{words}."
            if may is not None
            else f"Whether it may {words}: not known.",
            "" if may else f"Use a user token with the role {role}, or have somebody with it at hand.",
        )
    yield from _of_locations(state, stack)
    yield from _of_tasks(tasks, stack.stack)
    lacking = [each for each in tasks if each.kind == FindingKind.DEFAULT_IO_MANAGER.value]
    if lacking:
        yield Prerequisite(
            "io_manager",
            State.OK if stack.io_manager else State.MISSING,
            f"`hybrid:assetValues.ioManager` is {'on' if stack.io_manager else 'off'} in the stack's file.",
            ""
            if stack.io_manager
            else f"`hybrid switch plan {stack.stack} --write` turns it on, or give the assets one.",
        )
    yield Prerequisite(
        "clean_preview",
        State.UNKNOWN,
        "A preview is not made by a plan.",
        f"`hybrid preview {stack.stack}` shows what the first step will make; the switch itself begins with it.",
    )
    yield Prerequisite(
        "values_place",
        State.MISSING if stack.values_place is None else State.OK,
        f"Stored values go to {stack.values_place}."
        if stack.values_place
        else "The stack has no place for stored values: the step copy_values would end the walk.",
        ""
        if stack.values_place
        else "Name a bucket or a container in `hybrid:assetValues`, or switch with --no-values if none are needed.",
    )
    yield Prerequisite(
        "values_copied",
        State.UNKNOWN,
        "Whether stored values are copied is not asked here.",
        f"`hybrid assets copy {stack.stack}` now makes the step of the same name short; `hybrid assets status` tells.",
    )
    if strategy is Strategy.BY_QUEUE:
        yield Prerequisite(
            "agent_queue",
            State.OK if state.has_queues else State.UNKNOWN,
            f"The organization's plan is {state.plan or 'not known'}; agent queues are of Dagster+ Pro.",
        )


def _of_locations(state: OrganizationState, stack: StackFacts) -> Iterator[Prerequisite]:
    there = {each.name for each in state.locations}
    missing = sorted(there - set(stack.served))
    yield Prerequisite(
        "locations_served",
        State.MISSING if missing else State.OK,
        f"The stack does not serve {', '.join(missing)}."
        if missing
        else "The stack serves every location that is there.",
        "Name them in `hybrid:locations` of the stack's file, or remove them in Dagster+." if missing else "",
    )
    failed = sorted(each.name for each in state.locations if each.status == "FAILED")
    yield Prerequisite(
        "locations_load_now",
        State.MISSING if failed else State.OK,
        f"Not loaded on Serverless: {', '.join(failed)}." if failed else "Every location loads on Serverless.",
        "Mend them first." if failed else "",
    )


def _of_tasks(tasks: tuple[Task, ...], stack: str) -> Iterator[Prerequisite]:
    images = {FindingKind.PEX_BUILD.value, FindingKind.DOCKER_HOOKS.value, FindingKind.NO_IMAGE.value}
    without = sorted({each.location or each.where for each in tasks if each.kind in images and each.open})
    yield Prerequisite(
        "images",
        State.MISSING if without else State.OK,
        f"No Dockerfile yet, or not as it would be now: {', '.join(without)}."
        if without
        else "Every location has a Dockerfile or an image.",
        f"`hybrid switch plan {stack} --write` writes them, as far as it can; what follows says the rest."
        if without
        else "",
    )
    others = [each for each in tasks if each.open and each.weight == Weight.MUST.value and each.kind not in images]
    yield Prerequisite(
        "findings",
        State.MISSING if others else State.OK,
        f"{counted(len(others), 'finding')} not dealt with yet." if others else "Nothing else has to be done first.",
        "Work through what the plan lists as open." if others else "",
    )


def _assumptions(planned: tuple[PlannedStep, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.takes.why for each in planned if each.takes.why))


__all__ = ["Span", "StackFacts", "plan_of"]
