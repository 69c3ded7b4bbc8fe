"""Roles: who may take them, and what they are allowed, one policy for each reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.place import Place
from infra.statements import Statement, policy_text

INLINE_LIMIT: Final = 10_240
"""Characters of all inline policies of a role together, white space not counted, which AWS does not raise
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""


class Role(pulumi.ComponentResource):
    """A role that owners of resources grant things to. Made by its subclasses."""

    role_name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def _make(
        self, name: str, role: RoleArgs, trust: Sequence[Statement], *, session_seconds: int | None = None
    ) -> None:
        made = aws.iam.Role(
            f"{name}-role",
            name=role.name,
            description=role.description,
            path=role.path,
            permissions_boundary=role.permissions_boundary,
            assume_role_policy=policy_text(trust),
            max_session_duration=session_seconds,
            # what somebody attached by hand would otherwise keep the role, and with it the destroy, from ending
            force_detach_policies=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._texts: list[pulumi.Output[str]] = []
        self.role_name = made.name
        self.arn = made.arn

    def allow(self, name: str, statements: pulumi.Input[Sequence[Statement]]) -> aws.iam.RolePolicy:
        """One policy of its own for one reason.

        ``name``: once in the role, and the policy's name in AWS. Raises ``SettingsError`` when the role's policies
        together pass AWS's limit.
        """
        text = pulumi.Output.from_input(statements).apply(policy_text)
        self._texts.append(text)
        # a role's policies are known to each other here only: as an input, each would depend on all before it
        pulumi.Output.all(self.role_name, *self._texts).apply(lambda known: refuse_beyond_limit(known[0], known[1:]))
        return aws.iam.RolePolicy(
            f"{self.pulumi_resource_name}-{name}",
            name=name,
            role=self.role_name,
            policy=text,
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True)
class RoleArgs:
    """What every role has."""

    name: str
    """In AWS: at most 64 characters."""
    description: str
    place: Place
    path: str = "/"
    """Begins and ends with ``/``; organizations fence roles by it."""
    permissions_boundary: str | None = None
    """The ARN of the managed policy that nothing granted here may pass; many organizations demand one."""

    def __post_init__(self) -> None:
        _refuse_bad_name(self.name)
        if not re.fullmatch(r"/([\x21-\x2e\x30-\x7e]+/)*", self.path) or len(self.path) > 512:
            raise SettingsError(
                f"{self.path!r} is no path of an IAM role.",
                why="A path begins and ends with a slash and has at most 512 characters.",
                next_step="Write it like /data-platform/ in `hybrid:aws` → `rolePath`.",
            )
        boundary = self.permissions_boundary
        if boundary is not None and not re.fullmatch(r"arn:[\w-]+:iam::(\d{12}|aws):policy/.+", boundary):
            raise SettingsError(
                f"{boundary!r} is no ARN of a managed policy.",
                next_step="Write it like arn:aws:iam::123456789012:policy/boundary in `permissionsBoundary`.",
            )

    @property
    def arn(self) -> str:
        """The role's ARN, known before it is made."""
        return self.place.global_arn("iam", f"role{self.path}{self.name}")


class TaskRole(Role):
    """A role for tasks of ECS: as a task's own role, or as the role that starts it.

    - the role, which only ECS may take, and only for tasks of this account in this region
    - a policy for each ``allow``
    """

    def __init__(self, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:TaskRole", name, None, opts)
        self._make(name, args, [task_trust(args.place)])
        self.register_outputs({"arn": self.arn, "roleName": self.role_name})


def task_trust(place: Place) -> Statement:
    """Who may take a task's role. AWS takes no narrower source than all of ECS in the account and region
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html)."""
    return Statement(
        sid="TasksOfThisAccount",
        actions=("sts:AssumeRole",),
        resources=(),
        principals={"Service": ["ecs-tasks.amazonaws.com"]},
        conditions={
            "StringEquals": {"aws:SourceAccount": place.account},
            "ArnLike": {"aws:SourceArn": place.arn("ecs", "*")},
        },
        why="ECS takes the role for a task, and not on behalf of another account.",
    )


def refuse_beyond_limit(role: str, texts: Sequence[str]) -> None:
    """Raises ``SettingsError`` when policies of these texts do not fit into one role."""
    size = sum(len("".join(text.split())) for text in texts)
    if size > INLINE_LIMIT:
        raise SettingsError(
            f"The policies of the role {role} have {size} characters; AWS allows {INLINE_LIMIT}.",
            why="Each location's repository, secrets and roles are named in them.",
            next_step="Spread the locations over several stacks, or name fewer secrets for each.",
        )


def _refuse_bad_name(name: str) -> None:
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
        raise SettingsError(
            f"{name!r} is no name of an IAM role.",
            why="It has 1 to 64 of letters, digits and + = , . @ _ -",
            next_step="Give the stack a shorter or plainer name in `hybrid:aws` → `name`.",
        )
