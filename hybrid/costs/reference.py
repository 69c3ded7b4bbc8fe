"""The page of costs by choice, as Markdown. ``make docs`` writes docs/costs.md."""

from __future__ import annotations

import sys

from hybrid.costs import aws_choices, azure_choices

_HEAD = """# What a stack costs

In US dollars a month of 730 hours, by list prices. Runs, data and requests come on top: they depend on use. This page
is made by `make docs`. `hybrid costs STACK` says it for a stack of yours, and `hybrid review` what a change makes of
it.
"""

_KUBERNETES = """## On Kubernetes

What a processor costs, the cluster's nodes decide, so there are no list prices. Say what it costs you, and `hybrid
costs` and `hybrid review` reckon with what the pods of agent and code servers request:

```yaml
# stacks/Pulumi.prod.yaml
config:
  hybrid:kubernetes:
    prices: {vcpuHour: 0.031, gibHour: 0.0042, asOf: "2026-11"}
```

Without it `hybrid costs` says what they request, and no dollars. Pods that request nothing count as nothing; so does
room of the nodes that nobody requests.
"""


def markdown() -> str:
    """The whole page."""
    lines = [_HEAD, *aws_choices.section(), "", *azure_choices.section(), _KUBERNETES.rstrip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
