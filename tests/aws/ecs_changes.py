"""Changes of a stack's settings, each with what it does to which resources, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.aws.ecs_stack import EcsStack

RESTARTED: Final = {"agent-task": "delete-replaced", "agent-service": "update", "agent-state": "update"}
CHANGES: Final[dict[str, tuple[Callable[[EcsStack], None], dict[str, str]]]] = {
    "replicas": (lambda stack: stack.change("agent", replicas=2), {"agent-service": "update"}),
    "cpu": (lambda stack: stack.change("agent", cpu=512), RESTARTED),
    "image": (
        lambda stack: stack.change("agent", image="public.ecr.aws/dagster/dagster-cloud-agent:1.13.26"),
        RESTARTED,
    ),
    "nat-per-zone": (
        lambda stack: stack.change("aws", network={"nat": "per-zone"}),
        {"network-nat-2-address": "create", "network-nat-2": "create", "network-private-2-way-out": "update"},
    ),
    "log-retention": (
        lambda stack: stack.change("aws", logRetentionDays=7),
        {"ground-agent-log-group": "update", "ground-code-log-group": "update"},
    ),
    "a-role-for-a-location": (
        lambda stack: stack.change("aws", locationRoles={"ready": {"prefixes": ["assets/ready/"]}}),
        {
            "location-ready": "create",
            "location-ready-role": "create",
            "location-ready-assets-ready": "create",
            "agent-agent": "update",
            "ready-launch": "update",
        },
    ),
    "alarms": (
        lambda stack: stack.change("aws", alarms={"emails": ["oncall@acme.example"]}),
        {
            "alarms": "create",
            "alarms-topic": "create",
            "alarms-topic-policy": "create",
            "alarms-mail-oncall@acme.example": "create",
            **{f"alarms-{what}": "create" for what in ("cpu", "memory", "down", "stopped", "out-of-memory")},
            **{f"alarms-{what}-told": "create" for what in ("stopped", "out-of-memory")},
        },
    ),
    "output-of-steps-in-the-bucket": (
        lambda stack: stack.change("agent", computeLogs="bucket"),
        {"code-compute-logs": "create", **RESTARTED},
    ),
}
