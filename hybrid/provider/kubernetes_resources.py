"""The resource classes around an agent on Kubernetes, for programs. Names and tokens here are recorded in state: none
is ever renamed.

Inputs are explained in the definitions of ``kubernetes_agent_state``, ``kubernetes_drain`` and
``kubernetes_launch_check``; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from pulumi import Input, Output

from hybrid.provider.agent_resources import RunsOnDelete
from hybrid.provider.check_resources import Check
from hybrid.provider.resources import _properties


@dataclass(frozen=True)
class KubernetesAgentStateArgs:
    """Which Deployment has to stand."""

    namespace: Input[str]
    deployment: Input[str]
    context: Input[str] | None = None
    kubeconfig: Input[str] | None = None
    server: Input[str] | None = None
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)
    """What the Deployment's pods are made of, so that it is waited for again when that changes."""
    timeout_seconds: Input[float] | None = None


class KubernetesAgentState(pulumi.CustomResource):
    """The statement that a Deployment is rolled out, and since when. Let it depend on the Deployment."""

    def __init__(self, name: str, args: KubernetesAgentStateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = ("started_at", "instance", "running_count", "steady")
        super().__init__("dagsterhybrid:index:KubernetesAgentState", name, _properties(args, outputs), opts)

    @property
    def started_at(self) -> Output[str]:
        """When the newest container was started: give it to ``AgentReadyArgs.heartbeat_after``."""
        return cast("Output[str]", self.__dict__["startedAt"])

    @property
    def instance(self) -> Output[str]:
        """Changes whenever a pod is another, or was started anew."""
        return cast("Output[str]", self.__dict__["instance"])

    @property
    def running_count(self) -> Output[int]:
        return cast("Output[int]", self.__dict__["runningCount"])

    @property
    def steady(self) -> Output[bool]:
        return cast("Output[bool]", self.__dict__["steady"])


@dataclass(frozen=True)
class KubernetesDrainArgs:
    """What to take away at the end, and what holds that up."""

    namespaces: Input[Sequence[Input[str]]]
    """The agent's first, then those of locations with one of their own."""
    agent: Input[str]
    stack: Input[str]
    context: Input[str] | None = None
    kubeconfig: Input[str] | None = None
    server: Input[str] | None = None
    owns_namespace: Input[bool] = True
    runs: Input[RunsOnDelete | str] | None = None
    cleanup_seconds: Input[float] | None = None
    timeout_seconds: Input[float] | None = None


class KubernetesDrain(pulumi.CustomResource):
    """Takes away what the agent's launcher made. The agent's Deployment depends on it; it depends on namespace,
    accounts, rights and Secrets. Give it a delete time-out above its own."""

    def __init__(self, name: str, args: KubernetesDrainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:KubernetesDrain", name, _properties(args, ()), opts)


@dataclass(frozen=True)
class KubernetesLaunchCheckArgs:
    """A code location as the cluster will launch it: names from ``hybrid.kubernetes.needs`` and of the launcher's own
    settings."""

    namespace: Input[str]
    location: Input[str]
    image: Input[str]
    context: Input[str] | None = None
    kubeconfig: Input[str] | None = None
    server: Input[str] | None = None
    service_accounts: Input[Sequence[Input[str]]] = ()
    secrets: Input[Sequence[Input[str]]] = ()
    config_maps: Input[Sequence[Input[str]]] = ()
    claims: Input[Sequence[Input[str]]] = ()
    node_selectors: Input[Sequence[Input[Mapping[str, Input[str]]]]] | None = None
    """Labels of nodes for code servers and for runs; None: any node."""
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)


class KubernetesLaunchCheck(Check):
    """The statement that a code location can be launched. Let its ``CodeLocation`` depend on it."""

    def __init__(self, name: str, args: KubernetesLaunchCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:KubernetesLaunchCheck", name, args, opts)
