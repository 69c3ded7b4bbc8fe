"""A Hybrid agent in a container of a Docker engine, with a container beside it for each code server and each run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from agent.dagster_yaml import render
from agent.docker_spec import DockerAgentSpec
from agent.launchers import docker_launcher
from hybrid.provider.container_resources import (
    ContainerState,
    ContainerStateArgs,
    ContainerSweep,
    ContainerSweepArgs,
)
from hybrid.provider.container_sweep import STACK_LABEL

# Where things lie in the agent's container; agent/image/Dockerfile makes these folders.
HOME: Final = "/opt/dagster/home"
STORAGE: Final = "/opt/dagster/storage"
TOKEN_FILE: Final = "/run/secrets/dagster-agent-token"  # noqa: S105 - a path
_DOCKER_CONFIG: Final = "/run/docker-login"
_SOCKET: Final = "/var/run/docker.sock"  # the launcher pulls by docker-py's default address, whatever DOCKER_HOST says

# A restarted agent is another one to Dagster+, and takes its predecessor's code servers for orphans only after an hour
# (dagster_cloud/workspace/user_code_launcher/user_code_launcher.py). The stack has one agent that heartbeats every
# 30 s, so that a minute and a half without one is enough.
_ORPHANS: Final = {
    "DAGSTER_CLOUD_ACTIVE_AGENT_HEARTBEAT_INTERVAL": "90",
    "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": "120",
    "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL": "120",
}


@dataclass(frozen=True)
class DockerAgentArgs:
    """What a Docker agent needs."""

    spec: DockerAgentSpec
    stack: str
    """The stack's name, which is the label of all its containers."""
    label: str
    """How it calls itself in Dagster+."""
    agent_url: str
    """Where Dagster+ answers agents, as containers reach it."""
    deployment: str
    token: pulumi.Output[str]
    """A secret; it reaches the container as a file only."""
    image: pulumi.Input[str]
    """The agent's image, by digest."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables for the agent alone; those for code as well are the spec's."""
    host: str | None = None
    """The engine's address when Pulumi's docker provider was given one; else Docker's own settings decide."""

    @property
    def network(self) -> str:
        """The network's name."""
        return self.spec.networks(self.stack)[0]

    @property
    def volume(self) -> str:
        """The name of the volume with asset values."""
        return f"hybrid-{self.stack}-storage"


class DockerAgent(pulumi.ComponentResource):
    """The real ``dagster-cloud agent run`` in a container, whose launcher starts containers of the stack.

    - a network and a volume of the stack's own
    - a ``ContainerSweep``, which on the way down removes what the agent's launcher has left
    - the agent's image and container, and the ``ContainerState`` that it runs
    """

    label: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever the agent is started anew."""
    started_at: pulumi.Output[str]
    container: pulumi.Output[str]
    """The id of the agent's container."""
    network: pulumi.Output[str]

    def __init__(self, name: str, args: DockerAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:DockerAgent", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        network = docker.Network(f"{name}-network", name=args.network, labels=_network_labels(args), opts=inside)
        volume = docker.Volume(f"{name}-storage", name=args.volume, labels=_volume_labels(args), opts=inside)
        # Deleted in the reverse order: the agent's container, what its launcher started, then what those were on.
        sweep = ContainerSweep(
            f"{name}-sweep",
            ContainerSweepArgs(stack=args.stack, network=network.name, host=args.host),
            pulumi.ResourceOptions(parent=self, depends_on=[volume]),
        )
        image = docker.RemoteImage(f"{name}-container-image", name=args.image, keep_locally=True, opts=inside)
        container = docker.Container(
            f"{name}-container",
            image=image.image_id,
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
            **_container(args, volume.name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sweep], delete_before_replace=True),
        )
        state = ContainerState(f"{name}-state", ContainerStateArgs(container=container.id, host=args.host), inside)
        self.label = pulumi.Output.from_input(args.label)
        self.instance = state.instance
        self.started_at = state.started_at
        self.container = container.id
        self.network = network.name
        self.register_outputs({"label": self.label, "network": self.network})


