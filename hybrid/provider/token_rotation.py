"""When an agent token that another one has taken the place of may be revoked: when no run needs it any more.

A run has the token that its agent had when it launched it, for all its life: Dagster+ refuses its events once that
token is revoked, and the run fails. A code server's is its agent's, too, and a new agent starts its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError, SettingsError
from hybrid.plus.run_words import named, short
from hybrid.provider.connection import Connection
from hybrid.provider.definition import Choice
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call

if TYPE_CHECKING:
    from hybrid.plus import Agent, AgentToken, PlusClient, Run

RUNS_VARIABLE: Final = "HYBRID_RUNS_ON_ROTATION"
SECONDS_VARIABLE: Final = "HYBRID_ROTATION_SECONDS"
RUNS: Final = Choice(
    "RunsOnRotation",
    "What happens to the runs that were launched with a token that is to be revoked.",
    {
        "wait": "they are waited for; when the time is over the token stays, and the update ends with an error",
        "terminate": "they are asked to end, and waited for",
        "leave": "they are named, and fail with their next event",
    },
)
DEFAULT_SECONDS: Final = 3600.0
_MOST_SECONDS: Final = 7 * 86_400.0

# dagster_cloud/agent/dagster_cloud_agent.py (1.13.27) puts both on a run right before it launches it
AGENT_ID_TAG: Final = "dagster/agent_id"
AGENT_LABEL_TAG: Final = "dagster/agent_label"

_LAUNCHED_LATER: Final = frozenset({"QUEUED", "NOT_STARTED"})  # by whatever agent is there then
_POLL_EMBEDDED: Final = 0.2  # seconds; the embedded Dagster+ is for one person
_POLL: Final = 5.0


def described(description: str, rotation: int | None) -> str:
    """The token's name in Dagster+. Each rotation has one of its own, so that none is taken for a leftover."""
    return f"{description}, rotation {rotation}" if rotation else description


def has_successor(tokens: Sequence[AgentToken], inputs: Properties) -> bool:
    """Whether another token of the same agent is good: then this one is rotated, and not taken away with its agent."""
    base, own = inputs["description"], described(inputs["description"], inputs.get("rotation"))
    names = {token.description for token in tokens if not token.revoked}
    return any(name != own and (name == base or name.startswith(f"{base}, rotation ")) for name in names if name)


def release(inputs: Properties, clients: Callable[[Connection], PlusClient], call: Call) -> None:
    """Return when no run needs the token any more.

    ``inputs`` are the ``AgentToken``'s. Raises ``NotReadyError`` when the time is over, ``CancelledError`` on Ctrl-C;
    then the engine keeps the old token among what is to be deleted, and the next update tries again.
    """
    connection = Connection.of(inputs)
    wait = _Wait.of(inputs)
    names = _deployments(inputs, connection, clients(connection))
    looks = [_Look(clients(replace(connection, deployment=name))) for name in names]
    asked: set[str] = set()
    waited = False
    while True:
        found = [(look, look.needing(inputs.get("agentLabel"))) for look in looks]
        # what is launched from now on is launched by the new agent: a deployment without such a run gets none
        looks = [look for look, runs in found if runs]
        needed = [(look.client, run) for look, runs in found for run in runs]
        if not needed:
            break
        waited = True
        runs = [run for _, run in needed]
        if wait.choice == "leave":
            call.report.warning(f"these lose their token: {named(runs)}")
            return
        if wait.choice == "terminate":
            _terminate(needed, asked, call)
        call.report.status(f"the former token is revoked after {named(runs)}; {wait.left():.0f} s left")
        if wait.left() <= 0:
            raise _late(runs, wait)
        call.wait(_POLL_EMBEDDED if connection.is_embedded else _POLL)
    if waited:
        call.report.info("no run needs the former token any more")


