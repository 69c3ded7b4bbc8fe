"""What an ECS stack calls its things in AWS: pure functions of the settings, so that commands find them without asking
the state."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from hybrid.aws.tags import STACK_TAG
from infra.names import shortened

__all__ = ["STACK_TAG", "EcsNames"]


@dataclass(frozen=True)
class EcsNames:
    """``base`` is ``hybrid-<stack>`` unless the settings name another; lower case, digits and hyphens."""

    base: str
    account: str
    region: str

    @classmethod
    def of(cls, stack: str, account: str, region: str, base: str | None = None) -> EcsNames:
        """Names for a stack. ``base``: the settings' own, if they have one."""
        wanted = f"hybrid-{stack}"
        made = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")
        if made != wanted:  # `a.b` and `a_b` are two stacks
            made = f"{made}-{hashlib.sha256(wanted.encode()).hexdigest()[:6]}"
        return cls(base or shortened(made, 40), account, region)

    @property
    def cluster(self) -> str:
        return self.base

    @property
    def service(self) -> str:
        return f"{self.base}-agent"

    @property
    def task_family(self) -> str:
        return f"{self.base}-agent"

    @property
    def namespace(self) -> str:
        """The private DNS namespace of code servers. Two of one name may not be in one VPC."""
        return f"{self.base}.local"

    @property
    def server_prefix(self) -> str:
        """Begins the names of code servers' task definitions; the launcher allows 16 characters."""
        return f"{shortened(self.base, 14)}-s"

    @property
    def run_prefix(self) -> str:
        """Begins the names of runs' task definitions; the launcher allows 16 characters."""
        return f"{shortened(self.base, 14)}-r"

    @property
    def agent_log_group(self) -> str:
        return f"/{self.base}/agent"

    @property
    def code_log_group(self) -> str:
        """Code servers and runs: the launcher knows one group for both."""
        return f"/{self.base}/code"

    @property
    def token_secret(self) -> str:
        return f"{self.base}/agent-token"

    @property
    def bucket(self) -> str:
        """Bucket names are one space for all of AWS."""
        return shortened(f"{self.base}-{self.account}-{self.region}", 63)

    def role(self, what: str) -> str:
        """``what``: agent, agent-execution, code, code-execution, location-<location>, ci."""
        return shortened(f"{self.base}-{what}", 64)

    def repository(self, what: str) -> str:
        """The ECR repository of a location, or of the agent's own image."""
        return shortened(f"{self.base}/{what.lower()}", 256)

    @property
    def registry(self) -> str:
        """The host of the account's ECR registry."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"{self.account}.dkr.ecr.{self.region}.{suffix}"

    @property
    def partition(self) -> str:
        """The first part of ARNs."""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(re.sub(r"-[a-z]+-\d+$", "", self.region), "aws")

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """An ARN of the account: ``arn("ecs", "cluster/x")``; without ``region`` for IAM."""
        return f"arn:{self.partition}:{service}:{self.region if region else ''}:{self.account}:{resource}"
