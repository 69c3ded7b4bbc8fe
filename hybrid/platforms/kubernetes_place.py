"""Where in a cluster a Kubernetes stack stands, by its file alone: the names of its things, for commands that look at
them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid.kubernetes.rights import Right
    from hybrid.kubernetes.session import Cluster
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class KubernetesPlace:
    """Names of a Kubernetes stack's things."""

    stack: str
    base: str
    """The value of the stack's label on everything, and what names begin with."""
    context: str
    kubeconfig: str | None
    server: str | None
    namespaces: tuple[str, ...]
    """The agent's, then those of locations that have one of their own."""
    adopts_namespace: bool
    isolates: bool
    deployment: str
    """The agent's own; its ConfigMap has the same name."""

    @classmethod
    def of(cls, who: StackIdentity) -> KubernetesPlace:
        from stacks.kubernetes_facts import KubernetesFacts

        facts = KubernetesFacts(who)
        names, settings = facts.names, facts.settings
        return cls(
            stack=who.stack,
            base=names.base,
            context=settings.context,
            kubeconfig=facts.cluster.get("kubeconfig"),
            server=settings.server,
            namespaces=tuple(facts.namespaces),
            adopts_namespace=settings.namespace.adopt,
            isolates=settings.isolate_code_servers,
            deployment=names.agent,
        )

    @property
    def home(self) -> str:
        """The agent's namespace."""
        return self.namespaces[0]

    @property
    def shown(self) -> str:
        return f"Kubernetes, {self.context}, namespace {self.home}"

    def door(self) -> Cluster:
        """It checks that the context leads to the stack's cluster before it is first used."""
        from hybrid.kubernetes.session import Cluster

        return Cluster(self.kubeconfig, self.context, self.server)

    def rights(self) -> list[Right]:
        """What every update needs there."""
        from hybrid.kubernetes.rights import rights_of_stack

        return rights_of_stack(self.namespaces, makes_namespace=not self.adopts_namespace, isolates=self.isolates)