@dataclass
class _Look:
    """One deployment's runs that need the token.

    An agent whose heartbeat comes after the first look was started with the new token: the update has waited for the
    agent's place to be taken before it came here. The runs of such an agent need the former token no more.
    """

    client: PlusClient
    heard: dict[str, float] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)

    def needing(self, label: str | None) -> list[Run]:
        launched = [run for run in self.client.runs_in_progress() if run.status not in _LAUNCHED_LATER]
        if not launched:
            return []
        labels = self._listen(self.client.agents())
        return [run for run in launched if self._needs(run, label, labels)]

    def _listen(self, agents: Sequence[Agent]) -> dict[str, str | None]:
        for agent in agents:
            first = self.heard.setdefault(agent.id, agent.last_heartbeat)
            if agent.is_running and agent.last_heartbeat > first:
                self.alive.add(agent.id)
        return {agent.id: agent.label for agent in agents}

    def _needs(self, run: Run, label: str | None, labels: dict[str, str | None]) -> bool:
        agent = run.tags.get(AGENT_ID_TAG)
        launcher = run.tags.get(AGENT_LABEL_TAG) or labels.get(agent or "")
        if label is not None and launcher is not None and launcher != label:
            return False  # another stack's agent, with another token
        return agent not in self.alive


@dataclass(frozen=True)
class _Wait:
    choice: str
    seconds: float
    since: float

    @classmethod
    def of(cls, inputs: Properties) -> _Wait:
        choice = os.environ.get(RUNS_VARIABLE) or str(inputs.get("revokeAfterRuns") or "wait")
        if choice not in RUNS.values:
            raise SettingsError(
                f"{RUNS_VARIABLE} is '{choice}'.",
                why=f"It is one of {', '.join(RUNS.values)}.",
                next_step="correct it or unset it.",
            )
        return cls(choice, _seconds(os.environ.get(SECONDS_VARIABLE, "")), time.monotonic())

    def left(self) -> float:
        return max(0.0, self.seconds - (time.monotonic() - self.since))


def _seconds(said: str) -> float:
    try:
        seconds = float(said) if said else DEFAULT_SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MOST_SECONDS:
        raise SettingsError(
            f"{SECONDS_VARIABLE} is '{said}'.",
            why=f"It is a number of seconds from 0 to {_MOST_SECONDS:g}.",
            next_step="correct it or unset it.",
        )
    return seconds


def _deployments(inputs: Properties, connection: Connection, client: PlusClient) -> list[str]:
    """Those that agents with the token serve."""
    grants = inputs["grants"]
    names = {connection.deployment, *(grants.get("deployments") or ())}
    if grants.get("organization"):
        names |= {deployment.name for deployment in client.deployments()}
    if grants.get("organization") or grants.get("allBranchDeployments"):
        names |= {branch.deployment.name for branch in client.branch_deployments()}
    return sorted(names)


def _terminate(needed: Sequence[tuple[PlusClient, Run]], asked: set[str], call: Call) -> None:
    """Ask each run once. One that ended meanwhile refuses, and one that stays is told of when the time is over."""
    from hybrid.plus import PlusNotFound, PlusRejected

    for client, run in needed:
        if run.id in asked or run.status == "CANCELING":
            continue
        asked.add(run.id)
        try:
            client.terminate_run(run.id)
        except (PlusNotFound, PlusRejected) as error:
            call.report.info(f"{short(run)} was not terminated: {error.what}")


def _late(runs: Sequence[Run], wait: _Wait) -> NotReadyError:
    return NotReadyError(
        f"After {wait.seconds:g} s the former agent token is still needed by {named(runs)}.",
        why="The agent works with the new one already. The former one stays good, so that these runs can end.",
        next_step=f"when they have ended, run `up` again: it revokes it. {RUNS_VARIABLE}=terminate ends them, "
        f"{RUNS_VARIABLE}=leave revokes it at once, which makes them fail; {SECONDS_VARIABLE} is how long it waits.",
    )
