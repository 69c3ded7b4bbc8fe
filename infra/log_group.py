"""A group of logs whose lines expire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.keeping import Adoption, OnDestroy, kept

FOR_EVER: Final = 0
# fmt: off
RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, FOR_EVER,
)
# fmt: on
"""What CloudWatch Logs takes
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html); 0 keeps for ever."""


@dataclass(frozen=True)
class LogGroupArgs:
    """What a log group needs."""

    name: str
    """In AWS: 1 to 512 of letters, digits and . _ - / #"""
    retention_days: int
    """One of ``RETENTION_DAYS``."""
    key_arn: pulumi.Input[str] | None = None
    """A KMS key that CloudWatch Logs may use; None: CloudWatch's own encryption."""
    on_destroy: OnDestroy = "remove"
    """Removed by default: its lines are about an agent that is gone and would have expired in days, and a group that
    stays is paid for. ``remove-if-empty`` is not a thing of log groups and is refused."""
    adopted: Adoption | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._/#-]{1,512}", self.name):
            raise SettingsError(
                f"{self.name!r} is no name of a log group.",
                why="It has 1 to 512 of letters, digits and . _ - / #",
                next_step="Give the stack a plainer name in `hybrid:aws` → `name`.",
            )
        if self.retention_days not in RETENTION_DAYS:
            below = [days for days in RETENTION_DAYS[:-1] if days < self.retention_days][-1:]
            above = [days for days in RETENTION_DAYS if days > self.retention_days or days == FOR_EVER][:1]
            raise SettingsError(
                f"CloudWatch Logs does not keep lines for {self.retention_days} days.",
                why=f"It takes {', '.join(map(str, RETENTION_DAYS[:-1]))}, or 0 for ever.",
                next_step=f"Write {' or '.join(map(str, below + above))} as `logRetentionDays`.",
            )
        if self.on_destroy == "remove-if-empty":
            raise SettingsError(
                "A log group is removed with its lines or kept.", next_step="Write `remove` or `keep` for it."
            )


class LogGroup(pulumi.ComponentResource):
    """One log group."""

    group_name: pulumi.Output[str]
    arn: pulumi.Output[str]
    """Without the ``:*`` that stands for its streams."""

    def __init__(self, name: str, args: LogGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:LogGroup", name, None, opts)
        group = aws.cloudwatch.LogGroup(
            f"{name}-group",
            name=args.name,
            retention_in_days=args.retention_days,
            kms_key_id=args.key_arn,
            opts=kept(self, args.on_destroy, args.adopted),
        )
        self.group_name = group.name
        self.arn = group.arn
        self.register_outputs({"groupName": self.group_name, "arn": self.arn})
