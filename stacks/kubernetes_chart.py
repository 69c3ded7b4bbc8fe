"""The values of Dagster's own Helm chart for a stack on Kubernetes."""

from __future__ import annotations

from agent.kubernetes_helm import ChartPlace, ChartValues, chart_values
from agent.kubernetes_spec import KubernetesAgentSpec
from hybrid.errors import UsageError
from stacks.identity import StackIdentity
from stacks.kubernetes_accounts import code_account, made_accounts, pull_secrets


def chart_of(who: StackIdentity) -> ChartValues:
    """Raises ``UsageError`` for a stack on another platform."""
    names, settings, spec = who.kubernetes, who.settings.kubernetes, who.settings.agent
    if names is None or settings is None or not isinstance(spec, KubernetesAgentSpec):
        raise UsageError(
            f"The agent of the stack '{who.stack}' is of kind `{spec.kind}`.",
            why="Dagster has a Helm chart for agents on Kubernetes alone.",
            next_step="name a stack whose `hybrid:agent.kind` is `kubernetes` (docs/kubernetes.md).",
        )
    place = ChartPlace(
        names=names,
        label=who.agent_label,
        deployment=who.endpoint.deployment,
        url=who.endpoint.agent_url,
        code_account=code_account(names, settings),
        code_accounts=made_accounts(names, settings),
        agent_annotations=settings.agent_account.annotations,
        pull_secrets=pull_secrets(names, settings, spec),
        labels=settings.labels,
        isolates_code=settings.isolate_code_servers,
    )
    return chart_values(spec, place)
