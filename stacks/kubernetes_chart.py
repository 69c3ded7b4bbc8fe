"""The values of Dagster's own Helm chart for a stack on Kubernetes."""

from __future__ import annotations

from agent.kubernetes_helm import ChartPlace, ChartValues, chart_values
from hybrid.errors import UsageError
from stacks.identity import StackIdentity
from stacks.kubernetes_facts import KubernetesFacts
from stacks.platform_facts import facts_of


def chart_of(who: StackIdentity) -> ChartValues:
    """Raises ``UsageError`` for a stack on another platform."""
    facts = facts_of(who)
    if not isinstance(facts, KubernetesFacts):
        raise UsageError(
            f"The agent of the stack '{who.stack}' is of kind `{who.settings.agent.kind}`.",
            why="Dagster has a Helm chart for agents on Kubernetes alone.",
            next_step="name a stack whose `hybrid:agent.kind` is `kubernetes` (docs/kubernetes.md).",
        )
    place = ChartPlace(
        names=facts.names,
        label=who.agent_label,
        deployment=who.endpoint.deployment,
        url=who.endpoint.agent_url,
        code_account=facts.code_account,
        code_accounts=facts.made_accounts,
        agent_annotations=facts.settings.agent_account.annotations,
        pull_secrets=facts.pull_secrets,
        labels=facts.settings.labels,
        isolates_code=facts.settings.isolate_code_servers,
    )
    return chart_values(facts.spec, place)
