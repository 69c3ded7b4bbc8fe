"""One switch at a time in an organization: a lock on this machine, and a marker in Dagster+ for all others."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hybrid.errors import StackBusyError
from hybrid.plus import PlusForbidden, PlusRejected
from hybrid.switch.journal import Event, Journal
from hybrid.switch.work import MARKER, SwitchWork

CLAIM: Final = "claim"
"""The name under which the journal has it; no step of the walk."""


@contextmanager
def only_one_here(folder: Path, organization: str) -> Iterator[None]:
    """Raises ``StackBusyError`` when another process of this machine switches a deployment of the organization."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"switch-{organization}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackBusyError(
                f"Another `hybrid switch` on this machine is at work in the organization '{organization}'.",
                next_step="wait for it to end: deployments are switched one after the other.",
            ) from None
        yield
    finally:
        os.close(descriptor)


def claim(work: SwitchWork, journal: Journal, tell: Callable[[str], None], *, take_over: bool = False) -> None:
    """The marker is ours when this returns, or the token may not make one, which is said.

    Raises ``StackBusyError`` when it is somebody else's, or nobody knows whose: then ``take_over`` takes it.
    """
    standing = work.marker()
    if standing is not None and journal.facts(CLAIM).get("id") == standing.id:
        return
    if standing is not None:
        if not take_over:
            raise _taken(work)
        work.remove_marker(standing.id)
    if not take_over:
        _refuse_while_another_is_switched(work)
    journal.note(CLAIM, Event.BEGUN)
    try:
        made = work.make_marker(
            f"{_person()}@{socket.gethostname()} {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
        )
    except PlusForbidden:
        tell(f"The token may not set {MARKER}, so a switch from another machine would not be noticed.")
        return
    except PlusRejected:
        if work.marker() is None:
            raise
        raise _taken(work) from None
    journal.note(CLAIM, Event.BEGUN, {"id": made.id})
    if not take_over:
        try:  # of two that began in the same moment both see each other's
            _refuse_while_another_is_switched(work)
        except StackBusyError:
            release(work, journal)
            raise


def release(work: SwitchWork, journal: Journal) -> None:
    """Ours goes; another's stays."""
    mine = journal.facts(CLAIM).get("id")
    standing = work.marker() if mine is not None else None
    if standing is not None and standing.id == mine:
        work.remove_marker(standing.id)
    if journal.last(CLAIM) is not None:
        journal.note(CLAIM, Event.TAKEN_BACK)


def _refuse_while_another_is_switched(work: SwitchWork) -> None:
    others = work.marked_elsewhere()
    if others:
        raise StackBusyError(
            f"A switch of {', '.join(others)} is at work in '{work.organization}', or was and did not end.",
            why="Deployments of an organization are switched one after the other; each of those has the environment "
            f"variable {MARKER}.",
            next_step="wait for it, or have its owner go on or back; if it is dead, the same command with --take-over.",
        )


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())


def _taken(work: SwitchWork) -> StackBusyError:
    return StackBusyError(
        f"A switch of '{work.deployment}' is at work, or was and did not end.",
        why=f"Its deployment has the environment variable {MARKER}, whose value says who began it and when "
        f"({work.page}, Deployment, Environment variables).",
        next_step="wait for it, or have its owner go on or back; if it is dead, the same command with --take-over.",
    )
