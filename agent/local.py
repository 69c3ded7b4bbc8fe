"""A Hybrid agent as a supervised process on this machine, with its code servers and runs as processes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.launchers import process_launcher
from agent.spec import LocalAgentSpec
from hybrid.provider.resources import Process, ProcessArgs

# What an agent of this kind leaves running when it is killed (dagster_cloud/workspace/user_code_launcher/process.py).
# Run workers are left alone: they report to Dagster+ by themselves and end in SUCCESS.
_CODE_SERVER = "api grpc"


@dataclass(frozen=True)
class LocalAgentArgs:
    """What a local agent needs."""

    spec: LocalAgentSpec
    label: str
    """How it calls itself in Dagster+."""
    agent_url: str
    """Where Dagster+ answers agents."""
    deployment: str
    token: pulumi.Output[str]
    """A secret; it reaches the process in its environment only."""
    directory: Path
    """The process's folder: its dagster.yaml, log and supervisor."""
    storage: Path
    """Where asset values lie that no IO manager of the team's own takes elsewhere."""
    executable: Path
    """The `dagster-cloud` command of the environment that the agent runs in."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables for the agent and all that it starts."""


class LocalAgent(pulumi.ComponentResource):
    """The real ``dagster-cloud agent run``, with a launcher that notices dead run workers, restarted when it crashes.

    - a ``Process`` whose folder is the agent's home, with the rendered ``dagster.yaml``
    """

    label: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever the process is started anew by an update."""
    started_at: pulumi.Output[str]
    log_file: pulumi.Output[str]

    def __init__(self, name: str, args: LocalAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:LocalAgent", name, None, opts)
        process = Process(
            f"{name}-process",
            ProcessArgs(
                name=name,
                directory=str(args.directory),
                command=[str(args.executable), "agent", "run", str(args.directory)],
                working_directory=str(args.directory),
                environment={"DAGSTER_HOME": str(args.directory), **args.environment},
                secret_environment={AGENT_TOKEN_VARIABLE: args.token},
                files={
                    "dagster.yaml": render(
                        args.spec,
                        process_launcher(args.spec, args.directory / "run_workers"),
                        url=args.agent_url,
                        label=args.label,
                        deployment=args.deployment,
                        compute_logs_folder=args.directory / "compute_logs",
                        storage_folder=args.storage,
                    )
                },
                remove_on_delete=[str(args.directory)],
                leftover_commands=[_CODE_SERVER],
                stop_timeout_seconds=args.spec.stop_timeout_seconds,
                survives_reboot=args.spec.survives_reboot,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.label = pulumi.Output.from_input(args.label)
        self.instance = process.instance
        self.started_at = process.started_at
        self.log_file = process.log_file
        self.register_outputs({"label": self.label})
