"""The settings of an agent on ECS, on Fargate; each of its code servers is an ECS service, each run a task.

Where the output of steps goes decides who needs S3 (read in dagster-cloud and dagster-aws of the pinned version): with
``computeLogs: bucket`` code servers and runs write it themselves, so their role needs ``s3:PutObject`` and
``s3:AbortMultipartUpload`` below the prefix; an upload while a step runs also asks for the object
(``s3:GetObject``, and does without). The agent makes the log manager and never calls it: no request of Dagster+ to an
agent reads logs (``DagsterCloudApi`` of dagster_cloud/api/dagster_cloud_api.py), so its role needs nothing of S3. Nor
does anybody sign addresses for Dagster+: it shows a link to the object in the console, for those who may open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from agent.any_spec import AnyAgentSpec, VariableName
from agent.docker_spec import ImageReference
from agent.ecs_grants import NamedByLocations, named_in_context
from agent.ecs_parts import (
    AdoptedNamespace,
    ComputeLogs,
    ContainerInsights,
    SecretArn,
    ServerHealthCheck,
    ServerSize,
    TaskSize,
    Volume,
)
from agent.ecs_timing import LONGEST_STOP, EcsTiming, timing
from agent.proxy import PROXY_VARIABLES, Proxy
from hybrid.aws.fargate import size_problem

AGENT_VERSION: Final = "1.13.27"
"""The dagster-cloud of the default agent image: the one that this project's tests hold its settings against."""

AGENT_IMAGE: Final = f"public.ecr.aws/dagster/dagster-cloud-agent:{AGENT_VERSION}"
"""Dagster's own image, from a gallery that asks no login of AWS and does not turn anybody away for pulling often."""

_DAGSTERS_OWN: Final = ("public.ecr.aws/dagster/", "docker.io/dagster/", "dagster/")

_FOR_THE_BUCKET: Final = {
    "dagster-aws": "by it runs write the output of steps, as `hybrid:agent.computeLogs` is `bucket`"
}

ClusterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
SecretsTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 _.:/=+@-]{1,128}$")]

_CAPACITY: Final = (
    "the agent starts code servers by launch type and knows no capacity providers "
    "(github.com/dagster-io/dagster-cloud/issues/29); runs may use Fargate Spot: `spotRuns`"
)
_NO_GPUS: Final = "Fargate has none; stand up a second agent on machines that have some, with a queue of its own"
_NOT_ON_ECS: Final = {
    "launchType": (
        "the agent starts all its code servers and runs in one way, and here that is Fargate; for machines of your own "
        "stand up a second agent on them and give it a queue (`queues.additional`)"
    ),
    "capacityProviders": _CAPACITY,
    "capacityProviderStrategy": _CAPACITY,
    "gpu": _NO_GPUS,
    "gpus": _NO_GPUS,
    "taskRoleArn": "roles are the stack's; a location gets its own by `hybrid:aws.locationRoles`",
    "executionRoleArn": "roles are the stack's; a location gets its own by `container_context.ecs.execution_role_arn`",
    "subnets": "the network is `hybrid:aws.network`",
    "assignPublicIp": "the network says it: `hybrid:aws.network`",
    "tags": "tags are `hybrid:aws.tags`; they go on what the agent makes, too",
}

_OURS: Final = {
    "DAGSTER_HOME": "the stack decides where the agent's settings lie",
    "DAGSTER_CLOUD_AGENT_TOKEN": "the stack makes the agent's token and gives it as a secret",
    "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": "the agent's health check looks there",
    "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": "use `cleanupGraceSeconds`",
    "HTTP_PROXY": "use `proxy`",
    "HTTPS_PROXY": "use `proxy`",
    "NO_PROXY": "use `proxy`",
    "HYBRID_DAGSTER_YAML": "the stack gives the agent its settings there",
}


