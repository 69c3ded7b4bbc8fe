"""A local stack's agent for the commands: a process of this machine, and its code servers and runs beside it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.platforms.commands import LogLine, LogRequest, PlatformCommands, Say
from hybrid.platforms.process_logs import no_log_of_runs, process_log, process_names, unknown
from hybrid.provider.resource import Call
from hybrid.provider.runtime import DirectoryLock, socket_path
from hybrid.provider.supervisor import Supervisor

if TYPE_CHECKING:
    from typing import NoReturn

    from agent.spec import LocalAgentSpec

_AGENT = "agent"


class _Silent:
    """Nobody to tell: stopping takes seconds."""

    def status(self, text: str) -> None: ...

    def info(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...


@dataclass(frozen=True)
class LocalCommands(PlatformCommands):
    """See the module."""

    spec: LocalAgentSpec

    def logs(self, wanted: LogRequest, say: Say) -> None:
        who = self.stack.who
        if wanted.run is not None:
            raise no_log_of_runs(who.stack, who.page, wanted.run)
        known = process_names(who.folder)
        if wanted.location is not None and wanted.location in self.stack.location_names:
            raise UsageError(
                f"Code servers of the local stack '{who.stack}' write into the agent's log.",
                next_step=f"`hybrid agent logs {who.stack}`.",
            )
        if wanted.location is not None or _AGENT not in known:
            raise unknown(who.stack, wanted.location or _AGENT, known)
        for text in process_log(who.folder, _AGENT, wanted.lines, follow=wanted.follow):
            say(LogLine(text))

    def shell(self, location: str | None, command: str, *, checked: bool) -> NoReturn:
        who = self.stack.who
        raise UsageError(
            f"The agent of the stack '{who.stack}' is a process of this machine; there is nothing to enter.",
            next_step=f"`hybrid agent logs {who.stack}`; its folder is {who.folder.process(_AGENT)}.",
        )

    def stop_agent(self) -> bool:
        """Its supervisor too; no error when none runs."""
        directory = self.stack.who.folder.process(_AGENT)
        with DirectoryLock(directory, Call(_Silent(), threading.Event())):
            Supervisor(directory, socket_path(directory)).stop(self.spec.stop_timeout_seconds)
        return True

    @property
    def single(self) -> str:
        return "a second agent on this machine would go down with the first"
