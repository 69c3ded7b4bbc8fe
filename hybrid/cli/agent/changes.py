"""A change of the agent through its stack: the stack file says it, the update does it, so that state, file and what
stands agree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.errors import HybridError, SettingsError, StoppedError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.delivery.stack_file import Value
    from hybrid.engine.engine import Outcome
    from hybrid.engine.stack import Stack

AGENT = "hybrid:agent"
REDEPLOYED = "Its agent starts anew, and every code location with it."

Named = Annotated[str, typer.Argument(help="The stack: a file stacks/Pulumi.STACK.yaml.", metavar="STACK")]


class AgentSetting:
    """One key below ``hybrid:agent`` of a stack's file."""

    def __init__(self, stack: str, key: str) -> None:
        """Raises ``SettingsError``: there is no such stack file, or it cannot be read."""
        from hybrid.delivery.stack_file import StackFile

        self._workspace = Workspace.of_this_checkout()
        self._stack = stack
        self._key = key
        self._file = StackFile(self._workspace.stack_file(stack))
        self.before: Value | None = self._file.setting(AGENT, key)

    @property
    def shown(self) -> str:
        return f"{AGENT}.{self._key} in {self._file.shown}"

    def set(self, value: Value) -> bool:
        """Write it; whether the file had to be changed. A file that would be wrong with it stays as it was.

        Raises ``SettingsError`` with what is wrong then.
        """
        from hybrid.engine.stack import Stack

        if not self._file.set((AGENT, self._key), value):
            return False
        try:
            Stack.read(self._workspace, self._stack)
        except SettingsError:
            self.restore()
            raise
        return True

    def restore(self) -> None:
        """Give it back the value that it had."""
        if self.before is None:
            self._file.remove((AGENT, self._key))
        else:
            self._file.set((AGENT, self._key), self.before)

    def bring_up(self, stack: str, variables: Mapping[str, str] | None = None) -> Outcome:
        """`up`, with words about the file when that fails: it keeps what was asked for."""
        from hybrid.cli.console import note

        try:
            return bring_up(stack, variables)
        except StoppedError:
            raise
        except HybridError:
            value = self._file.setting(AGENT, self._key)
            note(f"{self.shown} says {value} all the same: `hybrid up {stack}` tries again.")
            raise


def stack_named(name: str) -> Stack:
    """Raises ``SettingsError`` for a stack that is not there or whose file is wrong."""
    from hybrid.engine.stack import Stack

    return Stack.read(Workspace.of_this_checkout(), name)


def bring_up(stack: str, variables: Mapping[str, str] | None = None) -> Outcome:
    """`up` of the stack with its progress; ``variables`` are for the provider, which the engine starts."""
    from hybrid.cli.console import note, notes
    from hybrid.cli.progress import UpdateProgress
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.engine.engine import Engine

    environment = {**os.environ, **(variables or {})}
    engine = Engine(Workspace.of_this_checkout(), stack, pulumi_with_progress(), environment, note)
    with UpdateProgress(notes) as progress:
        return engine.run("up", progress)
