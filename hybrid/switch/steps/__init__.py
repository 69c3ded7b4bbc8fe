"""The steps of a switch in their order: all locations at once, or one at a time by an agent queue.

What Serverless runs is kept right before the hand-over and not earlier: so the way back, which goes the other way
round, has put it back before it turns schedules on again, which takes loaded locations.
"""

from __future__ import annotations

from typing import Final

from hybrid.switch.plan import Strategy
from hybrid.switch.steps.beforehand import Agent, Gate, Preflight, Prepare
from hybrid.switch.steps.handover import Documents, Switch
from hybrid.switch.steps.moving import (
    AgentOnQueue,
    DepartureOnQueue,
    DrainRest,
    LoadedOnQueue,
    Move,
    PrepareOnQueue,
)
from hybrid.switch.steps.quiet import Drain, Pause, Resume
from hybrid.switch.steps.serving import Departure, Loaded, Serve, Smoke
from hybrid.switch.steps.step import Given, SwitchStep
from hybrid.switch.steps.values import CopyRest, CopyValues, VerifyValues

__all__ = ["BY_QUEUE", "STEPS", "Given", "SwitchStep", "kinds_of", "steps_of"]

STEPS: Final[tuple[type[SwitchStep], ...]] = (
    Preflight,
    Prepare,
    Agent,
    CopyValues,
    Gate,
    Pause,
    Drain,
    CopyRest,
    VerifyValues,
    Documents,
    Switch,
    Serve,
    Loaded,
    Departure,
    Smoke,
    Resume,
)
"""Every step of a switch at once, in the order in which they are done."""

BY_QUEUE: Final[tuple[type[SwitchStep], ...]] = (
    Preflight,
    PrepareOnQueue,
    AgentOnQueue,
    CopyValues,
    Gate,
    Pause,
    Drain,
    CopyRest,
    VerifyValues,
    Documents,
    Move,
    DrainRest,
    Switch,
    Serve,
    LoadedOnQueue,
    Smoke,
    Resume,
    DepartureOnQueue,
)
"""Every step of a switch by queue. Values are copied and compared before the first location moves: a location on one
side could not read what one on the other side stored meanwhile, which is why schedules are paused for the moves."""


def kinds_of(strategy: Strategy) -> tuple[type[SwitchStep], ...]:
    return BY_QUEUE if strategy is Strategy.BY_QUEUE else STEPS


def steps_of(strategy: Strategy, given: Given) -> tuple[SwitchStep, ...]:
    """The steps, ready to be walked."""
    return tuple(kind(given) for kind in kinds_of(strategy))