def _container(args: DockerAgentArgs, volume: pulumi.Output[str]) -> dict[str, Any]:
    """The agent's container, but for image and network."""
    spec = args.spec
    text = _dagster_yaml(args)
    return {
        "name": f"hybrid-{args.stack}-agent",
        "hostname": f"hybrid-{args.stack}-agent",
        "envs": [f"{name}={value}" for name, value in sorted(_environment(args).items())],
        "uploads": [
            docker.ContainerUploadArgs(file=f"{HOME}/dagster.yaml", content=text),
            docker.ContainerUploadArgs(file=TOKEN_FILE, content=pulumi.Output.secret(args.token), permissions="0400"),
        ],
        "volumes": [docker.ContainerVolumeArgs(volume_name=volume, container_path=STORAGE)],
        "mounts": _mounts(spec),
        "labels": [
            docker.ContainerLabelArgs(label=STACK_LABEL, value=args.stack),
            # the engine does not show what was put into a container, so that its label says whether it is this
            docker.ContainerLabelArgs(label="io.dagster-hybrid.configuration", value=_digest(text)),
        ],
        "restart": spec.restart,
        # with it the provider deletes a container that ended, and its log, already at a preview; see ContainerState
        "must_run": False,
        "log_driver": "json-file",
        "log_opts": {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
        "healthcheck": _healthcheck(spec),
        "memory": spec.memory_mib,
        "cpus": None if spec.cpus is None else f"{spec.cpus:g}",
        "destroy_grace_seconds": spec.stop_timeout_seconds,
        "stop_timeout": spec.stop_timeout_seconds,
    }


def _dagster_yaml(args: DockerAgentArgs) -> str:
    launcher = docker_launcher(
        args.spec, stack=args.stack, network=args.network, storage_volume=args.volume, storage_folder=STORAGE
    )
    return render(
        args.spec,
        launcher,
        url=args.agent_url,
        label=args.label,
        deployment=args.deployment,
        storage_folder=Path(STORAGE),
    )


def _environment(args: DockerAgentArgs) -> dict[str, str]:
    login = {} if args.spec.registry_credentials is None else {"DOCKER_CONFIG": _DOCKER_CONFIG}
    return {**_ORPHANS, **login, **args.environment, **args.spec.environment}


def _mounts(spec: DockerAgentSpec) -> list[docker.ContainerMountArgs]:
    """What is the machine's. As mounts, which a path that is not there makes fail; as a volume the engine would make a
    folder of that name, and the agent would start again and again without its socket."""
    mounted = [docker.ContainerMountArgs(type="bind", source=spec.socket, target=_SOCKET)]
    if spec.registry_credentials is not None:
        login = docker.ContainerMountArgs(
            type="bind", source=spec.registry_credentials, target=_DOCKER_CONFIG, read_only=True
        )
        mounted.append(login)
    return mounted


def _healthcheck(spec: DockerAgentSpec) -> docker.ContainerHealthcheckArgs:
    """The image's own, with the time that this agent's code servers may take to load."""
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", "python3", "-S", "-E", "/opt/dagster/own/hybrid_agent_health.py"],
        interval="15s",
        timeout="10s",
        retries=3,
        start_period=_duration(spec.startup_timeout_seconds + 60),
    )


def _duration(seconds: int) -> str:
    """As Go spells it, which is how the provider reads it back: 4m0s, 1h0m30s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{left}s"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _network_labels(args: DockerAgentArgs) -> list[docker.NetworkLabelArgs]:
    return [docker.NetworkLabelArgs(label=STACK_LABEL, value=args.stack)]


def _volume_labels(args: DockerAgentArgs) -> list[docker.VolumeLabelArgs]:
    return [docker.VolumeLabelArgs(label=STACK_LABEL, value=args.stack)]
