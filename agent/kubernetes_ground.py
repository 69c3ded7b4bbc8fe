"""The ground under an agent on Kubernetes: namespace, accounts, rights, Secrets. Made before the agent, gone after
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_rules import AGENT_RULES, STEP_RULES, Rule

_SECURITY_LABELS = "pod-security.kubernetes.io"


@dataclass(frozen=True)
class KubernetesGroundArgs:
    """What the ground is made of."""

    names: KubernetesNames
    token: pulumi.Input[str]
    """The agent's token; it goes into Secrets alone."""
    adopts_namespace: bool = False
    """Whether the namespace is there, and somebody else's."""
    pod_security: str = "baseline"
    """Of a namespace that is made: https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    location_namespaces: Sequence[str] = ()
    """Further namespaces, which are there, with what code and agent need in each."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The settings' own; the stack's is always on everything."""
    agent_annotations: Mapping[str, str] = field(default_factory=dict)
    code_accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service accounts of code to make: annotations by name."""
    rights_of_steps: Sequence[str] = ()
    """Service accounts whose code may start pods for steps."""
    registry_login: pulumi.Input[str] | None = None
    """The contents of a Docker ``config.json`` with the login by which nodes pull images."""
    isolates_code: bool = True
    """Whether only the stack's own pods may connect to code."""


class KubernetesGround(pulumi.ComponentResource):
    """A namespace, if it is the stack's, and in it:

    - the agent's service account with its Role, and those of code, without a token
    - Secrets: the agent's token, and the login of the registry if there is one
    - a NetworkPolicy that keeps others from code servers
    """

    namespace: pulumi.Output[str]
    """Known when it is there."""
    resources: list[pulumi.Resource]
    """All of it, for who must come after."""

    def __init__(self, name: str, args: KubernetesGroundArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:KubernetesGround", name, None, opts)
        self._name, self._args = name, args
        self.resources = []
        self.namespace = self._namespace()
        self._agent_account(self.namespace)
        self._within(args.names.namespace, self.namespace, suffix="")
        for further in args.location_namespaces:
            self._within(further, further, suffix=f"-{further}")
        self.register_outputs({"namespace": self.namespace})

    def _namespace(self) -> pulumi.Output[str]:
        names = self._args.names
        if self._args.adopts_namespace:
            return pulumi.Output.from_input(names.namespace)
        labels = {**names.labels(self._args.labels), f"{_SECURITY_LABELS}/enforce": self._args.pod_security}
        made = kubernetes.core.v1.Namespace(
            f"{self._name}-namespace",
            metadata=_meta({"name": names.namespace, "labels": labels}),
            # it goes when all pods in it have gone, each with its own grace period
            opts=self._inside(timeouts=pulumi.CustomTimeouts(delete="30m")),
        )
        self.resources.append(made)
        return made.metadata.apply(lambda metadata: str(metadata.name))

    def _agent_account(self, namespace: pulumi.Input[str]) -> None:
        account = kubernetes.core.v1.ServiceAccount(
            f"{self._name}-agent",
            metadata=self._metadata(self._args.names.agent, namespace, self._args.agent_annotations),
            automount_service_account_token=False,  # the agent's pod asks for it; nobody else gets it by naming it
            opts=self._inside(),
        )
        self.resources.append(account)

    def _within(self, key: str, namespace: pulumi.Input[str], *, suffix: str) -> None:
        """What a namespace with code needs. ``suffix`` tells the resources of one from those of another."""
        args, names = self._args, self._args.names
        agent = {"kind": "ServiceAccount", "name": names.agent, "namespace": self.namespace}
        self._role(f"agent-role{suffix}", names.agent, namespace, AGENT_RULES, [agent])
        for account, noted in sorted(args.code_accounts.items()):
            made = kubernetes.core.v1.ServiceAccount(
                f"{self._name}-account-{account}{suffix}",
                metadata=self._metadata(account, namespace, noted),
                automount_service_account_token=False,
                opts=self._inside(),
            )
            self.resources.append(made)
        if args.rights_of_steps:
            accounts = [
                {"kind": "ServiceAccount", "name": account, "namespace": namespace} for account in args.rights_of_steps
            ]
            self._role(f"code-role{suffix}", names.code, namespace, STEP_RULES, accounts)
        self._secrets(namespace, suffix)
        if args.isolates_code:
            self._policy(namespace, suffix)

    def _role(
        self, what: str, name: str, namespace: pulumi.Input[str], rules: Sequence[Rule], subjects: list[dict[str, Any]]
    ) -> None:
        role = kubernetes.rbac.v1.Role(
            f"{self._name}-{what}",
            metadata=self._metadata(name, namespace),
            rules=_plain([rule.document() for rule in rules]),
            opts=self._inside(),
        )
        binding = kubernetes.rbac.v1.RoleBinding(
            f"{self._name}-{what}-binding",
            metadata=self._metadata(name, namespace),
            role_ref=_plain({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}),
            subjects=_plain(subjects),
            opts=self._inside(role),
        )
        self.resources += [role, binding]

    def _secrets(self, namespace: pulumi.Input[str], suffix: str) -> None:
        token = kubernetes.core.v1.Secret(
            f"{self._name}-token{suffix}",
            metadata=self._metadata(self._args.names.token_secret, namespace),
            string_data={AGENT_TOKEN_VARIABLE: pulumi.Output.secret(self._args.token)},
            opts=self._inside(),
        )
        self.resources.append(token)
        if self._args.registry_login is not None:
            login = kubernetes.core.v1.Secret(
                f"{self._name}-registry{suffix}",
                metadata=self._metadata(self._args.names.registry_secret, namespace),
                type="kubernetes.io/dockerconfigjson",
                string_data={".dockerconfigjson": pulumi.Output.secret(self._args.registry_login)},
                opts=self._inside(),
            )
            self.resources.append(login)

    def _policy(self, namespace: pulumi.Input[str], suffix: str) -> None:
        """Code servers run what they are asked, by whoever reaches them. Ways out are not touched."""
        ours = {"matchLabels": self._args.names.labels()}
        # the agent may be in another namespace than the code
        peers: list[Any] = [{"podSelector": ours}]
        if suffix:
            home = {"matchLabels": {"kubernetes.io/metadata.name": self._args.names.namespace}}
            peers.append({"podSelector": ours, "namespaceSelector": home})
        policy = kubernetes.networking.v1.NetworkPolicy(
            f"{self._name}-policy{suffix}",
            metadata=self._metadata(self._args.names.code, namespace),
            spec=_plain({"podSelector": ours, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}),
            opts=self._inside(),
        )
        self.resources.append(policy)

    def _metadata(self, name: str, namespace: pulumi.Input[str], annotations: Mapping[str, str] | None = None) -> Any:
        said: dict[str, Any] = {
            "name": name,
            "namespace": namespace,
            "labels": self._args.names.labels(self._args.labels),
        }
        return _meta({**said, "annotations": dict(annotations)} if annotations else said)

    def _inside(self, *after: pulumi.Resource, timeouts: pulumi.CustomTimeouts | None = None) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, depends_on=list(after), custom_timeouts=timeouts, delete_before_replace=True
        )


def _meta(said: dict[str, Any]) -> Any:
    return said


def _plain(said: Any) -> Any:
    """Manifests are written as Kubernetes has them, which the SDK takes and its types do not say."""
    return said
