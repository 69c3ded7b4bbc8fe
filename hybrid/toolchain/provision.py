"""Getting Pulumi: every way to it in order, one at a time on a machine, and one error that tells of them all."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hybrid.errors import ToolchainError
from hybrid.toolchain.build import ENGINE_VERSION, build, needed_go
from hybrid.toolchain.download import download
from hybrid.toolchain.machine import Machine
from hybrid.toolchain.pulumi import MINIMUM_PULUMI, Pulumi, RouteError, find_pulumi, installed, on_path

Report = Callable[[str], None]

_FOUND: Final = {"Pulumi on PATH": on_path, "the tools folder": installed}
_GOT: Final = {"Pulumi's download": download, f"building {ENGINE_VERSION} from Go modules": build}


def ensure_pulumi(report: Report, machine: Machine | None = None) -> Pulumi:
    """The Pulumi to use; downloaded or built when none is there. ``report`` takes a line for each step.

    Raises ``ToolchainError`` when no way leads to one, with the reason of each.
    """
    machine = machine or Machine.this()
    found = find_pulumi(machine)
    if found is not None:
        return found
    with _one_at_a_time(machine, report):
        return _get(machine, report)


def _get(machine: Machine, report: Report) -> Pulumi:
    reasons = {}
    for name, find in _FOUND.items():
        try:
            return find(machine)
        except RouteError as error:
            reasons[name] = str(error)
    report(f"Pulumi is not here yet; it is got once, into {machine.tools}")
    for name, get in _GOT.items():
        try:
            return get(machine, report)
        except RouteError as error:
            reasons[name] = str(error)
            report(f"{name}: {error}")
        except OSError as error:
            reasons[name] = f"{error.filename or machine.tools} cannot be written: {error.strerror or error}"
    raise ToolchainError(
        "Pulumi is missing and could not be had.",
        why="\n".join(f"- {name}: {reason}" for name, reason in reasons.items()),
        next_step=(
            f"install Pulumi {MINIMUM_PULUMI} or newer (https://www.pulumi.com/docs/install/), or Go {needed_go()} or "
            "newer with a reachable Go module proxy (https://go.dev/doc/install), and run the command again."
        ),
    )


@contextmanager
def _one_at_a_time(machine: Machine, report: Report) -> Iterator[None]:
    """Of two that want Pulumi at once the second waits, then finds what the first got."""
    try:
        machine.tools.mkdir(parents=True, exist_ok=True)
        lock = (machine.tools / "lock").open("w")
    except OSError as error:
        raise ToolchainError(
            f"The folder for tools, {machine.tools}, cannot be written.",
            why=error.strerror or str(error),
            next_step="mend its permissions, or name another with HYBRID_TOOLS.",
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another command is getting Pulumi; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
