"""An Azure stack's agent for the commands: a container app, another for each code server, a job for each run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hybrid.errors import HybridError, NotReadyError, ToolchainError, UsageError
from hybrid.platforms.azure_place import AzurePlace
from hybrid.platforms.commands import LogLine, LogRequest, PlatformCommands, RunningAgent, Say

if TYPE_CHECKING:
    from agent.azure_spec import AzureAgentSpec
    from hybrid.azure.made import CodeServer
    from hybrid.costs.estimate import Estimate
    from hybrid.platforms.azure_standing import AzureStanding
    from hybrid.plus import Agent
    from hybrid.toolchain.doctor import Finding

LIBRARIES: Final = "azure libraries"
SUBSCRIPTION: Final = "azure subscription"
TOKEN: Final = "azure token in plain"  # noqa: S105 - the finding's name


@dataclass(frozen=True)
class AzureCommands(PlatformCommands):
    """See the module."""

    spec: AzureAgentSpec

    @cached_property
    def place(self) -> AzurePlace:
        return AzurePlace.of(self.stack.who)

    def check_beforehand(self) -> None:
        from hybrid.azure.libraries import require_libraries

        require_libraries()

    def logs(self, wanted: LogRequest, say: Say) -> None:
        """Raises ``UsageError`` when lines are to be followed: Azure has them some minutes later."""
        from hybrid.azure.logs import lines_of

        name, is_job = self._logged(wanted)
        if wanted.follow:
            kind = "job" if is_job else "app"
            raise UsageError(
                "Azure has a container's lines some minutes later, so they are not followed by this command.",
                next_step=f"`az container{kind} logs show --follow --name {name} --resource-group {self.place.group}`.",
            )
        door = self.place.door()
        found = lines_of(door, self.place.workspace_id, name, job=is_job, lines=wanted.lines, since=wanted.within)
        for line in found:
            say(LogLine(line.text + "\n", line.at, line.source.rpartition("-")[2]))
        if not found:
            self.report(
                f"Nothing of {name} in the last {wanted.within}; Azure has lines some minutes after they were printed. "
                f"Next: a larger --since, or `hybrid status {self.place.stack}` for why it does not run."
            )

    def _logged(self, wanted: LogRequest) -> tuple[str, bool]:
        """The name of the app or the job, and whether it is a job."""
        if wanted.run is not None:
            from dagster_azure.container_apps.utils import sanitize_aca_name

            with self.plus() as client:
                run = client.run(wanted.run)
            return sanitize_aca_name(f"dagster-run-{run.id}"), True
        if wanted.location is not None:
            return self._server(wanted.location).name, False
        return self.place.agent_app, False

    def _server(self, location: str) -> CodeServer:
        from hybrid.aws.tags import location_hash
        from hybrid.azure.made import made_in

        self.stack.location(location)
        made = made_in(self.place.door(), self.place.group, self.place.environment_id, self.place.agent_app)
        digest = location_hash(self.stack.who.endpoint.deployment, location)
        ours = [server for server in made.servers if server.location_hash == digest]
        if not ours:
            raise NotReadyError(
                f"No code server of {location} is there.",
                next_step=f"`hybrid status {self.place.stack}` says what stands; `hybrid agent logs` why not more.",
            )
        return next((server for server in ours if server.state == "Running"), ours[-1])

    def shell(self, location: str | None, command: str, *, checked: bool) -> list[str]:
        """Raises ``ToolchainError`` when ``az`` is not there."""
        if checked and shutil.which("az") is None:
            raise ToolchainError(
                "A shell in Azure needs az, and PATH has none.",
                why="Container Apps open one by the Azure CLI.",
                next_step="https://learn.microsoft.com/cli/azure/install-azure-cli; `--print` shows the command.",
            )
        name = self.place.agent_app if location is None else self._server(location).name
        where = ["--subscription", self.place.subscription, "--resource-group", self.place.group, "--name", name]
        return ["az", "containerapp", "exec", *where, "--command", command]

    def stop_agent(self) -> bool:
        return False

    @property
    def single(self) -> str:
        return "Azure itself starts the agent anew elsewhere when its machine fails"

    @property
    def agent_image(self) -> str:
        return self.spec.image

    def agent_running(self) -> RunningAgent:
        from hybrid.azure.agent_app import agent_app

        try:
            app = agent_app(self.place.door(), self.place.group, self.place.agent_app, self.place.settings_variable)
        except HybridError as error:
            return RunningAgent(unknown=error.what)
        if app is None:
            return RunningAgent(unknown=f"there is no container app {self.place.agent_app} in {self.place.group}")
        return RunningAgent(app.image or None, app.settings or None)

    def standing(self, agents: Sequence[Agent]) -> AzureStanding:
        from hybrid.platforms.azure_standing import azure_standing

        return azure_standing(self.place, agents)

    def images_in_use(self, registry: str, asked: set[object]) -> Iterator[tuple[str, str]]:
        from hybrid.azure.made import made_in

        yield self.spec.image, f"the agent of the stack {self.place.stack}"
        made = made_in(self.place.door(), self.place.group, self.place.environment_id, self.place.agent_app)
        for server in made.servers:
            yield server.image, f"the code server {server.name} of the stack {self.place.stack}"
        now = datetime.now(UTC)
        for job in made.jobs:
            if job.may_run(now):
                yield job.image, f"the run {job.run_id[:8]} of the stack {self.place.stack}"

    def findings(self) -> list[Finding]:
        from hybrid.azure.ground import problems
        from hybrid.toolchain.doctor import Finding

        try:
            door = self.place.door()
        except HybridError as error:
            return [Finding(LIBRARIES, "missing", error.what, error.next_step), _token_in_plain()]
        found = [Finding(LIBRARIES, "ok", "installed")]
        try:
            in_the_way = problems(door, self.place.wanted)
        except HybridError as error:
            return [*found, Finding(SUBSCRIPTION, "missing", error.what, error.next_step), _token_in_plain()]
        found += [Finding(SUBSCRIPTION, "missing", problem.what, problem.next_step) for problem in in_the_way]
        if not in_the_way:
            found.append(Finding(SUBSCRIPTION, "ok", f"{self.place.subscription}, {self.place.location}"))
        return [*found, _token_in_plain()]

    def monthly_cost(self) -> Estimate:
        from hybrid.platforms.azure_costs import monthly

        return monthly(self.stack, self.spec)


def _token_in_plain() -> Finding:
    """No remedy is known: the launcher has no setting for it."""
    from hybrid.toolchain.doctor import Finding

    return Finding(
        TOKEN,
        "warning",
        "Dagster's launcher writes the agent's token into every code server's app and every run's job as plain text",
        "let nobody read container apps and jobs of the resource group who may not have it (docs/azure.md).",
    )
