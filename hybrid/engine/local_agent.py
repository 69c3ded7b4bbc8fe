"""The agent's process of a local stack, from outside its update."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.provider.resource import Call
from hybrid.provider.runtime import DirectoryLock, socket_path
from hybrid.provider.supervisor import Supervisor
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from stacks.identity import StackIdentity


class _Silent:
    """Nobody to tell: stopping takes seconds."""

    def status(self, text: str) -> None: ...

    def info(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...


def stop_agent(workspace: Workspace, who: StackIdentity) -> None:
    """Stop the agent's process and its supervisor; no error when none runs. The next `up` finds it gone and starts it.

    Raises ``UsageError`` for a stack of another platform.
    """
    spec = who.settings.agent
    if spec.kind != "local":
        raise UsageError(f"The agent of the stack '{who.stack}' is no process of this machine.")
    directory = workspace.of_stack(who.stack).process("agent")
    with DirectoryLock(directory, Call(_Silent(), threading.Event())):
        Supervisor(directory, socket_path(directory)).stop(spec.stop_timeout_seconds)
