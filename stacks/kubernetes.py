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
from agent.kubernetes_launcher import CodePlace, kubernetes_launcher
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_pod import HOME
from agent.kubernetes_spec import KubernetesAgentSpec
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
from stacks.kubernetes_accounts import code_account, made_accounts, pull_secrets
from stacks.kubernetes_settings import KubernetesSettings
from stacks.platform import LocationSource, StandingAgent
from stacks.registry_login import docker_config

_ENDS = 60  # seconds beyond the grace period until a pod that was killed is gone


@dataclass
class KubernetesPlatform:
    """Everything of the stack is in one cluster and bears the stack's label."""

    who: StackIdentity
    workspace: Workspace
    spec: KubernetesAgentSpec
    folders: tuple[CodeLocationFolder, ...]
    names: KubernetesNames
    settings: KubernetesSettings
    _ground: KubernetesGround = field(init=False)

    @classmethod
    def of(
        cls,
        who: StackIdentity,
        workspace: Workspace,
        spec: KubernetesAgentSpec,
        folders: tuple[CodeLocationFolder, ...],
    ) -> KubernetesPlatform:
        """Raises ``SettingsError`` for what cannot be, and ``KubernetesError`` for a cluster that is not there."""
        names, settings = who.kubernetes, who.settings.kubernetes
        if names is None or settings is None:
            raise TypeError("settings of an agent on Kubernetes have `kubernetes`: Settings holds it")
        refuse_namespaces(folders, names, settings)
        refuse_platforms(who.settings.images.platforms, spec)
        return cls(who, workspace, spec, folders, names, settings)

    @property
    def process_directory(self) -> None:
        return None

    @property
    def reached_at(self) -> tuple[str, ...]:
        return ()

    def agent(self, token: AgentToken) -> StandingAgent:
        ground = KubernetesGround("ground", self._ground_args(token), self._opts)
        image, pushed = self._agent_image()
        agent = KubernetesAgent(
            "agent",
            KubernetesAgentArgs(
                spec=self.spec,
                names=self.names,
                deployment=self.who.endpoint.deployment,
                label=self.who.agent_label,
                agent_url=self.who.endpoint.agent_url,
                namespace=ground.namespace,
                code_account=code_account(self.names, self.settings),
                token_version=token.token_id,
                image=image,
                pull_secrets=self._pull_secrets,
                labels=self.settings.labels,
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
        named = needs_of(context)
        own = needs_of(self._launcher)
        check = KubernetesLaunchCheck(
            f"{folder.name}-launch",
            KubernetesLaunchCheckArgs(
                namespace=named.namespace or self.names.namespace,
                location=folder.name,
                image=source.image,
                service_accounts=named.accounts or (code_account(self.names, self.settings),),
                secrets=_once(*own.secrets, *named.secrets),
                config_maps=_once(*own.config_maps, *named.config_maps),
                claims=_once(*own.claims, *named.claims),
                node_selectors=_node_selectors(self._launcher, context),
                **self._cluster,
            ),
            pulumi.ResourceOptions(depends_on=self._ground.resources),
        )
        return LocationSource(source.document, source.content_hash, source.image, (check,))

    # what is made once, in the order of its first use

    @cached_property
    def _opts(self) -> pulumi.ResourceOptions:
        provider = kubernetes.Provider(
            "kubernetes",
            kubeconfig=kubeconfig_path(self.settings),
            context=self.settings.context,
            # else Pulumi replaces every object when anything of the kubeconfig changes, a renewed login too
            cluster_identifier=self.settings.server or self.settings.context,
            # the agent reads its settings when it starts, and a change of them starts it anew
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        )
        return pulumi.ResourceOptions(providers=[provider])

    @cached_property
    def _locations(self) -> ContainerLocations:
        return ContainerLocations(self.who, self.workspace)

    def _ground_args(self, token: AgentToken) -> KubernetesGroundArgs:
        settings = self.settings
        login = _registry_login(self.who) if settings.registry_login else None
        return KubernetesGroundArgs(
            names=self.names,
            token=token.token,
            adopts_namespace=settings.namespace.adopt,
            pod_security=settings.namespace.pod_security,
            location_namespaces=settings.location_namespaces,
            labels=settings.labels,
            agent_annotations=settings.agent_account.annotations,
            code_accounts=made_accounts(self.names, settings),
            rights_of_steps=self._all_accounts if self.spec.step_pods else (),
            registry_login=login,
            isolates_code=settings.isolate_code_servers,
        )

    def _agent_image(self) -> tuple[pulumi.Input[str] | None, list[pulumi.Resource]]:
        """The copy in the stack's registry, if one is wanted."""
        if not self.spec.mirror_image:
            return None, []
        context = Path(__file__).resolve().parent.parent / "agent" / "mirror"
        spec = ImageSpec(
            repository=f"{registry_address(self.who)}/{AGENT}",
            context=context,
            dockerfile=context / "Dockerfile",
            arguments={"PYTHON_IMAGE": self.spec.image},
            platforms=(f"linux/{self.spec.architecture}",),
            secrets=build_secrets(self.who),
            labels={"org.opencontainers.image.title": AGENT},
        )
        copy = LocationImage("agent-image", LocationImageArgs.of(spec))
        return copy.reference, [copy]

    def _drain(self, ground: KubernetesGround) -> KubernetesDrain:
        return KubernetesDrain(
            "kubernetes-drain",
            KubernetesDrainArgs(
                namespaces=self._namespaces,
                agent=self.names.agent,
                stack=self.names.base,
                owns_namespace=not self.settings.namespace.adopt,
                cleanup_seconds=self.spec.stop_timeout_seconds + _ENDS,
                **self._cluster,
            ),
            pulumi.ResourceOptions(depends_on=ground.resources, custom_timeouts=pulumi.CustomTimeouts(delete="2h")),
        )

    def _standing(self, agent: KubernetesAgent) -> StandingAgent:
        timing = self.spec.timing(len(self.folders))
        state = KubernetesAgentState(
            "agent-state",
            KubernetesAgentStateArgs(
                namespace=agent.namespace,
                deployment=agent.deployment_name,
                triggers={"pods": agent.instance},
                timeout_seconds=timing.locations_ready + self.spec.stop_timeout_seconds,
                **self._cluster,
            ),
            pulumi.ResourceOptions(depends_on=[agent]),
        )
        place = {
            "platform": "kubernetes",
            "namespaces": self._namespaces,
            "deployment": self.names.agent,
            "stack": self.names.base,
            **{name: value for name, value in self._cluster.items() if value is not None},
        }
        return StandingAgent(agent, agent.label, state.instance, state.started_at, place=place)

    # facts

    @property
    def _cluster(self) -> dict[str, Any]:
        """By which way resources that look at the cluster find it."""
        settings = self.settings
        return {"context": settings.context, "kubeconfig": kubeconfig_path(settings), "server": settings.server}

    @property
    def _namespaces(self) -> list[str]:
        """The agent's first."""
        return [self.names.namespace, *self.settings.location_namespaces]

    @cached_property
    def _launcher(self) -> Mapping[str, Any]:
        """What all code is launched with."""
        place = CodePlace(
            names=self.names,
            home=HOME,
            code_account=code_account(self.names, self.settings),
            pull_secrets=self._pull_secrets,
            labels=self.settings.labels,
        )
        return kubernetes_launcher(self.spec, place).config

    @property
    def _all_accounts(self) -> list[str]:
        """Of all code: those that are made, and that of the settings."""
        return sorted({code_account(self.names, self.settings), *made_accounts(self.names, self.settings)})

    @property
    def _pull_secrets(self) -> tuple[str, ...]:
        return pull_secrets(self.names, self.settings, self.spec)


def kubeconfig_path(settings: KubernetesSettings) -> str | None:
    """The file, or None for where the tools of Kubernetes look for one."""
    return None if settings.kubeconfig is None else str(Path(settings.kubeconfig).expanduser())


def refuse_namespaces(
    folders: Iterable[CodeLocationFolder], names: KubernetesNames, settings: KubernetesSettings
) -> None:
    """Raises ``SettingsError`` for a location that wants to run where the agent has no rights."""
    known = {names.namespace, *settings.location_namespaces}
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


def refuse_platforms(platforms: Iterable[str], spec: KubernetesAgentSpec) -> None:
    """Raises ``SettingsError`` for code that is built for one processor and started on another."""
    built = tuple(platforms)
    if spec.code_architecture is None or not built or f"linux/{spec.code_architecture}" in built:
        return
    raise SettingsError(
        f"Images are built for {', '.join(built)}, and code runs on nodes of {spec.code_architecture} alone.",
        next_step=f"add `linux/{spec.code_architecture}` to `hybrid:images.platforms`, or change "
        "`hybrid:agent.codeArchitecture`.",
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
