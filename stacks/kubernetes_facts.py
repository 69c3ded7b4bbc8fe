"""What a stack on Kubernetes makes of its own, and what it calls it; who code is there, and by which logins its images
are pulled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.kubernetes_launcher import CodePlace, kubernetes_launcher
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_pod import HOME
from agent.kubernetes_spec import KubernetesAgentSpec
from stacks.kubernetes_settings import KubernetesSettings
from stacks.platform_facts import PlatformFacts


@dataclass(frozen=True)
class KubernetesFacts(PlatformFacts):
    """See the module."""

    @property
    def settings(self) -> KubernetesSettings:
        found = self.who.settings.kubernetes
        if found is None:
            raise TypeError("settings of an agent on Kubernetes have `kubernetes`: Settings holds it")
        return found

    @property
    def spec(self) -> KubernetesAgentSpec:
        found = self.who.settings.agent
        if not isinstance(found, KubernetesAgentSpec):
            raise TypeError("these facts are of stacks on Kubernetes")
        return found

    @property
    def names(self) -> KubernetesNames:
        settings = self.settings
        return KubernetesNames.of(self.who.stack, base=settings.name, namespace=settings.namespace.name)

    @property
    def namespaces(self) -> list[str]:
        """The agent's, then those of locations."""
        return [self.names.namespace, *self.settings.location_namespaces]

    @property
    def cluster(self) -> dict[str, str]:
        """By which way the cluster is found: ``context``, and ``kubeconfig`` and ``server`` where they are said."""
        settings = self.settings
        path = settings.kubeconfig
        said = {
            "context": settings.context,
            "kubeconfig": None if path is None else str(Path(path).expanduser()),
            "server": settings.server,
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def code_account(self) -> str:
        """The service account of code that has none of its own."""
        return self.settings.code_account.name or self.names.code

    @property
    def made_accounts(self) -> dict[str, Mapping[str, str]]:
        """The service accounts of code that the stack makes: annotations by name."""
        made: dict[str, Mapping[str, str]] = {
            self.names.location_account(location): account.annotations
            for location, account in self.settings.location_accounts.items()
        }
        if self.settings.code_account.name is None:
            made[self.names.code] = self.settings.code_account.annotations
        return made

    @property
    def pull_secrets(self) -> tuple[str, ...]:
        """Names of the Secrets by which nodes pull images, of agent and code alike."""
        made = (self.names.registry_secret,) if self.settings.registry_login else ()
        return (*made, *self.spec.image_pull_secrets)

    @property
    def launcher(self) -> Mapping[str, Any]:
        """The configuration that all code is launched with; its keys are those of ``container_context.k8s`` and some
        more."""
        place = CodePlace(
            names=self.names,
            home=HOME,
            code_account=self.code_account,
            pull_secrets=self.pull_secrets,
            labels=self.settings.labels,
        )
        return kubernetes_launcher(self.spec, place).config

    def complete(self, document: dict[str, Any], location: str) -> None:
        """The service account of the location's own; without one it has that of all, which is the launcher's."""
        if location in self.settings.location_accounts:
            context = document.setdefault("container_context", {}).setdefault("k8s", {})
            context.setdefault("service_account_name", self.names.location_account(location))
