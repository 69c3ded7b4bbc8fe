"""Handing a deployment over: the one mutation of a switch that must never be left unknown."""

from __future__ import annotations

from collections.abc import Callable

from hybrid.errors import NotReadyError
from hybrid.plus import PlusForbidden, PlusMaintenance, PlusUnreachable
from hybrid.switch.choices import Choices
from hybrid.switch.waiting import wait_for
from hybrid.switch.work import AgentType, SwitchWork

_BUTTONS = {"HYBRID": "Switch to Hybrid", "SERVERLESS": "Switch to Serverless"}


def change_agent_type(work: SwitchWork, wanted: AgentType, choices: Choices, tell: Callable[[str], None]) -> bool:
    """The deployment is of that type when this returns; whether this call has made it so.

    After every answer that leaves open what happened (a dropped connection, an overload, maintenance) the type is read
    before anything is sent again. A token that may not switch: a person is shown what to press, and waited for. Raises
    ``NotReadyError`` when the time is over, and what else Dagster+ says.
    """
    tried = False

    def settle() -> bool | None:
        nonlocal tried
        if work.agent_type() == wanted:
            return tried
        tried = True
        try:
            work.set_agent_type(wanted)
        except (PlusUnreachable, PlusMaintenance) as unknown:
            tell(f"{unknown.what.rstrip('.')}; whether it was done is looked at before it is sent again")
            return None
        return True if work.agent_type() == wanted else None

    try:
        done = wait_for(work, settle, seconds=choices.switch_seconds, poll=choices.poll_seconds)
    except PlusForbidden:
        return _by_hand(work, wanted, choices, tell)
    if done is None:
        raise NotReadyError(
            f"'{work.deployment}' did not become {wanted} within {choices.switch_seconds:g} s.",
            why="Dagster+ took the order, or could not be asked, and the deployment is as it was.",
            next_step=f"look at {work.page}, and at Dagster+'s status page.",
        )
    return done


def _by_hand(work: SwitchWork, wanted: AgentType, choices: Choices, tell: Callable[[str], None]) -> bool:
    tell(
        f"The token may not change the agent type. An Organization Admin opens {work.page} (Deployment, Agents) and "
        f'presses "{_BUTTONS[wanted]}"; this waits for it, {choices.click_seconds / 60:g} minutes at most.'
    )

    def pressed() -> bool | None:
        return True if work.agent_type() == wanted else None

    if wait_for(work, pressed, seconds=choices.click_seconds, poll=choices.poll_seconds):
        tell(f"'{work.deployment}' is {wanted} now.")
        return True
    raise NotReadyError(
        f"Nobody has made '{work.deployment}' {wanted} within {choices.click_seconds / 60:g} minutes.",
        why="The token may not do it.",
        next_step=f'have it pressed ("{_BUTTONS[wanted]}" at {work.page}), or use a token of an Organization Admin.',
    )
