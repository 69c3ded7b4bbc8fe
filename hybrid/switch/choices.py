"""How a switch is to be carried out: limits in seconds, and what happens when one is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hybrid.switch.plan import Strategy


@dataclass(frozen=True)
class PlanGiven:
    """The plan that is carried out, as far as the walk has to know it."""

    organization: str
    deployment: str
    fingerprint: str
    digest: str


def _agreed(question: str) -> None:
    """Nobody is asked."""


@dataclass(frozen=True)
class Choices:
    """``ask`` is called with a question before what is not free to undo, and raises when the answer is no."""

    plan: PlanGiven | None = None
    strategy: Strategy = Strategy.AT_ONCE
    """Of a switch that begins; one that was begun goes on by its own, which the journal has. At once: agent queues are
    of Dagster+ Pro."""
    queue: str = "hybrid"
    """How the stack's own agent queue is called where its file names none."""
    runs: Literal["wait", "cancel", "leave"] = "wait"
    """What happens to runs in progress."""
    drain_seconds: float = 1800
    """Half an hour, as `hybrid switch drain`: nobody knows how long runs take."""
    agent_seconds: float = 90
    """How long a Hybrid agent is waited for while the deployment is SERVERLESS; whether Dagster+ shows one then is not
    known. 90: a task on ECS is up in a minute, and a heartbeat comes every 30 s. More where agents start slower
    (``hybrid.switch.platform_times.agent_seconds``)."""
    switch_seconds: float = 600
    """How long an agent type is tried to be changed while Dagster+ does not answer as it should."""
    click_seconds: float = 3600
    """How long a person has to press the button where the token may not switch."""
    load_seconds: float = 900
    """How long locations and the agent may take after the switch, in either direction."""
    departure_seconds: float = 900
    """How long the Serverless agent may take to go."""
    serverless_stays: Literal["stop", "go-on"] = "go-on"
    """When it has not gone by then. By default the walk goes on: all is loaded on Hybrid by then, and paused schedules
    are the greater harm."""
    return_after: float | None = None
    """Go back by itself when not all is loaded so long after the switch; None: never by itself."""
    values: bool = True
    """Whether stored values are copied and verified."""
    leave_unserved: bool = False
    """Switch although the deployment has locations that the stack does not serve."""
    take_over: bool = False
    """Take the marker of a switch that is over or dead."""
    poll_seconds: float = 2.0
    ask: Callable[[str], None] = _agreed
