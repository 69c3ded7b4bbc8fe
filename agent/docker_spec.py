"""The settings of an agent that lives in a container and starts a container for each location and each run."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from agent.any_spec import DAY, AnyAgentSpec

HostPath = Annotated[str, StringConstraints(pattern=r"^/[^\x00:,]*$", max_length=4096)]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,511}$")]
LogSize = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[kmg]$")]

# Said by the launcher for each container (dagster_cloud/workspace/docker, dagster_docker), so that a second value
# makes every start fail; each with what to do instead.
_LAUNCHERS_OWN: Final = {
    "image": "each location has its own image",
    "command": "the launcher says what a code server and a run start",
    "name": "the launcher names the containers",
    "hostname": "the launcher names the containers",
    "environment": "use `environment` of the agent, or env_vars of a location",
    "network": "use `network` of the agent",
    "ports": "code servers are reached on the stack's network and publish no port",
    "detach": "the launcher starts all containers detached",
    "auto_remove": "how a run ended would be lost; see `finishedRunContainersKeptSeconds`",
    "remove": "how a run ended would be lost; see `finishedRunContainersKeptSeconds`",
    "restart_policy": "the agent itself starts code servers anew, and a run must not be started twice",
}


class DockerAgentSpec(AnyAgentSpec):
    """An agent in a container of a Docker engine; each of its code servers and runs is a container beside it."""

    image_folder: ClassVar[str | None] = "agent/image"

    kind: Literal["docker"] = "docker"
    """The platform on which the agent lives. `docker`: containers of one Docker engine."""

    image: ImageReference | None = None
    """An agent image that was built elsewhere, best by digest. It has to hold what `agent/image` puts into it. Default:
    built from `agent/image` and pushed to `hybrid:registry`."""

    network: NetworkName | None = None
    """Name of the network that the stack makes for its containers. Default: `hybrid-<stack>`. `down` removes every
    container on it, so nothing else belongs there; another name means new containers, and ends runs in progress."""

    socket: HostPath = "/var/run/docker.sock"
    """Path of the engine's socket on the engine's machine; the agent starts containers through it. Default
    /var/run/docker.sock, where Docker has it."""

    registry_credentials: HostPath | None = None
    """Folder on the engine's machine with a Docker `config.json`, by which the agent pulls images. It is mounted
    read-only as a folder, so that a login that is renewed there counts from the next pull on. It must hold the logins
    themselves (`auths`): the agent's image has no credential helper. Default: none, for images that anybody may pull or
    that are on the engine already."""

    container_kwargs: dict[str, Any] = Field(default_factory=dict)
    """What every code server and run is created with: arguments of docker-py's `containers.create`, such as
    `mem_limit: 1g` or `nano_cpus: 500000000`. A location says its own in `container_context.docker.container_kwargs`,
    which replace those of the same name. Default: none, so no limits."""

    memory_mib: int | None = Field(default=None, ge=128, le=1_048_576)
    """How much memory the agent's own container may take, in MiB. Default: no limit; it takes about 125, and an agent
    that is killed starts all code servers anew."""

    cpus: float | None = Field(default=None, ge=0.1, le=1024)
    """How many processors the agent's own container may use. Default: no limit."""

    log_max_size: LogSize = "10m"
    """How large the engine lets a container's log become before it starts another file: a number with k, m or g, for
    the agent, code servers and runs. Default 10m: Docker itself has no limit, and code servers run for months."""

    log_max_files: int = Field(default=3, ge=1, le=100)
    """How many such files the engine keeps for each container. Default 3."""

    finished_run_containers_kept_seconds: int = Field(default=3600, ge=0, le=30 * DAY)
    """How long the container of a finished run is kept, in seconds; nobody else removes them. Default 3600, an hour:
    long enough to look at what a run left. That of a run that is not finished in Dagster+ is never removed."""

    restart: Literal["unless-stopped", "always", "on-failure", "no"] = "unless-stopped"
    """When the engine starts the agent's container again. Default unless-stopped: after a crash and with the engine,
    but not when somebody stopped it."""

    stop_timeout_seconds: int = Field(default=30, ge=1, le=600)
    """How long the agent may take to stop before it is killed, in seconds. Default 30: it stops its code servers first,
    each of which may take ten; killed, it leaves them behind until `down`."""

    def networks(self, stack: str) -> tuple[str, ...]:
        return (self.network or f"hybrid-{stack}",)

    @field_validator("container_kwargs")
    @classmethod
    def _are_of_docker(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        for name in kwargs:
            if name in _LAUNCHERS_OWN:
                raise ValueError(f"`{name}` cannot be given: {_LAUNCHERS_OWN[name]}")
            if name not in _arguments_of_docker():
                raise ValueError(f"`{name[:60]}` is not an argument of docker-py's containers.create")
        return kwargs


def _arguments_of_docker() -> frozenset[str]:
    # imported only when somebody gives some: it takes a tenth of a second
    from docker.models.containers import RUN_CREATE_KWARGS, RUN_HOST_CONFIG_KWARGS  # type: ignore[import-untyped]

    return frozenset({*RUN_CREATE_KWARGS, *RUN_HOST_CONFIG_KWARGS, "stop_timeout", "volumes"})
