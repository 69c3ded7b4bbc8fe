"""How tasks reach what lies outside their network, and what they need where there is no way out. Pure.

Fargate pulls images, fetches secrets and ships logs through the task's own network interface, so that these need a way
as much as the task's program does, and no proxy of the program helps them:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-pull-behavior.html
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.errors import SettingsError

Placement = Literal["private", "public"]
Nat = Literal["one", "per-zone", "none"]

PLATFORM_ENDPOINTS: Final = ("ecr.api", "ecr.dkr", "logs", "secretsmanager")
"""What Fargate itself calls to start a task. S3, where ECR keeps layers, has a gateway endpoint of its own."""

AGENT_ENDPOINTS: Final = ("ecs", "servicediscovery", "tagging")
"""What a program that runs tasks for others calls: ECS, Cloud Map and the Resource Groups Tagging API. A proxy can
carry these."""


@dataclass(frozen=True)
class Outside:
    """What stands in for a way to the internet, as the settings say."""

    proxy: bool = False
    """Tasks are given an HTTP proxy that they can reach and that reaches the control plane."""
    private_link: bool = False
    """The control plane is reached at an address inside the network (AWS PrivateLink)."""
    images_mirrored: bool = False
    """All images, the agent's too, come from an ECR registry of this region."""


@dataclass(frozen=True)
class Egress:
    """The posture of a network's tasks.

    - ``public``: in public subnets, each with a public address of its own; groups take nothing from outside
    - ``private``: in private subnets, out through NAT (or the adopted network's own way)
    - ``closed``: in private subnets without any way out
    """

    kind: Literal["public", "private", "closed"]

    @property
    def assign_public_ip(self) -> bool:
        """Always said, never guessed: the launcher guesses by the routes it finds, and takes subnets behind a transit
        gateway for public ones (dagster_cloud/workspace/ecs/client.py)."""
        return self.kind == "public"

    @property
    def placement(self) -> Placement:
        """In which subnets tasks run."""
        return "public" if self.kind == "public" else "private"


def decided(tasks: Placement, nat: Nat, outside: Outside, endpoints: Collection[str]) -> Egress:
    """The posture of a network that is made.

    ``endpoints``: short names of its interface endpoints, such as ``ecr.api``. Raises ``SettingsError`` for NAT that
    nothing would use, and for tasks that could not start or not reach the control plane; it lists all that is missing.
    """
    if tasks == "public":
        if nat != "none":
            raise SettingsError(
                f"Tasks run in public subnets, and `nat` is {nat}.",
                why="they go out by addresses of their own, so that a NAT gateway would cost about 33 dollars a month "
                "and serve nobody",
                next_step="set `nat: none`, or `tasks: private`.",
            )
        return Egress("public")
    if nat != "none":
        return Egress("private")
    check_closed(outside, endpoints)
    return Egress("closed")


def check_closed(outside: Outside, endpoints: Collection[str], *, network: str = "The network") -> None:
    """Raise ``SettingsError`` unless tasks can start and work in private subnets without a way out."""
    missing = missing_when_closed(outside, endpoints)
    if missing:
        raise SettingsError(
            f"{network} gives its tasks no way out, and they cannot do without one yet.",
            why="missing:\n" + "\n".join(f"- {line}" for line in missing),
            next_step="add what is missing, or give the tasks a way out (NAT, or public subnets).",
        )


def missing_when_closed(outside: Outside, endpoints: Collection[str]) -> list[str]:
    """What tasks lack in private subnets without a way out; empty when they have all they need."""
    missing = []
    if not (outside.proxy or outside.private_link):
        missing.append("a proxy, or a PrivateLink address of the control plane: the agent could not reach it")
    if not outside.images_mirrored:
        missing.append("images from an ECR registry of this region only: public registries could not be reached")
    absent = [service for service in needed_endpoints(outside) if service not in endpoints]
    if absent:
        missing.append(f"interface endpoints for {', '.join(absent)}")
    return missing


def needed_endpoints(outside: Outside) -> tuple[str, ...]:
    """The interface endpoints that tasks without a way out need."""
    return PLATFORM_ENDPOINTS if outside.proxy else (*PLATFORM_ENDPOINTS, *AGENT_ENDPOINTS)
