"""The steps of a switch, all locations at once, in their order.

What Serverless runs is kept right before the hand-over and not earlier: so the way back, which goes the other way
round, has put it back before it turns schedules on again, which takes loaded locations.
"""

from __future__ import annotations

from typing import Final

from hybrid.switch.steps.beforehand import Agent, Gate, Preflight, Prepare
from hybrid.switch.steps.handover import Documents, Switch
from hybrid.switch.steps.quiet import Drain, Pause, Resume
from hybrid.switch.steps.serving import Departure, Loaded, Serve, Smoke
from hybrid.switch.steps.step import Given, SwitchStep
from hybrid.switch.steps.values import CopyRest, CopyValues, VerifyValues

__all__ = ["STEPS", "Given", "SwitchStep", "all_at_once"]

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
"""Every step, in the order in which they are done."""


def all_at_once(given: Given) -> tuple[SwitchStep, ...]:
    """The steps, ready to be walked."""
    return tuple(kind(given) for kind in STEPS)
