"""The Kubernetes platform: the agent, its code servers and its runs are pods of one cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from agent.kubernetes import KubernetesAgent, KubernetesAgentArgs
from agent.kubernetes_ground import KubernetesGround, KubernetesGroundArgs
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import location_document
from hybrid.delivery.images.reference import Reference
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.repository import AGENT
from hybrid.errors import SettingsError
from hybrid.kubernetes.needs import needs_of
from hybrid.provider.image_resources import LocationImage, LocationImageArgs
from hybrid.provider.kubernetes_resources import (
    KubernetesAgentState,
    KubernetesAgentStateArgs,
    KubernetesDrain,
    KubernetesDrainArgs,
    KubernetesLaunchCheck,
    KubernetesLaunchCheckArgs,
)
from hybrid.provider.resources import AgentToken
from hybrid.workspace import Workspace
from stacks.containers import ContainerLocations
from stacks.documents import document_of_image
from stacks.identity import StackIdentity
from stacks.images import build_secrets, registry_address
from stacks.kubernetes_facts import KubernetesFacts
from stacks.platform import LocationSource, StandingAgent
from stacks.registry_login import docker_config

_ENDS = 60  # seconds beyond the grace period until a pod that was killed is gone


@dataclass
class KubernetesPlatform:
    """Everything of the stack is in one cluster and bears the stack's label."""

    who: StackIdentity
    workspace: Workspace
    folders: tuple[CodeLocationFolder, ...]
    facts: KubernetesFacts
    _ground: KubernetesGround = field(init=False)

    @classmethod
    def of(
        cls, who: StackIdentity, workspace: Workspace, folders: tuple[CodeLocationFolder, ...]
    ) -> KubernetesPlatform:
        """Raises ``SettingsError`` for what cannot be."""
        facts = KubernetesFacts(who)
        refuse_namespaces(folders, facts.namespaces)
        return cls(who, workspace, folders, facts)

    @property
    def process_directory(self) -> None:
        return None

    @property
    def reached_at(self) -> tuple[str, ...]:
        return ()

    def agent(self, token: AgentToken) -> StandingAgent:
        facts = self.facts
        ground = KubernetesGround("ground", self._ground_args(token), self._opts)
        image, pushed = self._agent_image()
        agent = KubernetesAgent(
            "agent",
            KubernetesAgentArgs(
                spec=facts.spec,
                names=facts.names,
                deployment=self.who.endpoint.deployment,
                label=self.who.agent_label,
                agent_url=self.who.endpoint.agent_url,
                namespace=ground.namespace,
                code_account=facts.code_account,
                token_version=token.token_id,
                image=image,
                pull_secrets=facts.pull_secrets,
                labels=facts.settings.labels,
                locations=len(self.folders),
                before_agent=[*ground.resources, self._drain(ground), *pushed],
            ),
            self._opts,
        )
        self._ground = ground
        return self._standing(agent)

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        source = self._locations.source(folder)
        if source.image is None:
            return source
        document = document_of_image(self.who, folder, "any")
        context = (document.get("container_context") or {}).get("k8s") or {}
        named, own = needs_of(context), needs_of(self.facts.launcher)
        check = KubernetesLaunchCheck(
            f"{folder.name}-launch",
            KubernetesLaunchCheckArgs(
                namespace=named.namespace or self.facts.names.namespace,
                location=folder.name,
                image=source.image,
                service_accounts=named.accounts or (self.facts.code_account,),
                secrets=_once(*own.secrets, *named.secrets),
                config_maps=_once(*own.config_maps, *named.config_maps),
                claims=_once(*own.claims, *named.claims),
                node_selectors=_node_selectors(self.facts.launcher, context),
                **_way(self.facts),
            ),
            pulumi.ResourceOptions(depends_on=self._ground.resources),
        )
        return LocationSource(source.document, source.content_hash, source.image, (check,))

    # what is made once, in the order of its first use

    @cached_property
    def _opts(self) -> pulumi.ResourceOptions:
        provider = kubernetes.Provider(
            "kubernetes",
            kubeconfig=self.facts.cluster.get("kubeconfig"),
            context=self.facts.cluster["context"],
            # else Pulumi replaces every object when anything of the kubeconfig changes, a renewed login too
            cluster_identifier=self.facts.cluster.get("server", self.facts.cluster["context"]),
            # the agent reads its settings when it starts, and a change of them starts it anew
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        )
        return pulumi.ResourceOptions(providers=[provider])

    @cached_property
    def _locations(self) -> ContainerLocations:
        return ContainerLocations(self.who, self.workspace)

    def _ground_args(self, token: AgentToken) -> KubernetesGroundArgs:
        facts, settings = self.facts, self.facts.settings
        login = _registry_login(self.who) if settings.registry_login else None
        return KubernetesGroundArgs(
            names=facts.names,
            token=token.token,
            adopts_namespace=settings.namespace.adopt,
            pod_security=settings.namespace.pod_security,
            location_namespaces=settings.location_namespaces,
            labels=settings.labels,
            agent_annotations=settings.agent_account.annotations,
            code_accounts=facts.made_accounts,
            rights_of_steps=sorted({facts.code_account, *facts.made_accounts}) if facts.spec.step_pods else (),
            registry_login=login,
            isolates_code=settings.isolate_code_servers,
        )

    def _agent_image(self) -> tuple[pulumi.Input[str] | None, list[pulumi.Resource]]:
        """The copy in the stack's registry, if one is wanted."""
        if not self.facts.spec.mirror_image:
            return None, []
        context = Path(__file__).resolve().parent.parent / "agent" / "mirror"
        spec = ImageSpec(
            repository=f"{registry_address(self.who)}/{AGENT}",
            context=context,
            dockerfile=context / "Dockerfile",
            arguments={"PYTHON_IMAGE": self.facts.spec.image},
            platforms=(f"linux/{self.facts.spec.architecture}",),
            secrets=build_secrets(self.who),
            labels={"org.opencontainers.image.title": AGENT},
        )
        copy = LocationImage("agent-image", LocationImageArgs.of(spec))
        return copy.reference, [copy]

    def _drain(self, ground: KubernetesGround) -> KubernetesDrain:
        facts = self.facts
        return KubernetesDrain(
            "kubernetes-drain",
            KubernetesDrainArgs(
                namespaces=facts.namespaces,
                agent=facts.names.agent,
                stack=facts.names.base,
                owns_namespace=not facts.settings.namespace.adopt,
                cleanup_seconds=facts.spec.stop_timeout_seconds + _ENDS,
                **_way(self.facts),
            ),
            pulumi.ResourceOptions(depends_on=ground.resources, custom_timeouts=pulumi.CustomTimeouts(delete="2h")),
        )

    def _standing(self, agent: KubernetesAgent) -> StandingAgent:
        facts, timing = self.facts, self.facts.spec.timing(len(self.folders))
        state = KubernetesAgentState(
            "agent-state",
            KubernetesAgentStateArgs(
                namespace=agent.namespace,
                deployment=agent.deployment_name,
                triggers={"pods": agent.instance},
                timeout_seconds=timing.locations_ready + facts.spec.stop_timeout_seconds,
                **_way(self.facts),
            ),
            pulumi.ResourceOptions(depends_on=[agent]),
        )
        place = {
            "platform": "kubernetes",
            "namespaces": facts.namespaces,
            "deployment": facts.names.agent,
            "stack": facts.names.base,
            **facts.cluster,
        }
        return StandingAgent(agent, agent.label, state.instance, state.started_at, place=place)


