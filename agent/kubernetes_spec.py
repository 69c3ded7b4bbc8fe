"""The settings of an agent on Kubernetes; each of its code servers is a Deployment with a Service, each run a Job.

Keys of the launcher: dagster_cloud/workspace/kubernetes/launcher.py and config_schema/kubernetes.py of dagster-cloud
1.13.27; which of them are here under which name, and which are not and why, is in ``agent.kubernetes_launcher``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from agent.any_spec import AnyAgentSpec, VariableName
from agent.docker_spec import ImageReference
from agent.ecs_spec import AGENT_IMAGE
from agent.kubernetes_parts import (
    AllowedFields,
    CustomComputeLogs,
    LabelKey,
    LabelValue,
    ObjectName,
    PodPlace,
    PodResources,
    PullPolicy,
    RunConfiguration,
    ServerConfiguration,
    checked,
)
from agent.kubernetes_timing import KubernetesTiming, timing
from agent.proxy import PROXY_VARIABLES, Proxy

_DAGSTERS_OWN: Final = ("public.ecr.aws/dagster/", "docker.io/dagster/", "dagster/")

_NOT_ON_KUBERNETES: Final = {
    "namespace": "the namespace is `hybrid:kubernetes.namespace`",
    "context": "the cluster is `hybrid:kubernetes.context`",
    "kubeconfig": "the cluster is `hybrid:kubernetes.kubeconfig`; the agent itself speaks to the cluster that it is in",
    "kubeconfigFile": "the agent speaks to the cluster that it is in, by its service account",
    "serviceAccountName": "service accounts are the stack's; those of a team's own are `hybrid:kubernetes.codeAccount` "
    "and, of one location, `container_context.k8s.service_account_name`",
    "labels": "labels are `hybrid:kubernetes.labels`; they go on what the agent makes, too",
    "serverReplicaCount": "the launcher of 1.13.27 does not start with it; a location says its own: "
    "`container_context.k8s.server_replica_count`",
    "dagsterHome": "the stack decides where the agent's settings lie",
    "instanceConfigMap": "the stack makes it",
}

_OURS: Final = {
    "DAGSTER_HOME": "the stack decides where the agent's settings lie",
    "DAGSTER_CLOUD_AGENT_TOKEN": "the stack makes the agent's token and gives it as a Secret",
    "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": "the agent's probes look there",
    "DAGSTER_CLOUD_AGENT_LIVENESS_CHECK_INTERVAL": "the agent's probes rest on it",
    "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": "use `cleanupGraceSeconds`",
    "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL": "it goes with `cleanupGraceSeconds`",
    "HTTP_PROXY": "use `proxy`",
    "HTTPS_PROXY": "use `proxy`",
    "NO_PROXY": "use `proxy`",
}

_AGENT_SIZE: Final = PodResources(requests={"cpu": "250m", "memory": "512Mi"}, limits={"memory": "1Gi"})
_CODE_SECURITY: Final[dict[str, Any]] = {
    "allow_privilege_escalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccomp_profile": {"type": "RuntimeDefault"},
}


class KubernetesAgentSpec(AnyAgentSpec):
    """An agent as a Deployment in a cluster; each of its code servers is a Deployment beside it, each run a Job."""

    needs_organization: ClassVar[bool] = True
    cloud: ClassVar[str | None] = "kubernetes"
    image_folder: ClassVar[str | None] = "agent/mirror"

    not_here: ClassVar[Mapping[str, str]] = _NOT_ON_KUBERNETES
    own_variables: ClassVar[Mapping[str, str]] = _OURS
    isolated_unless_alone: ClassVar[bool] = True

    kind: Literal["kubernetes"] = "kubernetes"
    """The platform on which the agent lives. `kubernetes`: pods of a cluster, which `hybrid:kubernetes` names."""

    isolated: bool = False
    """Whether requests are bound to the agent that started them (Dagster's `isolated_agents`). Default: true with
    `zeroDowntime` or several `replicas`, which need it; else false."""

    image: ImageReference = AGENT_IMAGE
    """The agent's image, best by digest. It needs `dagster-cloud[kubernetes]`, a shell and `find`. Default: Dagster's
    own of the version that this project is held against."""

    mirror_image: bool = False
    """Whether `up` copies the agent's image into the stack's registry, and the agent runs from there. Default false.
    For networks without a way to public registries, and for teams that scan what they run. It needs Docker."""

    architecture: Literal["amd64", "arm64"] = "amd64"
    """The processor of the agent's node. Default amd64, the only one that Dagster's own image has."""

    resources: PodResources = Field(default_factory=lambda: _AGENT_SIZE)
    """What the agent's container is promised and may take. Default: a quarter of a processor and 512 MiB, and no more
    than 1 GiB; it takes about 200 MB."""

    place: PodPlace = Field(default_factory=PodPlace)
    """On which nodes the agent may run. Default: any of its architecture."""

    spread: bool = True
    """Whether several replicas are kept apart, by zone and by node, where there is room. Default true."""

    max_unavailable: int = Field(default=1, ge=0, le=5)
    """How many of the agent's pods may be away when nodes are emptied (its PodDisruptionBudget). Default 1; 0 holds a
    node's drain up until somebody moves the agent."""

    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Annotations of the agent's pods. Default: none."""

    run_as_user: int | None = Field(default=1001, ge=1, le=2_147_483_647)
    """The user by number that the agent runs as. Default 1001, which Dagster's image has for that. None: that of the
    image, which must not be root."""

    read_only_root: bool = True
    """Whether the agent's root file system is read-only; it writes to a scratch folder at /tmp. Default true."""

    replicas: int = Field(default=1, ge=1, le=5)
    """How many agents serve the deployment. Default 1. Each starts code servers of its own for every location, so two
    cost twice as much in code servers as well."""

    zero_downtime: bool = True
    """Whether a new agent starts, and loads every location, before the old one is stopped. Default true. It needs room
    for a second full set of code servers for the length of the update; false stops the old one first, and locations are
    down until the new one has loaded them."""

    restarts: int = Field(default=0, ge=0)
    """Raise it to start the agent anew without another change; every location is redeployed. Default 0."""

    full_deployment: bool = True
    """Whether the agent serves the stack's full deployment. Default true; false, with `branchDeployments`, makes an
    agent for branch deployments alone, whose idle code servers `serverTtl` stops."""

    stop_timeout_seconds: int = Field(default=120, ge=10, le=3600)
    """How long the agent may take to stop before it is killed, in seconds. Default 120: it removes its code servers
    first, a few of them a second."""

    cleanup_grace_seconds: int | None = Field(default=None, ge=60, le=86_400)
    """How old a code server of an agent that crashed must be before another agent removes it, in seconds. Default:
    longer than the longest first start, from `startupTimeoutSeconds` and `podStartupTimeoutSeconds`."""

    pod_startup_timeout_seconds: int = Field(default=300, ge=30, le=3600)
    """How long the pod of a code server may take to run, in seconds. Default 300, which is Dagster's own; clusters that
    add nodes when they are needed want more. What counts after that is `startupTimeoutSeconds`."""

    image_pull_grace_seconds: int = Field(default=30, ge=0, le=3600)
    """How long an image that cannot be pulled is tried, in seconds. Default 30, which is Dagster's own."""

    pull_policy: PullPolicy = "IfNotPresent"
    """When images are pulled again that a node has. Default IfNotPresent: the stack's images are named by digest."""

    image_pull_secrets: tuple[ObjectName, ...] = ()
    """Names of Secrets in the namespace with logins of registries, for agent, code servers and runs. Default: none; see
    `hybrid:kubernetes.registryLogin` for one that the stack makes."""

    code_architecture: Literal["amd64", "arm64"] | None = None
    """The processor of code servers and runs, as a label that their node must have; `hybrid:images.platforms` must
    build for it. Default: any, for clusters of one kind and images of several."""

    server_resources: PodResources = Field(default_factory=PodResources)
    """What each code server is promised and may take. Default: the cluster's own. A location says its own in
    `container_context.k8s.server_k8s_config.container_config.resources`."""

    run_resources: PodResources = Field(default_factory=PodResources)
    """What each run is promised and may take. Default: the cluster's own. A location says its own in
    `container_context.k8s.run_k8s_config.container_config.resources`, a job in its tag `dagster-k8s/config`."""

    code_place: PodPlace = Field(default_factory=PodPlace)
    """On which nodes code servers and runs may run. Default: any."""

    server_config: ServerConfiguration = Field(default_factory=ServerConfiguration)
    """Raw configuration of code servers (`server_k8s_config`). Default: none."""

    run_config: RunConfiguration = Field(default_factory=RunConfiguration)
    """Raw configuration of runs (`run_k8s_config`). Default: none."""

    only_allow: AllowedFields | None = None
    """Which raw configuration a location, a job's tag or Dagster+ may bring. Default: any, as Dagster has it."""

    only_allow_variables: tuple[VariableName, ...] | None = None
    """Which environment variables they may bring, beside Dagster's own. Default: any, and with `onlyAllow` that does
    not say `env`, none."""

    security_context: dict[str, Any] = Field(default_factory=lambda: {**_CODE_SECURITY})
    """Of the containers of code servers and runs. Default: no more rights than they start with, no capabilities, and
    the runtime's own filter of system calls; which user they are is the image's to say."""

    env_secrets: tuple[ObjectName, ...] = ()
    """Names of Secrets in the namespace whose keys become variables of all code. Default: none but the agent's
    token."""

    env_config_maps: tuple[ObjectName, ...] = ()
    """Names of ConfigMaps in the namespace whose keys become variables of all code. Default: none."""

    volumes: tuple[dict[str, Any], ...] = ()
    """Volumes of code servers and runs, as a pod writes them. Default: none."""

    volume_mounts: tuple[dict[str, Any], ...] = ()
    """Where their containers find them, as a container writes it. Default: none."""

    pod_annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Annotations of the pods of code servers and runs. Default: none."""

    pod_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the pods of code servers and runs alone, such as `azure.workload.identity/use: "true"`. Default:
    none."""

    fail_pod_on_run_failure: bool = False
    """Whether the Job of a run that failed has failed, too. Default false, which is Dagster's own: Job and pod tell of
    the worker, Dagster+ of the run."""

    step_pods: bool = False
    """Whether runs may start a pod for each step (`k8s_job_executor`, `execute_k8s_job`, Pipes). Default false. It
    gives all code of the stack the right to make Jobs in the namespace, and its service account's token."""

    ca_certificate_file: str | None = Field(default=None, pattern=r"^/[^\x00]*$", max_length=4096)
    """The path in the agent's container of a bundle of certificates by which the cluster's API is known. Default: the
    service account's own, which the cluster gives."""

    proxy: Proxy | None = None
    """A proxy to the outside, for agent, code servers and runs. Default: none."""

    compute_logs: Literal["dagster-plus", "off"] | CustomComputeLogs = "dagster-plus"
    """Where the output of steps goes. Default dagster-plus, where people read it; `off` captures none; `{module, class,
    config}` names a class of Dagster's that keeps it elsewhere."""

    agent_metrics: bool = False
    """Whether the agent's processor and memory use goes with its heartbeats. Default false, which is Dagster's own."""

    code_server_metrics: bool = False
    """Whether each code server's processor and memory use is sent too. Default false, which is Dagster's own."""

    @field_validator("volumes", "volume_mounts", "security_context")
    @classmethod
    def _are_of_kubernetes(cls, said: Any, info: Any) -> Any:
        models = {
            "volumes": "list[V1Volume]",
            "volume_mounts": "list[V1VolumeMount]",
            "security_context": "V1SecurityContext",
        }
        return said if said == _CODE_SECURITY else checked(models[info.field_name], said)

    @model_validator(mode="after")
    def _goes_together(self) -> KubernetesAgentSpec:
        for problem in self._problems():
            if problem:
                raise ValueError(problem)
        return self

    def timing(self, locations: int = 1) -> KubernetesTiming:
        """All time-outs of an agent with ``locations`` locations."""
        return timing(
            server_start=self.startup_timeout_seconds,
            pod_start=self.pod_startup_timeout_seconds,
            api_timeout=self.api_timeout_seconds,
            api_retries=self.api_retries,
            locations=locations,
            cleanup_grace=self.cleanup_grace_seconds,
        )

    def locations_ready_seconds(self, locations: int) -> int:
        return self.timing(locations).locations_ready

    @property
    def code_platform(self) -> str | None:
        return None if self.code_architecture is None else f"linux/{self.code_architecture}"

    @property
    def variable_names(self) -> frozenset[str]:
        return frozenset({*self.environment, *(PROXY_VARIABLES if self.proxy else ())})

    def _problems(self) -> list[str | None]:
        return [
            self._one_agent_too_many(),
            self._served_nothing(),
            self._wrong_processor(),
            self._mounted_nowhere(),
            self._budget_of_nobody(),
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

    def _mounted_nowhere(self) -> str | None:
        named = [str(volume.get("name", "")) for volume in self.volumes]
        for name in named:
            if not name or named.count(name) > 1:
                return "each of `volumes` needs a `name` of its own"
        for mount in self.volume_mounts:
            if mount.get("name") not in named:
                return f"`volumeMounts` names `{str(mount.get('name'))[:60]}`, which is not among `volumes`"
        return None

    def _budget_of_nobody(self) -> str | None:
        if self.max_unavailable < max(self.replicas, 2):
            return None
        return f"`maxUnavailable` {self.max_unavailable} lets all {self.replicas} agents go at once; give fewer"

    def _out_of_time(self) -> str | None:
        try:
            self.timing()
        except ValueError as error:
            return str(error)
        return None
