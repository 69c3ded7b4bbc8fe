"""A role that a principal of another account takes for a while, and that ends by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.roles import Role, RoleArgs
from infra.statements import Statement

_SECONDS: Final = 3600
"""How long a session lasts at most: AWS's least, and the most that it allows whoever comes by a role already
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html, role chaining)."""


@dataclass(frozen=True)
class GuestRoleArgs(RoleArgs):
    """What a guest's role needs besides what every role has."""

    principal: str = field(kw_only=True)
    """The ARN of the role that the guest has in an account of its own."""
    external_id: str = field(kw_only=True)
    """What the guest says when it takes the role. Where many customers' tasks have one principal, only it tells them
    apart (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html)."""
    until: date = field(kw_only=True)
    """The last day, in UTC, on which the role can be taken or used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", self.principal, re.ASCII):
            raise SettingsError(
                f"{self.principal!r} is no role that a guest may have.",
                why="A session ends, and a whole account is everybody in it.",
                next_step="Write the ARN of one role: arn:aws:iam::<account>:role/<name>.",
            )
        if not re.fullmatch(r"[\w+=,.@:/-]{8,1224}", self.external_id, re.ASCII):
            raise SettingsError(
                "The external id of a guest's role is none.",
                next_step="Write 8 to 1224 of letters, digits and + = , . @ : / - _",
            )

    @property
    def end(self) -> str:
        """The first moment at which the role is of no use, as IAM compares it."""
        return f"{(self.until + timedelta(days=1)).isoformat()}T00:00:00Z"


class GuestRole(Role):
    """A role for a guest. What it may do is granted by what it works on: ``Bucket.grant_adding``.

    - the role, which only the guest may take, with the external id, for an hour at a time, until the last day is over
    - a policy for each ``allow``, which ends then, too: a session that was taken a moment before it is of no more use
    """

    def __init__(self, name: str, args: GuestRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:GuestRole", name, None, opts)
        self._end = args.end
        self._make(name, args, [guest_trust(args)], session_seconds=_SECONDS)
        self.register_outputs({"arn": self.arn, "roleName": self.role_name})

    def allow(self, name: str, statements: pulumi.Input[Sequence[Statement]]) -> aws.iam.RolePolicy:
        """See ``Role.allow``."""
        ending = pulumi.Output.from_input(statements).apply(lambda known: ending_at(self._end, known))
        return super().allow(name, ending)


def guest_trust(args: GuestRoleArgs) -> Statement:
    """Who may take a guest's role."""
    return Statement(
        sid="TheGuestUntilItsEnd",
        actions=("sts:AssumeRole",),
        resources=(),
        principals={"AWS": [args.principal]},
        conditions={
            "StringEquals": {"sts:ExternalId": args.external_id},
            "DateLessThan": {"aws:CurrentTime": args.end},
        },
        why="One role of the guest's takes it, with what this team and it alone know, and not for ever.",
    )


def ending_at(moment: str, statements: Sequence[Statement]) -> list[Statement]:
    """``statements`` that allow nothing from ``moment`` on."""
    end = {"DateLessThan": {"aws:CurrentTime": moment}}
    return [replace(each, conditions={**each.conditions, **end}) for each in statements]
