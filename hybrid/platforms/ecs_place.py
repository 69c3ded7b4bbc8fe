"""Where in AWS an ECS stack stands, by its file alone: the names of its things, for commands that look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.ecs_spec import EcsAgentSpec
    from hybrid.aws.session import Aws
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class EcsPlace:
    """Names of an ECS stack's things."""

    stack: str
    base: str
    """The value of the stack's tag on everything, and what names begin with."""
    region: str
    account: str
    cluster: str
    service: str
    """The agent's own."""
    agent_log_group: str
    code_log_group: str
    server_prefix: str
    run_prefix: str

    @classmethod
    def of(cls, who: StackIdentity, spec: EcsAgentSpec) -> EcsPlace:
        """``spec``: the agent's, of the stack's settings."""
        from stacks.ecs_facts import EcsFacts

        names = EcsFacts(who).names
        return cls(
            stack=who.stack,
            base=names.base,
            region=names.region,
            account=names.account,
            cluster=spec.cluster or names.cluster,
            service=names.service,
            agent_log_group=names.agent_log_group,
            code_log_group=names.code_log_group,
            server_prefix=names.server_prefix,
            run_prefix=names.run_prefix,
        )

    @property
    def shown(self) -> str:
        return f"ECS, account {self.account}, {self.region}"

    def door(self) -> Aws:
        """It checks the account before it is first used."""
        from hybrid.aws.session import Aws

        return Aws(self.region, self.account)
