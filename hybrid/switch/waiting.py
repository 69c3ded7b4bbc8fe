"""Waiting for what Dagster+ says, also across a while in which it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hybrid.plus import PlusMaintenance, PlusUnreachable
from hybrid.switch.work import SwitchWork

_T = TypeVar("_T")


def wait_for(work: SwitchWork, look: Callable[[], _T | None], *, seconds: float, poll: float) -> _T | None:
    """What ``look`` answers as soon as it is not None; None when the time is over. A Dagster+ that is overloaded, in
    maintenance or out of reach is looked at again; if it never answered, its error is raised at the end."""
    deadline = work.now() + seconds
    last: PlusUnreachable | PlusMaintenance | None = None
    answered = False
    while True:
        try:
            if (found := look()) is not None:
                return found
            answered, last = True, None
        except (PlusUnreachable, PlusMaintenance) as error:
            last = error
        if work.now() >= deadline:
            break
        work.sleep(poll)
    if last is not None and not answered:
        raise last
    return None