def _way(facts: KubernetesFacts) -> dict[str, Any]:
    """By which way a resource that looks at the cluster finds it."""
    return dict(facts.cluster)


def refuse_namespaces(folders: Iterable[CodeLocationFolder], known: Iterable[str]) -> None:
    """Raises ``SettingsError`` for a location that wants to run where the agent has no rights."""
    known = frozenset(known)
    for folder in folders:
        context = _k8s_context(folder)
        wanted = context.get("namespace")
        if wanted is not None and wanted not in known:
            raise SettingsError(
                f"The location '{folder.name}' is to run in the namespace '{wanted}'.",
                why="The agent has no rights there, and the token of Dagster+ is not there: the stack knows "
                f"{', '.join(sorted(known))}.",
                next_step=f"name it in `hybrid:kubernetes.locationNamespaces`, or take `namespace` out of "
                f"`container_context.k8s` of {folder.name}.",
            )


def _k8s_context(folder: CodeLocationFolder) -> Mapping[str, Any]:
    document = location_document(folder, image="any", platform="kubernetes")
    context = (document.get("container_context") or {}).get("k8s")
    return context if isinstance(context, Mapping) else {}


def _registry_login(who: StackIdentity) -> pulumi.Output[str]:
    registry = Reference.parse(f"{registry_address(who)}/{AGENT}").registry
    return pulumi.Output.secret(docker_config(registry))


def _once(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _node_selectors(launcher: Mapping[str, Any], context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Labels that nodes of code servers and of runs must bear, each once: those of a location upon those of all."""
    found: list[dict[str, str]] = []
    for part in ("server_k8s_config", "run_k8s_config"):
        labels = {**_node_selector(launcher, part), **_node_selector(context, part)}
        found += [labels] if labels not in found else []
    return found


def _node_selector(config: Mapping[str, Any], part: str) -> dict[str, str]:
    for key in (part, "pod_spec_config", "node_selector"):
        first, *rest = key.split("_")
        camel = first + "".join(word.capitalize() for word in rest)
        below = config.get(key, config.get(camel)) if isinstance(config, Mapping) else None
        config = below if isinstance(below, Mapping) else {}
    return {str(key): str(value) for key, value in config.items()}
