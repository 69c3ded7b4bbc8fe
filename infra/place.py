"""Where in AWS a stack stands: partition, region and account, and the ARNs that follow from them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hybrid.errors import SettingsError


@dataclass(frozen=True)
class Place:
    """An account and a region. Policies are written with it, so that a preview shows whole ARNs."""

    account: str
    """12 digits."""
    region: str
    partition: str = "aws"
    """The first part of ARNs: ``aws``, ``aws-cn`` or ``aws-us-gov``."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{12}", self.account):
            raise SettingsError(
                f"{self.account!r} is no AWS account.",
                why="An account's id has 12 digits, leading zeros included.",
                next_step="Quote it in the stack file, so that YAML does not read it as a number.",
            )

    @property
    def domain(self) -> str:
        """The domain of AWS's services, which ``kms:ViaService`` and registries name."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account in this region: ``arn("ecr", "repository/x")``."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """An ARN of this account in no region, as those of IAM."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"

    def via(self, service: str) -> str:
        """What ``kms:ViaService`` is when ``service`` uses a key for somebody, in every partition
        (https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service)."""
        return f"{service}.{self.region}.{self.domain}"
