"""A switch rehearsed: on this machine, with the code of this checkout, there, looked at, and back.

Dagster+ is only read, and that by whoever asks for it (an inspection); from here on everything is the rehearsal's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from hybrid.delivery.stack_file import StackFile
from hybrid.engine import backend
from hybrid.errors import NotReadyError, SettingsError
from hybrid.plus import PlusClient
from hybrid.switch.downtime import Downtime
from hybrid.switch.finding import FindingKind, Weight
from hybrid.switch.inspection import Inspection
from hybrid.switch.journal import Line, read_journal
from hybrid.switch.plan import Plan
from hybrid.switch.rehearsal_assumptions import Assumption, assumptions
from hybrid.switch.rehearsal_containers import RehearsalContainers, registry_of_rehearsal
from hybrid.switch.rehearsal_place import EmulatedServerless, RehearsalPlace, place_for
from hybrid.switch.rehearsal_seed import Seeded, seed
from hybrid.switch.rehearsal_stack import rehearsed_settings
from hybrid.switch.rehearsal_timeline import Timed, Timeline, timeline_of
from hybrid.switch.run import downtime_in, stage_of
from hybrid.workspace import Workspace

_DONE_BY_STEPS: Final = frozenset({FindingKind.STORED_VALUES, FindingKind.INSTIGATORS, FindingKind.RUNS_IN_FLIGHT})
_CHECKOUT_ALONE: Final = "rehearsal"
"""The organization and the stack where neither is given."""


@dataclass(frozen=True)
class RehearsalWishes:
    """``stack`` None: no stack file, all locations under locations/. ``smokes`` (LOCATION:JOB) run before the switch,
    after it, and are the only runs that are executed. ``agent``: where the Hybrid agent of the rehearsal lives;
    ``registry``: where one on Docker gets its images from, None: the stack's own, if that is on this machine."""

    stack: str | None
    assumed: EmulatedServerless
    smokes: tuple[str, ...] = ()
    keep: bool = False
    agent: Literal["local", "docker"] = "local"
    registry: str | None = None


@dataclass(frozen=True)
class Rehearsal:
    """What came of it. ``checks`` are those of `hybrid switch verify`; ``expected`` the plan's seconds of each step,
    low and high (None: not known); ``would_fail`` what the real switch would meet that this one did not, or did."""

    stack: str
    organization: str
    deployment: str
    is_serverless_again: bool
    seeded: Seeded
    timeline: Timeline
    downtime: Downtime | None
    checks: tuple[Mapping[str, Any], ...]
    expected: Mapping[str, tuple[float, float | None]]
    titles: Mapping[str, str]
    differs: tuple[str, ...]
    rests_on: tuple[Assumption, ...]
    would_fail: tuple[str, ...]

    @property
    def failed(self) -> Timed | None:
        """The step at which it ended."""
        return next((each for each in self.timeline.steps if each.failed is not None), None)

    @property
    def holds(self) -> bool:
        """Whether all of it went well: there, verified, and back."""
        wrong = [each for each in self.checks if each.get("is_so") is False]
        there = self.downtime is not None and self.failed is None
        return there and bool(self.checks) and not wrong and self.is_serverless_again

    def document(self) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "organization": self.organization,
            "deployment": self.deployment,
            "holds": self.holds,
            "seeded": self.seeded.document(),
            "downtime": None if self.downtime is None else self.downtime.document(),
            "steps": [{**each.document(), "planned": self.expected.get(each.step)} for each in self.timeline.steps],
            "no_agent_served": self.timeline.gap,
            "checks": [dict(each) for each in self.checks],
            "is_serverless_again": self.is_serverless_again,
            "differs_from_the_real_one": list(self.differs),
            "rests_on": [each.document() for each in self.rests_on],
            "would_fail": list(self.would_fail),
        }


def rehearse(
    real: Workspace,
    wishes: RehearsalWishes,
    inspection: Inspection | None,
    say: Callable[[str], None],
    titles: Mapping[str, str],
) -> Rehearsal:
    """``inspection`` None: nothing is known of the organization, and the checkout's locations are all that there is.

    Raises ``NotReadyError`` when it did not come as far as a switch; a switch that failed is a result. With containers
    also what says that there is no engine, or no registry of this machine.
    """
    state = inspection.organization if inspection is not None else None
    stack = wishes.stack or _CHECKOUT_ALONE
    organization = state.organization if state is not None else _CHECKOUT_ALONE
    deployment = state.deployment.name if state is not None else "prod"
    config = _config(real, wishes.stack)
    containers = _containers(wishes, config)
    with place_for(
        real, stack, organization=organization, deployment=deployment, keep=wishes.keep, containers=containers,
        further=containers.variables(os.environ, config) if containers else None,
    ) as place:  # fmt: skip
        settings = rehearsed_settings(
            config, organization=organization, deployment=deployment, url=place.url, values=place.values,
            checkout=real.root, registry=containers.registry if containers else None, stack=stack,
        )  # fmt: skip
        say(f"copying the checkout to {_shown(place.root, real)}")
        place.fill(settings.config)
        with place.dagster_plus(wishes.assumed), _client(place) as client:
            seeded = seed(client, place.workspace, place.stack, state, say, may_run=bool(wishes.smokes))
            try:
                walked = _walk(place, client, wishes, say)
            finally:
                place.hybrid("down", place.stack, "--yes")
        runs = "only those that --smoke names" if wishes.smokes else "none: they stay in the queue"
        own = f"Runs are executed: {runs}."
        return Rehearsal(
            stack=stack,
            organization=organization,
            deployment=deployment,
            is_serverless_again=walked.is_serverless_again,
            seeded=seeded,
            timeline=timeline_of(walked.lines, walked.downtime),
            downtime=walked.downtime,
            checks=walked.checks,
            expected={each.name: (each.takes.low, each.takes.high) for each in walked.plan.steps},
            titles=titles,
            differs=(*settings.differs, *seeded.differs, own),
            rests_on=assumptions(wishes.assumed),
            would_fail=(*no_key(real, wishes.stack), *would_fail(inspection, seeded.locations, walked.lines)),
        )


