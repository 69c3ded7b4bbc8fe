"""Where in a cluster a Kubernetes stack stands, by its file alone: the names of its things, for commands that look at
them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid.kubernetes.errors import KubernetesDenied
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
    step_pods: bool
    """Whether code is given rights of its own."""
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
            step_pods=facts.spec.step_pods,
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

    def refusal(self, cluster: Cluster) -> KubernetesDenied | None:
        """What every update needs there, as the error that says what of it lacks; None: this identity may. Raises
        ``KubernetesError`` when the cluster cannot be asked."""
        from hybrid.kubernetes.rights import missing_rights, refused_by, rights_of_stack, ungivable_rights

        needed = rights_of_stack(self.namespaces, makes_namespace=not self.adopts_namespace, isolates=self.isolates)
        missing, ungivable = missing_rights(cluster, needed), ungivable_rights(cluster, self.given())
        return refused_by(missing, cluster.server, ungivable) if missing or ungivable else None

    def given(self) -> list[Right]:
        """What the stack's Roles have."""
        from agent.kubernetes_rules import AGENT_RULES, STEP_RULES
        from hybrid.kubernetes.rights import Right

        roles = [(AGENT_RULES, "give it to the agent"), *([(STEP_RULES, "give it to code")] if self.step_pods else [])]
        return [
            Right(rule.verbs, rule.group, resource, namespace, purpose)
            for namespace in self.namespaces
            for rules, purpose in roles
            for rule in rules
            for resource in rule.resources
        ]
