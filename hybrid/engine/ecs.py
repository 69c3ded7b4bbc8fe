"""Where in AWS an ECS stack stands, by its file alone: the names of its things, for commands that look at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.aws.registry import EcrAddress
from hybrid.errors import SettingsError, UsageError
from stacks.images import registry_address

if TYPE_CHECKING:
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class EcrRegistry:
    """A stack's registry that is one of ECR, and what the stack's repositories there begin with."""

    account: str
    region: str
    host: str
    prefix: str
    """Without the slash that follows; empty when repositories have the names of locations alone."""

    def repository(self, location: str) -> str:
        """The name of the location's repository."""
        return f"{self.prefix}/{location.lower()}" if self.prefix else location.lower()


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
    task_family: str
    agent_log_group: str
    code_log_group: str
    token_secret: str
    server_prefix: str
    run_prefix: str
    registry: EcrRegistry | None
    """None: images are in a registry that is not ECR's."""
    repositories: Mapping[str, str]
    """The name of a location's repository, by the location; empty without ``registry``."""
    image: str
    """The agent's image, as the stack file or its default says."""
    replicas: int
    exec_enabled: bool
    zero_downtime: bool

    @classmethod
    def of(cls, who: StackIdentity, locations: Iterable[str] = ()) -> EcsPlace:
        """Raises ``UsageError`` for a stack of another platform."""
        names, spec = who.ecs, who.settings.agent
        if names is None or spec.kind != "ecs":
            raise UsageError(
                f"The stack '{who.stack}' is not on ECS.",
                why=f"Its agent is of kind {spec.kind}.",
                next_step="name a stack whose hybrid:agent has `kind: ecs`.",
            )
        registry = ecr_registry(who)
        return cls(
            stack=who.stack,
            base=names.base,
            region=names.region,
            account=names.account,
            cluster=spec.cluster or names.cluster,
            service=names.service,
            task_family=names.task_family,
            agent_log_group=names.agent_log_group,
            code_log_group=names.code_log_group,
            token_secret=names.token_secret,
            server_prefix=names.server_prefix,
            run_prefix=names.run_prefix,
            registry=registry,
            repositories={} if registry is None else {name: registry.repository(name) for name in locations},
            image=spec.image,
            replicas=spec.replicas,
            exec_enabled=spec.exec,
            zero_downtime=spec.zero_downtime,
        )

    @property
    def shown(self) -> str:
        return f"ECS, account {self.account}, {self.region}"


def ecr_registry(who: StackIdentity) -> EcrRegistry | None:
    """The stack's registry, None when it has none or it is another's than AWS's."""
    try:
        host, _, prefix = registry_address(who).partition("/")
    except SettingsError:
        return None
    address = EcrAddress.parse(host)
    return None if address is None else EcrRegistry(address.account, address.region, host, prefix.strip("/"))
