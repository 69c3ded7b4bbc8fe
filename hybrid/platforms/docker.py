"""A Docker stack's agent for the commands: a container, and one for each of its code servers and runs."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.platforms.commands import LogLine, LogRequest, PlatformCommands, Say
from hybrid.platforms.process_logs import no_log_of_runs, process_names, unknown

if TYPE_CHECKING:
    from agent.docker_spec import DockerAgentSpec
    from hybrid.containers.docker import Docker
    from hybrid.toolchain.doctor import Finding

# what the agent's launcher writes on its containers (agent/image/hybrid_docker_launcher.py)
_STACK = "io.dagster-hybrid.stack"
_LOCATION = "io.dagster-hybrid.location"
_RUN = "io.dagster-hybrid.run"
_AGENT = "agent"
_LONGEST_STOP = 150.0  # seconds


@dataclass(frozen=True)
class DockerCommands(PlatformCommands):
    """See the module."""

    spec: DockerAgentSpec

    def logs(self, wanted: LogRequest, say: Say) -> None:
        """Raises ``EngineAbsent``, and ``UsageError`` when the stack has no such container."""
        from hybrid.containers.docker import Docker, DockerFailed

        who = self.stack.who
        if wanted.run is not None:
            raise no_log_of_runs(who.stack, who.page, wanted.run)
        name = wanted.location or _AGENT
        docker = Docker.find(os.environ)
        containers = self._containers(docker)
        if name not in containers:
            raise unknown(who.stack, name, sorted({*process_names(who.folder), *containers}))
        followed = ["--follow"] if wanted.follow else []
        arguments = ["logs", "--tail", str(wanted.lines), *followed, containers[name]]
        if docker.follow(arguments, lambda line: say(LogLine(line + "\n")), lambda: None) != 0:
            raise DockerFailed(f"The log of {containers[name]} ended with an error.", "")

    def _containers(self, docker: Docker) -> dict[str, str]:
        """The stack's containers by what they are called here, runs left out. Of several code servers of a location, as
        while one replaces another, the newest."""
        columns = "\t".join(["{{.Names}}", *(f'{{{{.Label "{label}"}}}}' for label in (_LOCATION, _RUN))])
        # the newest first
        filters = ("--filter", f"label={_STACK}={self.stack.who.stack}")
        containers: dict[str, str] = {}
        for row in docker.lines("ps", "--all", *filters, "--format", columns):
            name, location, run = row.split("\t")
            if name == self._container:
                containers[_AGENT] = name
            elif location and not run:
                containers.setdefault(location, name)
        return containers

    def shell(self, location: str | None, command: str, *, checked: bool) -> list[str]:
        from hybrid.containers.docker import Docker

        if location is not None:
            raise UsageError(
                "In a Docker stack --location is not entered by this command.",
                next_step=f"`docker ps --filter label={_LOCATION}={location}` names its container for "
                "`docker exec -it`.",
            )
        docker = str(Docker.find(os.environ).executable)
        terminal = ["--tty"] if sys.stdin.isatty() else []
        return [docker, "exec", "--interactive", *terminal, self._container, *shlex.split(command)]

    def stop_agent(self) -> bool:
        """One that is not there is made by `up`."""
        from hybrid.containers.docker import Docker

        Docker.find(os.environ).run("stop", self._container, seconds=_LONGEST_STOP, check=False)
        return True

    @property
    def single(self) -> str:
        return "a second agent on the same engine would go down with the first"

    def findings(self) -> list[Finding]:
        from hybrid.toolchain import find_pulumi
        from hybrid.toolchain.containers_doctor import check_plugin

        return [check_plugin(os.environ, find_pulumi())]

    @property
    def _container(self) -> str:
        """The agent's, as agent/docker.py names it."""
        return f"hybrid-{self.stack.who.stack}-agent"
