"""A stack on Kubernetes as values of Dagster's own Helm chart, for the command line."""

from __future__ import annotations

import yaml

from hybrid.engine.stack import Stack


def helm_values(stack: Stack) -> str:
    """A values file: what the chart cannot be told stands above it, as comments. No secret is in it.

    Raises ``UsageError`` for a stack on another platform.
    """
    from stacks.kubernetes_chart import chart_of

    chart = chart_of(stack.who)
    head = [
        f"# The agent of the stack {stack.who.stack}, for Dagster's Helm chart dagster-cloud-agent:",
        f"#   helm upgrade --install {stack.who.stack} dagster-cloud/dagster-cloud-agent --values THIS_FILE",
        f"# In the namespace there must be the Secret {chart.values['dagsterCloud']['agentTokenSecretName']} with the",
        "# key DAGSTER_CLOUD_AGENT_TOKEN. What the chart is not told:",
        *(f"#   {line}" for line in chart.unsaid),
    ]
    text = yaml.safe_dump(chart.values, sort_keys=False, allow_unicode=True, width=10_000)
    return "\n".join([*head, text])
