"""Dagster+ on this machine, for a stack that names no organization."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from hybrid.provider.resources import Process, ProcessArgs
from stacks.identity import StackIdentity, release


@dataclass(frozen=True)
class EmbeddedDagsterPlusArgs:
    """Which stack it serves; port, names and folders follow from that."""

    who: StackIdentity
    python: Path
    """The interpreter that has the emulator's packages."""
    also_listen: tuple[str, ...] = ()
    """Addresses of this machine beside the loopback one, for agents in containers."""


class EmbeddedDagsterPlus(pulumi.ComponentResource):
    """The emulator as a supervised process.

    - a ``Process``; it counts as started when its socket listens, so that what needs it starts meanwhile
    """

    instance: pulumi.Output[str]

    def __init__(self, name: str, args: EmbeddedDagsterPlusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:stacks:EmbeddedDagsterPlus", name, None, opts)
        who, settings, agent = args.who, args.who.settings.emulator, args.who.settings.agent
        self.process = Process(
            f"{name}-process",
            ProcessArgs(
                name=name,
                directory=str(who.folder.process(name)),
                command=[
                    *(str(args.python), "-m", "hybrid.emulator"),
                    *("--data", str(who.folder.emulator)),
                    *("--port", str(settings.port)),
                    *("--organization", who.endpoint.organization),
                    *("--deployment", who.endpoint.deployment),
                    *(part for address in args.also_listen for part in ("--also-listen", address)),
                ],
                working_directory=str(who.folder.root),
                port=settings.port,
                stop_timeout_seconds=10,  # it ends in under one
                survives_reboot=agent.starts_at_boot,
                environment={"HYBRID_RELEASE": release()},
                readiness_url=f"{who.endpoint.url}/health",
                remove_on_delete=[] if settings.keep_history else [str(who.folder.emulator), str(who.folder.storage)],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.instance = self.process.instance
        self.register_outputs({"url": who.endpoint.url})