@dataclass(frozen=True)
class _Walked:
    plan: Plan
    lines: tuple[Line, ...]
    downtime: Downtime | None
    checks: tuple[Mapping[str, Any], ...]
    is_serverless_again: bool


def _walk(place: RehearsalPlace, client: PlusClient, wishes: RehearsalWishes, say: Callable[[str], None]) -> _Walked:
    """Plan, run, verify, back: by the commands, as in the real switch."""
    file = place.root / "plan.json"
    _need(place, "plan", place.stack, "--strategy", "at_once", "--save", str(file), "--json")
    for each in wishes.smokes:
        _run_on_serverless(client, each, say)
    smokes = [word for each in wishes.smokes for word in ("--smoke", each)]
    limit = str(wishes.assumed.departure_seconds + 180)
    held = [] if wishes.smokes else ["--runs", "cancel"]  # a tick's run never leaves the queue
    held += ["--no-values"] if place.containers is not None else []
    say("the switch, as it is rehearsed")
    place.hybrid(
        "switch", "run", place.stack, "--plan", str(file), "--yes", "--json", "--departure-limit", limit, *held, *smokes
    )
    forth = _lines(place)
    if stage_of(forth) == "new":
        raise NotReadyError("The rehearsed switch did not begin; its words stand above.")
    say("looking at it, and going back")
    checks: tuple[Mapping[str, Any], ...] = ()
    if stage_of(forth) == "done":
        _, out = place.hybrid("switch", "verify", place.stack, "--json")
        checks = tuple(json.loads(out)["checks"]) if out else ()
    place.hybrid("switch", "back", place.stack, "--yes", "--json")
    again = client.current_deployment().agent_type == "SERVERLESS"
    return _Walked(Plan.read(file), _lines(place), downtime_in(forth), checks, again)


def _need(place: RehearsalPlace, *arguments: str) -> None:
    code, _ = place.hybrid("switch", *arguments)
    if code != 0:
        raise NotReadyError(
            f"`hybrid switch {arguments[0]}` ended with {code} in the rehearsal; its words stand above.",
            next_step="mend that, then rehearse again.",
        )


def _run_on_serverless(client: PlusClient, smoke: str, say: Callable[[str], None]) -> None:
    """So that there is a value to copy."""
    from hybrid.switch.rehearsal_seed import until

    location, _, job = smoke.partition(":")
    say(f"running {job} of {location} on the rehearsal's Serverless")
    number = client.launch_run(location, job)
    until(lambda: client.run(number).is_finished, 600, f"the run of {smoke} did not end")


def would_fail(inspection: Inspection | None, rehearsed: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """In sentences: the step that failed here, and what the inspection says must change and no rehearsal here shows."""
    failed = [each for each in timeline_of(lines, None).steps if each.failed is not None]
    found = [f"The step {each.step} failed: {(each.failed or '').splitlines()[0]}" for each in failed if each.failed]
    if inspection is None:
        return [*found, "The organization was not looked at: give a STACK of one, or --inspection FILE."]
    there = {each.name for each in inspection.organization.locations} if inspection.organization else set()
    if missing := sorted(there - set(rehearsed)):
        found.append(f"The stack does not serve {', '.join(missing)}: the first step refuses to go on.")
    musts = [each for each in inspection.of_weight(Weight.MUST) if each.kind not in _DONE_BY_STEPS]
    found += [f"{each.where}: {each.what}" for each in musts]
    return found


def no_key(real: Workspace, stack: str | None) -> list[str]:
    """What `up` of the real stack would say of the key to its secrets; a rehearsal's stack has one of its own."""
    if stack is None or backend.is_personal(real, stack):
        return []
    try:
        backend.require_shared_key(real.stack_file(stack), os.environ)
    except SettingsError as error:
        return [error.sentence()]
    return []


def _containers(wishes: RehearsalWishes, config: Mapping[str, Any]) -> RehearsalContainers | None:
    if wishes.agent == "local":
        return None
    return RehearsalContainers.found(os.environ, registry_of_rehearsal(wishes.registry, config))


def _lines(place: RehearsalPlace) -> tuple[Line, ...]:
    found = read_journal(place.journal)
    return () if found is None else found[1]


def _client(place: RehearsalPlace) -> PlusClient:
    return PlusClient(place.endpoint, place.token)


def _config(real: Workspace, stack: str | None) -> Mapping[str, Any]:
    if stack is None:
        return {}
    found = StackFile(real.stack_file(stack)).setting()
    return found if isinstance(found, Mapping) else {}


def _shown(path: Path, real: Workspace) -> str:
    return str(path.relative_to(real.root)) if path.is_relative_to(real.root) else str(path)