class EcsAgentSpec(AnyAgentSpec):
    """An agent as a service of ECS on Fargate; each of its code servers is a service beside it, each run a task."""

    makes_registry: ClassVar[bool] = True
    makes_bucket: ClassVar[bool] = True
    needs_organization: ClassVar[bool] = True
    cloud: ClassVar[str | None] = "aws"
    image_folder: ClassVar[str | None] = "agent/mirror"
    refuses_repetition: ClassVar[bool] = True

    not_here: ClassVar[Mapping[str, str]] = _NOT_ON_ECS
    own_variables: ClassVar[Mapping[str, str]] = _OURS
    isolated_unless_alone: ClassVar[bool] = True

    kind: Literal["ecs"] = "ecs"
    """The platform on which the agent lives. `ecs`: Fargate tasks of an AWS account, which `hybrid:aws` describes."""

    isolated: bool = False
    """Whether requests are bound to the agent that started them (Dagster's `isolated_agents`). Default: true with
    `zeroDowntime` or several `replicas`, which need it; else false."""

    image: ImageReference = AGENT_IMAGE
    """The agent's image, best by digest. It needs `dagster-cloud[ecs]` and a shell. Default: Dagster's own of the
    version that this project is held against."""

    mirror_image: bool = False
    """Whether `up` copies the agent's image into the stack's registry, and the agent runs from there. Default false.
    For networks without a way to public registries, and for teams that scan what they run. It needs Docker."""

    architecture: Literal["amd64", "arm64"] = "amd64"
    """The processor of the agent's task. Default amd64, the only one that Dagster's own image has."""

    image_credentials: SecretArn | None = None
    """The secret with the login of the registry of the agent's image. Default: none; ECR and the public gallery need
    none."""

    cpu: int = 256
    """Processor units of each agent task, of which 1024 are one vCPU. Default 256, as Dagster recommends."""

    memory_mib: int = 1024
    """Memory of each agent task in MiB. Default 1024, as Dagster recommends. Fargate has certain pairs only."""

    replicas: int = Field(default=1, ge=1, le=5)
    """How many agents serve the deployment. Default 1. Each starts code servers of its own for every location, so two
    cost twice as much in code servers as well."""

    zero_downtime: bool = True
    """Whether a new agent starts, and loads every location, before the old one is stopped. Default true. It costs a
    second full set of code servers for the length of the update; false stops the old one first, and locations are down
    until the new one has loaded them."""

    restarts: int = Field(default=0, ge=0)
    """Raise it to start the agent anew without another change; every location is redeployed. Default 0."""

    full_deployment: bool = True
    """Whether the agent serves the stack's full deployment. Default true; false, with `branchDeployments`, makes an
    agent for branch deployments alone, whose idle code servers `serverTtl` stops."""

    cluster: ClusterName | None = None
    """The name of an ECS cluster that is there. Default: the stack makes one."""

    container_insights: ContainerInsights = "disabled"
    """What CloudWatch measures of the stack's own cluster. Default disabled: each task and service is billed as custom
    metrics."""

    exec: bool = False
    """Whether people with the right in IAM may open a shell in agent, code servers and runs (ECS Exec). Default false.
    It gives their roles `ssmmessages`, and the agent's container a root file system that can be written to."""

    read_only_root: bool = True
    """Whether the agent's root file system is read-only; it writes to a scratch folder at /tmp, which is root's.
    Default true. An image whose user is not root needs false, or a VOLUME at /tmp."""

    server_resources: ServerSize = Field(default_factory=ServerSize)
    """What each code server may use. A location says its own in `container_context.ecs.server_resources`."""

    run_resources: TaskSize = Field(default_factory=TaskSize)
    """What each run may use. A location says its own in `container_context.ecs.run_resources`, a job in its tags
    `ecs/cpu` and `ecs/memory`."""

    code_architecture: Literal["amd64", "arm64"] = "amd64"
    """The processor of code servers and runs; `hybrid:images.platforms` must build for it. Default amd64."""

    spot_runs: bool = False
    """Whether runs may use Fargate Spot, which costs about a third and is taken away with two minutes' notice. Default
    false. The cluster then offers it, and a job asks for it by its tag `ecs/run_task_kwargs`:
    `{"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}`. Code servers cannot: the agent
    has no setting for it."""

    volumes: tuple[Volume, ...] = ()
    """Folders of code servers and runs that outlive a container or are shared. Default: none."""

    server_sidecars: tuple[dict[str, Any], ...] = ()
    """Containers beside each code server, as ECS writes them (`name`, `image`, …). Default: none. Give `memory` to
    those that may take much: they share the task's."""

    run_sidecars: tuple[dict[str, Any], ...] = ()
    """Containers beside each run. Default: none. All end when the code ends; one that is essential and ends by itself
    takes the run with it: say `essential: false`."""

    server_health_check: ServerHealthCheck | None = None
    """By what ECS sees that a code server is unwell. Default: none; the agent asks its code servers itself, and starts
    one anew that does not answer."""

    secrets: dict[VariableName, SecretArn] = Field(default_factory=dict)
    """Secrets of Secrets Manager for all code servers and runs: by the variable's name, the ARN, of which a JSON key,
    a version stage or a version may follow. Default: none but the agent's token."""

    secrets_tag: SecretsTag | None = None
    """A tag: every secret of the account that carries it becomes a variable of all code. Default: none. The agent then
    has to list the account's secrets and the role that starts code reads each with the tag, whoever put it on; and
    every start asks again."""

    repository_credentials: SecretArn | None = None
    """The secret with the login of a private registry of the locations' images. Default: none; ECR needs none."""

    ecs_timeout_seconds: int = Field(default=600, ge=60, le=2400)
    """How long the task of a code server may take to run, in seconds. Default 600, which is Dagster's own: a large
    image takes minutes. What counts after that is `startupTimeoutSeconds`."""

    ecs_grace_seconds: int = Field(default=30, ge=5, le=300)
    """How long the agent goes on asking for a service that ECS does not show yet, in seconds. Default 30, which is
    Dagster's own."""

    stop_timeout_seconds: int = Field(default=LONGEST_STOP, ge=10, le=LONGEST_STOP)
    """How long the agent may take to stop before it is killed, in seconds. Default 120, the most that Fargate allows:
    it removes its code servers first, one to two seconds each."""

    cleanup_grace_seconds: int | None = Field(default=None, ge=60, le=86_400)
    """How old a code server of an agent that crashed must be before another agent removes it, in seconds. Default:
    longer than the longest first start, from `startupTimeoutSeconds` and `ecsTimeoutSeconds`."""

    namespace: AdoptedNamespace | None = None
    """The Cloud Map namespace of code servers. Default: the stack makes one in its network."""

    proxy: Proxy | None = None
    """A proxy to the outside, for agent, code servers and runs. Default: none."""

    compute_logs: ComputeLogs = "dagster-plus"
    """Where the output of steps goes. Default dagster-plus, where people read it; `bucket` keeps it in the stack's own
    bucket and shows a link to it, and needs dagster-aws in every location's image; `off` captures none."""

    agent_metrics: bool = False
    """Whether the agent's processor and memory use goes with its heartbeats. Default false, which is Dagster's own."""

    code_server_metrics: bool = False
    """Whether each code server's processor and memory use is sent too. Default false, which is Dagster's own."""

    @field_validator("environment")
    @classmethod
    def _are_no_credentials(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if name.startswith("AWS_") and name.endswith(("_KEY", "_KEY_ID", "_TOKEN")):
                raise ValueError(f"`{name}` cannot be given: tasks have the credentials of their roles")
        return variables

    @field_validator("server_sidecars", "run_sidecars")
    @classmethod
    def _are_of_ecs(cls, containers: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        names = ["dagster"]
        for container in containers:
            name = str(container.get("name", ""))
            if name in names:
                raise ValueError(f"two containers would be called `{name}`; `dagster` is the code's own")
            names.append(name)
            if problem := _container_problem(container):
                raise ValueError(problem)
        return containers

    @model_validator(mode="after")
    def _goes_together(self) -> EcsAgentSpec:
        for problem in self._problems():
            if problem:
                raise ValueError(problem)
        return self

    def timing(self, locations: int = 1) -> EcsTiming:
        """All time-outs of an agent with ``locations`` locations."""
        return timing(
            server_start=self.startup_timeout_seconds,
            task_start=self.ecs_timeout_seconds,
            stop=self.stop_timeout_seconds,
            locations=locations,
            cleanup_grace=self.cleanup_grace_seconds,
        )

    def locations_ready_seconds(self, locations: int) -> int:
        return self.timing(locations).locations_ready

    @property
    def secret_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.secrets))

    @property
    def variable_names(self) -> frozenset[str]:
        return frozenset({*self.environment, *(PROXY_VARIABLES if self.proxy else ())})

    @property
    def packages(self) -> Mapping[str, str]:
        return _FOR_THE_BUCKET if self.compute_logs == "bucket" else {}

    @property
    def root_is_read_only(self) -> bool:
        """ECS Exec puts its own program into the container, and needs to write."""
        return self.read_only_root and not self.exec

    def named(self) -> NamedByLocations:
        """What these settings name for all code, as a location would."""
        context = {
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in self.secrets.items()],
            "secrets_tags": [self.secrets_tag] if self.secrets_tag else [],
            "repository_credentials": self.repository_credentials,
            "server_sidecar_containers": list(self.server_sidecars),
            "run_sidecar_containers": list(self.run_sidecars),
        }
        return named_in_context(context)

    def _problems(self) -> list[str | None]:
        return [
            size_problem(self.cpu, self.memory_mib),
            self._one_agent_too_many(),
            self._served_nothing(),
            self._wrong_processor(),
            self._twice_named(),
            self._out_of_time(),
        ]

    def _one_agent_too_many(self) -> str | None:
        if self.isolated or (self.replicas == 1 and not self.zero_downtime):
            return None
        return (
            "with `replicas` above 1 or `zeroDowntime` two agents are up at once, and each answers for its own code "
            "servers alone; remove `isolated`, or set `zeroDowntime: false` and one replica"
        )

    def _served_nothing(self) -> str | None:
        if self.full_deployment or self.branch_deployments:
            return None
        return "the agent would serve no deployment; set `branchDeployments: true` or leave `fullDeployment` true"

    def _wrong_processor(self) -> str | None:
        if self.architecture == "arm64" and self.image.startswith(_DAGSTERS_OWN):
            return "Dagster's own agent image is for amd64 alone; name an `image` that has arm64, or leave it on amd64"
        return None

    def _twice_named(self) -> str | None:
        for name in self.secrets:
            if name in self.environment:
                return f"`{name}` is in `secrets` and in `environment`; ECS starts no such task: remove one"
            if name in _OURS:
                return f"`{name}` cannot be a secret: {_OURS[name]}"
        for what in ("name", "mount_path"):
            values = [getattr(volume, what) for volume in self.volumes]
            if len(set(values)) < len(values):
                return f"two volumes have one {what.replace('_', ' ')}"
        return None

    def _out_of_time(self) -> str | None:
        try:
            self.timing()
        except ValueError as error:
            return str(error)
        return None


def _container_problem(container: dict[str, Any]) -> str | None:
    """What ECS would refuse in ``container``, by botocore's model; imported only when somebody gives one."""
    for key in ("name", "image"):
        if not isinstance(container.get(key), str) or not container[key]:
            return f"a container beside the code's needs `{key}`, a text"
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model("ecs")
    report = ParamValidator().validate(container, model.shape_for("ContainerDefinition"))
    return (
        f"container `{container['name']}`: {report.generate_report().splitlines()[0]}" if report.has_errors() else None
    )
