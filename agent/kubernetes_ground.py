"""The ground under an agent on Kubernetes: namespace, accounts, rights, Secrets. Made before the agent, gone after
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from agent import kubernetes_manifests as manifests
from agent.kubernetes_manifests import Manifest
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_objects import stood_up
from agent.kubernetes_rules import AGENT_RULES, STEP_RULES, Rule


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
        about = self._about(args.names.agent, self.namespace, args.agent_annotations)
        self._make("agent", manifests.service_account(about))
        self._within(self.namespace, suffix="")
        for further in args.location_namespaces:
            self._within(further, suffix=f"-{further}")
        self.register_outputs({"namespace": self.namespace})

    def _namespace(self) -> pulumi.Output[str]:
        args = self._args
        if args.adopts_namespace:
            return pulumi.Output.from_input(args.names.namespace)
        made = self._make(
            "namespace",
            manifests.namespace(args.names, args.labels, args.pod_security),
            # it goes when all pods in it have gone, each with its own grace period
            timeouts=pulumi.CustomTimeouts(delete="30m"),
        )
        name: pulumi.Output[str] = made.metadata.apply(lambda metadata: str(metadata.name))
        return name

    def _within(self, namespace: pulumi.Input[str], *, suffix: str) -> None:
        """What a namespace with code needs. ``suffix`` tells the resources of one from those of another."""
        args, names = self._args, self._args.names
        self._role(f"agent-role{suffix}", names.agent, namespace, AGENT_RULES, [(names.agent, self.namespace)])
        for account, noted in sorted(args.code_accounts.items()):
            about = self._about(account, namespace, noted)
            self._make(f"account-{account}{suffix}", manifests.service_account(about))
        if args.rights_of_steps:
            accounts = [(account, namespace) for account in args.rights_of_steps]
            self._role(f"code-role{suffix}", names.code, namespace, STEP_RULES, accounts)
        about = self._about(names.token_secret, namespace)
        self._make(f"token{suffix}", manifests.token_secret(about, args.token))  # the SDK marks contents as secret
        if args.registry_login is not None:
            about = self._about(names.registry_secret, namespace)
            self._make(f"registry{suffix}", manifests.registry_secret(about, args.registry_login))
        if args.isolates_code:
            about = self._about(names.code, namespace)
            self._make(f"policy{suffix}", manifests.code_policy(about, names, elsewhere=bool(suffix)))

    def _role(
        self,
        what: str,
        name: str,
        namespace: pulumi.Input[str],
        rules: Sequence[Rule],
        accounts: Sequence[tuple[str, pulumi.Input[str]]],
    ) -> None:
        about = self._about(name, namespace)
        role = self._make(what, manifests.role(about, rules))
        self._make(f"{what}-binding", manifests.role_binding(about, accounts), role)

    def _about(
        self, name: str, namespace: pulumi.Input[str], annotations: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return manifests.metadata(self._args.names, name, namespace, self._args.labels, annotations)

    def _make(
        self,
        what: str,
        manifest: Manifest,
        *after: pulumi.Resource,
        timeouts: pulumi.CustomTimeouts | None = None,
    ) -> Any:
        opts = pulumi.ResourceOptions(
            parent=self, depends_on=list(after), custom_timeouts=timeouts, delete_before_replace=True
        )
        made = stood_up(f"{self._name}-{what}", manifest, opts)
        self.resources.append(made)
        return made
