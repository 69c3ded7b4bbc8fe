"""The Kubernetes platform: the agent, its code servers and its runs are pods of one cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from agent.kubernetes import KubernetesAgent, KubernetesAgentArgs
from agent.kubernetes_ground import KubernetesGround, KubernetesGroundArgs
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_spec import KubernetesAgentSpec
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import location_document
from hybrid.delivery.images.reference import Reference
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.repository import AGENT
from hybrid.errors import SettingsError
from hybrid.provider.image_resources import LocationImage, LocationImageArgs
from hybrid.provider.resources import AgentToken
from hybrid.workspace import Workspace
from stacks.containers import ContainerLocations
from stacks.documents import location_account
from stacks.identity import StackIdentity
from stacks.images import build_secrets, registry_address
from stacks.kubernetes_settings import KubernetesSettings
from stacks.platform import LocationSource, StandingAgent
from stacks.registry_login import docker_config


@dataclass
class KubernetesPlatform:
    """Everything of the stack is in one cluster and bears the stack's label."""

    who: StackIdentity
    workspace: Workspace
    spec: KubernetesAgentSpec
    folders: tuple[CodeLocationFolder, ...]
    names: KubernetesNames
    settings: KubernetesSettings

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
                code_account=self._code_account,
                token_version=token.token_id,
                image=image,
                pull_secrets=self._pull_secrets,
                labels=self.settings.labels,
                locations=len(self.folders),
                before_agent=[*ground.resources, *pushed],
            ),
            self._opts,
        )
        return StandingAgent(agent, agent.label, agent.instance, None)

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        return self._locations.source(folder)

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
            code_accounts=self._made_accounts,
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

    # facts

    @property
    def _code_account(self) -> str:
        return self.settings.code_account.name or self.names.code

    @property
    def _made_accounts(self) -> dict[str, Mapping[str, str]]:
        """Service accounts of code that the stack makes: annotations by name."""
        made: dict[str, Mapping[str, str]] = {
            self.names.location_account(location): account.annotations
            for location, account in self.settings.location_accounts.items()
        }
        if self.settings.code_account.name is None:
            made[self.names.code] = self.settings.code_account.annotations
        return made

    @property
    def _all_accounts(self) -> list[str]:
        own = (location_account(self.who, folder.name) for folder in self.folders)
        return sorted({self._code_account, *self._made_accounts, *(name for name in own if name)})

    @property
    def _pull_secrets(self) -> tuple[str, ...]:
        made = (self.names.registry_secret,) if self.settings.registry_login else ()
        return (*made, *self.spec.image_pull_secrets)


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
