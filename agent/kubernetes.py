"""A Hybrid agent as a Deployment in a cluster of Kubernetes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from agent import kubernetes_manifests as manifests
from agent.kubernetes_launcher import CodePlace
from agent.kubernetes_manifests import Manifest
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_objects import stood_up
from agent.kubernetes_pod import HOME, SETTINGS_FILE, AgentPod, AgentText, dagster_yaml, pod_template
from agent.kubernetes_spec import KubernetesAgentSpec


@dataclass(frozen=True)
class KubernetesAgentArgs:
    """What an agent on Kubernetes needs."""

    spec: KubernetesAgentSpec
    names: KubernetesNames
    deployment: str
    """Dagster+'s, not that of Kubernetes."""
    label: str
    """How it calls itself in Dagster+."""
    agent_url: str
    """Where Dagster+ answers agents, as pods reach it."""
    namespace: pulumi.Input[str]
    """That of ``names``, when it is there."""
    code_account: str
    """The service account of code that has none of its own; not the agent's."""
    token_version: pulumi.Input[str]
    """Which token the Secret holds: another one starts the agent anew."""
    image: pulumi.Input[str] | None = None
    """The agent's image in a registry of the stack's own. None: that of the settings."""
    pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """The settings' own. The stack's is always on everything."""
    locations: int = 1
    """How many locations the stack serves, for the time that the agent may take to load them."""
    before_agent: Sequence[pulumi.Resource] = ()
    """What must be there before the agent starts, and may go only when it is gone: accounts, rights and Secrets, and
    what removes on the way down what an agent left behind."""


class KubernetesAgent(pulumi.ComponentResource):
    """The real ``dagster-cloud agent run`` in a pod, whose launcher makes Deployments, Services and Jobs of the stack.

    - a ConfigMap with the agent's settings, which are no secret
    - a Deployment of a stock image; whether the agent works is not waited for here
    - a PodDisruptionBudget
    """

    label: pulumi.Output[str]
    namespace: pulumi.Output[str]
    deployment_name: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever an update starts the agent anew: what its pods are made of."""

    def __init__(self, name: str, args: KubernetesAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:KubernetesAgent", name, None, opts)
        self._name, self._args = name, args
        text = dagster_yaml(args.spec, self._place(), AgentText(args.label, args.deployment, args.agent_url))
        settings = self._make(
            "settings", manifests.manifest("ConfigMap", "v1", self._about(), data={SETTINGS_FILE: text})
        )
        deployment = self._deployment(text, settings)
        budget = manifests.disruption_budget(self._about(), args.names.agent_selector, args.spec.max_unavailable)
        self._make("budget", budget)
        self.label = pulumi.Output.from_input(args.label)
        self.namespace = pulumi.Output.from_input(args.namespace)
        self.deployment_name = deployment.metadata.apply(lambda metadata: str(metadata.name))
        self.register_outputs({"label": self.label, "deployment": self.deployment_name})

    def _place(self) -> CodePlace:
        args = self._args
        return CodePlace(
            names=args.names,
            home=HOME,
            code_account=args.code_account,
            pull_secrets=args.pull_secrets,
            labels=args.labels,
        )

    def _deployment(self, text: str, settings: pulumi.Resource) -> Any:
        args, spec = self._args, self._args.spec
        template = pulumi.Output.all(image=args.image, version=args.token_version).apply(
            lambda known: pod_template(
                spec,
                AgentPod(
                    names=args.names,
                    settings=text,
                    image=known["image"] or spec.image,
                    token_version=str(known["version"] or ""),
                    pull_secrets=args.pull_secrets,
                    labels=args.labels,
                    locations=args.locations,
                ),
            )
        )
        self.instance = template.apply(digest)
        said = {
            "replicas": spec.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": spec.timing(args.locations).progress_deadline,
            "selector": {"matchLabels": args.names.agent_selector},
            "strategy": strategy(spec),
            "template": template,
        }
        # Pulumi would wait here until all locations have loaded, and could not say which one does not
        about = self._about({"pulumi.com/skipAwait": "true"})
        return self._make("deployment", manifests.manifest("Deployment", "apps/v1", about, spec=said), settings)

    def _about(self, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        args = self._args
        return manifests.metadata(args.names, args.names.agent, args.namespace, args.labels, annotations)

    def _make(self, what: str, manifest: Manifest, *after: pulumi.Resource) -> Any:
        opts = pulumi.ResourceOptions(
            parent=self, depends_on=[*self._args.before_agent, *after], delete_before_replace=True
        )
        return stood_up(f"{self._name}-{what}", manifest, opts)


def strategy(spec: KubernetesAgentSpec) -> dict[str, Any]:
    """How a new agent takes the place of the old one."""
    if not spec.zero_downtime:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}


def digest(template: Mapping[str, Any]) -> str:
    """Names what the agent's pods are made of: another one, another agent."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
