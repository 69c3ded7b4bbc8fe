"""Whether a switch holds: Hybrid serves, from what the stack says, and nothing of before is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hybrid.switch.journal import Line
from hybrid.switch.serverless_agents import SILENT_SECONDS, serverless_agents, still_there
from hybrid.switch.steps.serving import is_loaded
from hybrid.switch.work import SwitchWork


@dataclass(frozen=True)
class Check:
    """One thing that has to be so. ``is_so`` None: it cannot be told."""

    name: str
    is_so: bool | None
    words: str

    def document(self) -> dict[str, Any]:
        return {"check": self.name, "is_so": self.is_so, "words": self.words}


def verify(work: SwitchWork, lines: Sequence[Line], *, smoke: bool = False) -> list[Check]:
    """``lines`` are the journal's; without a journal what was before is not known. ``smoke``: also run the jobs."""
    checks = [_agent_type(work), *_agents(work), *_locations(work)]
    checks += [_on(work, _fact(lines, "preflight", "on")), _variables(work, _fact(lines, "preflight", "variables"))]
    if smoke:
        for one in work.smoke():
            checks.append(Check(f"run of {one.job} in {one.location}", one.is_well, f"{one.status}, {one.url}"))
    return checks


def _fact(lines: Sequence[Line], step: str, fact: str) -> Any:
    found = (line.facts[fact] for line in reversed(lines) if line.step == step and fact in line.facts)
    return next(found, None)


def _agent_type(work: SwitchWork) -> Check:
    found = work.agent_type()
    return Check("agent type", found == "HYBRID", found)


def _agents(work: SwitchWork) -> list[Check]:
    agents = work.agents()
    running = [agent for agent in agents if agent.label == work.agent_label and agent.is_running]
    # the record of one whose place was taken, at the hand-over or at a restart, says RUNNING for a while longer
    mine = still_there(running, work.now()) or running
    versions = sorted({str(agent.metadata.get("version")) for agent in mine if agent.metadata.get("version")})
    version = f", version {', '.join(versions)}" if versions else ""
    silent = len(running) - len(mine)
    words = f"{len(mine)} RUNNING{version}" + (f", {silent} more silent for {SILENT_SECONDS:.0f} s" if silent else "")
    checks = [Check(f"agent {work.agent_label}", bool(mine), words)]
    left = still_there(serverless_agents(agents), work.now())
    if work.others_on_serverless():
        checks.append(Check("Serverless gone", None, "other deployments are on Serverless, so it cannot be told"))
    else:
        status = work.serverless_status()
        gone = not left and status not in {"ACTIVE", "DELETING"}
        checks.append(Check("Serverless gone", gone, f"{status}, {len(left)} of its agents RUNNING"))
    return checks


def _locations(work: SwitchWork) -> list[Check]:
    found = work.locations()
    checks = []
    for wanted in work.wanted():
        status = found.get(wanted.name)
        words = "not there" if status is None else status.loaded_image or status.load_status
        if status is not None and status.error is not None:
            words = status.error.reason
        expected = f"; expected is {wanted.image}" if wanted.image and not is_loaded(wanted, found) else ""
        checks.append(Check(f"location {wanted.name}", is_loaded(wanted, found), f"{words}{expected}"))
    return checks


def _on(work: SwitchWork, before: Sequence[str] | None) -> Check:
    if before is None:
        return Check("schedules and sensors", None, "the journal does not say what was on")
    now = set(work.instigators_on())
    off = sorted(set(before) - now)
    further = sorted(now - set(before))
    words = f"not on: {', '.join(off)}" if off else f"{len(before)} on as before"
    new = f"; new: {', '.join(further)}" if further else ""
    return Check("schedules and sensors", not off, f"{words}{new}")


def _variables(work: SwitchWork, before: Sequence[str] | None) -> Check:
    now = work.variable_names()
    if before is None or now is None:
        return Check("variables", None, "they were, or are, not to be seen with this token")
    missing = sorted(set(before) - set(now))
    return Check("variables", not missing, f"missing: {', '.join(missing)}" if missing else f"{len(before)} as before")
