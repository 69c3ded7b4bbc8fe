"""The parts of a Kubernetes agent's settings: sizes, places of pods, raw configuration of code servers and runs, what
code may ask for itself."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from agent.any_spec import Spec
from hybrid.kubernetes.models import problem_of

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=253)
]
"""A DNS subdomain: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""
NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", max_length=317
    ),
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"""
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$", max_length=40)]
"""https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]

_OF_THE_LAUNCHER: Final = {
    "image": "each location has its own image",
    "command": "the launcher says what a code server and a run start",
    "args": "the launcher says what a code server and a run start",
}


def checked(model: str, said: Any) -> Any:
    """``said`` if its keys are those of ``model``. Raises ``ValueError`` with the key that is not."""
    if said and (problem := problem_of(model, said)):
        raise ValueError(problem)
    return said


class PodResources(Spec):
    """What a pod's container is promised and what it may take, in Kubernetes' own units: `cpu: 250m`, `memory: 1Gi`."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    """What it is promised, by which the scheduler finds a node. Default: none."""

    limits: dict[str, Quantity] = Field(default_factory=dict)
    """What it may take; above its memory it is killed. Default: none."""

    def document(self) -> dict[str, Any]:
        """As a container has it; without what is not said."""
        said = {"requests": dict(self.requests), "limits": dict(self.limits)}
        return {name: each for name, each in said.items() if each}


class PodPlace(Spec):
    """On which nodes a pod may run, as Kubernetes writes it."""

    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that a node must have. That of the architecture is added. Default: none."""

    tolerations: tuple[dict[str, Any], ...] = ()
    """Taints of nodes that do not matter. Default: none."""

    affinity: dict[str, Any] = Field(default_factory=dict)
    """Nodes and neighbours that are wanted or not. Default: none."""

    priority_class_name: ObjectName | None = None
    """The priority class. Default: the cluster's own."""

    scheduler_name: ObjectName | None = None
    """Another scheduler. Default: the cluster's own."""

    @field_validator("tolerations", "affinity")
    @classmethod
    def _are_of_kubernetes(cls, said: Any, info: Any) -> Any:
        model = {"tolerations": "list[V1Toleration]", "affinity": "V1Affinity"}[info.field_name]
        return checked(model, said)


class RawConfiguration(Spec):
    """Raw configuration of Kubernetes that the launcher puts into what it makes. Keys below are
    Kubernetes' own."""

    models: ClassVar[dict[str, str]] = {}
    """By field, what it is of."""

    container_config: dict[str, Any] = Field(default_factory=dict)
    """Of the code's container: `resources`, `env`, `volumeMounts`, `securityContext`, … Default: none."""

    pod_spec_config: dict[str, Any] = Field(default_factory=dict)
    """Of the pod: `nodeSelector`, `tolerations`, `initContainers`, `containers` beside it, … Default: none."""

    pod_template_spec_metadata: dict[str, Any] = Field(default_factory=dict)
    """Labels and annotations of the pod. Default: none."""

    @model_validator(mode="after")
    def _are_of_kubernetes(self) -> RawConfiguration:
        for name in _OF_THE_LAUNCHER:
            if name in self.container_config:
                raise ValueError(f"`{name}` cannot be given: {_OF_THE_LAUNCHER[name]}")
        for field, model in self.models.items():
            said = getattr(self, field)
            if said and (problem := problem_of(model, said)):
                raise ValueError(f"`{field}`: {problem}")
        return self

    def document(self) -> dict[str, Any]:
        """As the launcher reads it; without what is not said."""
        return {field: said for field in self.models if (said := getattr(self, field))}


_OF_PODS: Final = {
    "container_config": "V1Container",
    "pod_spec_config": "V1PodSpec",
    "pod_template_spec_metadata": "V1ObjectMeta",
}


class ServerConfiguration(RawConfiguration):
    """Raw configuration of code servers, which are Deployments with a Service each."""

    models: ClassVar[dict[str, str]] = {
        **_OF_PODS,
        "deployment_metadata": "V1ObjectMeta",
        "service_metadata": "V1ObjectMeta",
        "service_spec_config": "V1ServiceSpec",
    }

    deployment_metadata: dict[str, Any] = Field(default_factory=dict)
    """Labels and annotations of the Deployment. Default: none."""

    service_metadata: dict[str, Any] = Field(default_factory=dict)
    """Labels and annotations of the Service. Default: none."""

    service_spec_config: dict[str, Any] = Field(default_factory=dict)
    """Of the Service. Default: none."""


class RunConfiguration(RawConfiguration):
    """Raw configuration of runs, which are Jobs."""

    models: ClassVar[dict[str, str]] = {
        **_OF_PODS,
        "job_config": "V1Job",
        "job_metadata": "V1ObjectMeta",
        "job_spec_config": "V1JobSpec",
    }

    job_config: dict[str, Any] = Field(default_factory=dict)
    """Of the Job, beside its metadata and spec. Default: none."""

    job_metadata: dict[str, Any] = Field(default_factory=dict)
    """Labels and annotations of the Job. Default: none."""

    job_spec_config: dict[str, Any] = Field(default_factory=dict)
    """Of the Job's spec: `ttlSecondsAfterFinished`, `activeDeadlineSeconds`, … Default: Dagster's own, which keeps a
    finished Job for a day and starts its pod once."""


class AllowedFields(Spec):
    """Which raw configuration a location or a run may bring itself, each as `key: true`. What is not named is refused;
    it does not bind what these settings say."""

    container_config: dict[str, bool] = Field(default_factory=dict)
    """Of the container. Variables are always allowed; which ones, `onlyAllowVariables` says."""

    pod_spec_config: dict[str, bool] = Field(default_factory=dict)
    """Of the pod."""

    pod_template_spec_metadata: dict[str, bool] = Field(default_factory=dict)
    """Of the pod's metadata."""

    job_metadata: dict[str, bool] = Field(default_factory=dict)
    """Of the Job's metadata."""

    job_spec_config: dict[str, bool] = Field(default_factory=dict)
    """Of the Job's spec."""

    deployment_metadata: dict[str, bool] = Field(default_factory=dict)
    """Of the Deployment's metadata."""

    service_metadata: dict[str, bool] = Field(default_factory=dict)
    """Of the Service's metadata."""

    service_spec_config: dict[str, bool] = Field(default_factory=dict)
    """Of the Service's spec."""

    namespace: bool = False
    """Whether it may run in another namespace. Default false."""

    def document(self) -> dict[str, Any]:
        """As the launcher reads it. An empty one refuses everything, so it is written as it is."""
        return self.model_dump(exclude_defaults=True)


class CustomComputeLogs(Spec):
    """A class of Dagster's that keeps the output of steps."""

    module: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """Where it is, such as `dagster_azure.blob.compute_log_manager`. The agent's image and every location's have to
    have it."""

    class_name: str = Field(alias="class", pattern=r"^[A-Za-z_]\w*$")
    """What it is called, such as `AzureBlobComputeLogManager`."""

    config: dict[str, Any] = Field(default_factory=dict)
    """Its configuration. No secrets: write `{env: NAME}` for those. Default: none."""
