"""What the stack file says of Kubernetes: the cluster, and the namespace, accounts and logins that a stack there makes
or is given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from agent.any_spec import LocationName, Spec
from agent.kubernetes_parts import LabelKey, LabelValue, NamespaceName, ObjectName
from hybrid.kubernetes.labels import STACK_LABEL

ContextName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00]{1,253}$")]
KubeconfigPath = Annotated[str, StringConstraints(pattern=r"^(/|~/)[^\x00]*$", max_length=4096)]
ServerUrl = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.:\[\]-]+(/\S*)?$", max_length=512)]
BaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]


class NamespaceSettings(Spec):
    """The namespace of agent, code servers and runs."""

    name: NamespaceName | None = None
    """Its name. Default: `hybrid-<stack>`."""

    adopt: bool = False
    """Whether it is there already and is not the stack's: then nothing of it is changed, and `down` leaves it. Default
    false: the stack makes it, and `down` removes it with all that is in it."""

    pod_security: Literal["privileged", "baseline", "restricted"] = "baseline"
    """Which pods a namespace of the stack's own takes (Pod Security Admission). Default baseline: none with the node's
    rights. The agent's is even restricted; whether code is, its images decide."""


class AccountSettings(Spec):
    """A service account."""

    name: ObjectName | None = None
    """One that is there, in the namespace. Default: the stack makes one."""

    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Its annotations, by which a cloud gives it a role: `eks.amazonaws.com/role-arn`,
    `iam.gke.io/gcp-service-account`, `azure.workload.identity/client-id`. The role and its trust are not made
    here. Default: none."""

    @field_validator("annotations")
    @classmethod
    def _of_one_that_is_made(cls, annotations: dict[str, str], info: object) -> dict[str, str]:
        if annotations and getattr(info, "data", {}).get("name"):
            raise ValueError("an account that is there keeps its own annotations; remove `name`, or these")
        return annotations


class MadeAccountSettings(Spec):
    """A service account that the stack makes."""

    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Its annotations, by which a cloud gives it a role. Default: none."""


class NodePrices(Spec):
    """What the cluster's nodes cost a team, for `hybrid costs` and `hybrid review`."""

    vcpu_hour: float = Field(ge=0, allow_inf_nan=False)
    """US dollars for a processor an hour."""

    gib_hour: float = Field(ge=0, allow_inf_nan=False)
    """US dollars for a GiB of memory an hour."""

    as_of: Annotated[str, StringConstraints(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]
    """The month that the prices are of, as `2026-11`: they are shown with it."""


class KubernetesSettings(Spec):
    """The cluster of a stack, and what the stack makes in it beside agent and code."""

    context: ContextName
    """The context of the kubeconfig. It is always said: which one is current, any other tool changes."""

    kubeconfig: KubeconfigPath | None = None
    """The kubeconfig, absolute or below `~`. Default: `KUBECONFIG` of the environment, else `~/.kube/config`."""

    server: ServerUrl | None = None
    """The address of the cluster's API. Where it is given, a context of that name that leads elsewhere is refused.
    Default: any."""

    name: BaseName | None = None
    """What the names of all objects begin with. Default: `hybrid-<stack>`."""

    namespace: NamespaceSettings = Field(default_factory=NamespaceSettings)
    """The namespace of agent, code servers and runs."""

    location_namespaces: tuple[NamespaceName, ...] = ()
    """Further namespaces, which are there, in which locations run that name one in `container_context.k8s.namespace`.
    The stack puts the agent's Role, the accounts of code and the token into each. Default: none."""

    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels on everything that the stack and its agent make. Default: only the stack's own."""

    agent_account: MadeAccountSettings = Field(default_factory=MadeAccountSettings)
    """The agent's service account."""

    code_account: AccountSettings = Field(default_factory=AccountSettings)
    """The service account of code servers and runs."""

    location_accounts: dict[LocationName, MadeAccountSettings] = Field(default_factory=dict)
    """Service accounts of single locations' own, by the location. Default: none; all have that of code."""

    registry_login: bool = False
    """Whether nodes pull the locations' images with this machine's login of `hybrid:registry` (`docker login`), which
    the stack puts into a Secret. Default false: nodes have rights of their own, or anybody may pull. A login that
    lapses after hours, as those of ECR do, is no use here, and is refused."""

    isolate_code_servers: bool = True
    """Whether a NetworkPolicy lets only the stack's own pods connect to code servers: they run whatever is asked of
    them. Default true; it has no effect in a cluster whose network does not know policies. False for code servers that
    something else has to reach, such as a scraper of metrics."""

    prices: NodePrices | None = None
    """What processors and memory cost in the cluster. Default: not said, so that no costs are told."""

    @field_validator("labels")
    @classmethod
    def _are_not_ours(cls, labels: dict[str, str]) -> dict[str, str]:
        for key in labels:
            taken = key.split("/")[0] in {STACK_LABEL.split("/")[0], "dagster", "dagster.io", "app.kubernetes.io"}
            if taken or key in _LAUNCHERS_OWN:
                raise ValueError(f"the label `{key}` is not yours to give: the stack or Dagster sets it")
        return labels

    @field_validator("location_namespaces")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("a namespace is named twice; remove one")
        return names


# dagster_cloud/workspace/kubernetes/utils.py of dagster-cloud 1.13.27
_LAUNCHERS_OWN = frozenset(
    {
        "agent_id",
        "deployment_name",
        "location_hash",
        "location_name",
        "managed_by",
        "server_timestamp",
        "user-deployment",
    }
)
