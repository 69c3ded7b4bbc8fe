"""What the choices of an ECS stack cost, as Markdown."""

from __future__ import annotations

from hybrid.costs.aws import Footprint, TaskSize, estimate, run_dollars
from hybrid.costs.aws_prices import US_EAST_1, Prices

AGENT = TaskSize("agent", cpu=256, memory=1024)
SERVER = TaskSize("code server", cpu=256, memory=1024)
RUN = TaskSize("run", cpu=1024, memory=4096)
_ENDPOINTS = 6  # ecr.api, ecr.dkr, logs, secretsmanager, ecs, servicediscovery: what tasks without a way out need

_HEAD = """## On ECS

List prices of {region}, read in {as_of}; `hybrid/costs/aws_prices.py` has them with the pages to compare with. Most
regions cost as much or up to a third more.
"""


def section(prices: Prices = US_EAST_1) -> list[str]:
    """Its lines."""
    return [_HEAD.format(region=prices.region, as_of=prices.as_of), *_networks(prices), *_sizes(prices)]


def _networks(prices: Prices) -> list[str]:
    choices = (
        (
            "private tasks, one NAT gateway (default)",
            Footprint((), nat_gateways=1),
            "a failed zone may take the way out",
        ),
        ("private tasks, a NAT gateway in each of 2 zones", Footprint((), nat_gateways=2), "survives a failed zone"),
        (
            "public tasks: an address for the agent and each of 3 code servers",
            Footprint((), public_addresses=4),
            "nothing from outside gets in all the same; each run has an address while it runs",
        ),
        (
            f"private tasks, no way out: {_ENDPOINTS} interface endpoints in 2 zones",
            Footprint((), interface_endpoints=_ENDPOINTS * 2),
            "needs a proxy or a private link to Dagster+, and mirrored images",
        ),
    )
    lines = ["### The network", "", "| choice | $ a month | note |", "|---|---|---|"]
    return [*lines, *(f"| {what} | {_sum(footprint, prices)} | {note} |" for what, footprint, note in choices), ""]


def _sizes(prices: Prices) -> list[str]:
    def tasks(*sizes: TaskSize) -> str:
        return _sum(Footprint(sizes), prices)

    two = TaskSize("agent", cpu=256, memory=1024, count=2)
    arm = TaskSize("code server", cpu=256, memory=1024, arm=True)
    spot = run_dollars(RUN, prices, spot=True)
    return [
        "### What runs",
        "",
        "| choice | $ a month |",
        "|---|---|",
        f"| agent, 256 CPU and 1024 MiB (default) | {tasks(AGENT)} |",
        f"| two replicas of it | {tasks(two)} |",
        f"| code server, 256 CPU and 1024 MiB (default), each location | {tasks(SERVER)} |",
        f"| the same on ARM | {tasks(arm)} |",
        f"| Cloud Map namespace, agent token's secret | {_sum(Footprint((), namespaces=1, secrets=1), prices)} |",
        f"| a KMS key of your own, each | {_sum(Footprint((), keys=1), prices)} |",
        "",
        f"A run of 1024 CPU and 4096 MiB costs {run_dollars(RUN, prices):.3f} an hour, on Fargate Spot about "
        f"{spot:.3f}: AWS may end it at two minutes' notice, and Dagster starts it again only where the job says so.",
        "",
        "While the agent is rolled without downtime there is a second full set of code servers: with ten locations "
        f"and five minutes that is {_roll(prices):.2f} more.",
        "",
        "### Less",
        "",
        "- Idle code servers stop with `hybrid:agent.serverTtl`; those of branch deployments always do.",
        "- Code servers that need no more: 256 CPU and 512 MiB (`container_context.ecs.server_resources`).",
        "- Logs are kept for 30 days (`hybrid:aws.logRetentionDays`); taking them in costs "
        f"{prices.log_data_gb:.2f} a GB, which is more than keeping them.",
    ]


def _roll(prices: Prices) -> float:
    return 10 * run_dollars(SERVER, prices) * 5 / 60


def _sum(footprint: Footprint, prices: Prices) -> str:
    return f"{estimate(footprint, prices).dollars:.2f}"
