"""What a role may do, as far as it is not what every agent needs: user code may rely on it."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.aws.session import Aws

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role(?P<path>/(?:.*/)?)(?P<name>[^/]+)")
# What the agent itself calls, in the official template (version 1.13.18) and in dagster_cloud/workspace/ecs.
_OF_AGENTS: Final = re.compile(
    r"ecs:.*|servicediscovery:.*|tag:GetResources|logs:GetLogEvents|iam:PassRole"
    r"|ec2:Describe(RouteTables|NetworkInterfaces|Subnets)"
    r"|secretsmanager:(DescribeSecret|GetSecretValue|ListSecrets)"
)


_READING: Final = frozenset({"*", "secretsmanager:*", "secretsmanager:GetSecretValue"})


@dataclass(frozen=True)
class Role:
    """A role and its policies."""

    arn: str
    name: str
    path: str
    boundary: str | None
    managed: tuple[str, ...]
    """ARNs of attached policies."""
    inline: Mapping[str, Any]
    """Documents by name."""

    def beyond_agents(self) -> dict[str, tuple[str, ...]]:
        """By inline policy, the actions that an agent does not need itself; a policy without any is left out."""
        found = {name: _further(document) for name, document in self.inline.items()}
        return {name: actions for name, actions in found.items() if actions}

    @property
    def reads_all_secrets(self) -> bool:
        return any(
            "*" in _texts(statement.get("Resource")) and not _READING.isdisjoint(_actions(statement))
            for document in self.inline.values()
            for statement in _allowing(document)
        )


def read_role(aws: Aws, arn: str) -> Role | None:
    """The role of ``arn``; None when that is the ARN of no role. Raises ``AwsError``, such as ``AwsDenied``."""
    parsed = _ROLE.fullmatch(arn)
    if parsed is None:
        return None
    name = parsed["name"]
    with aws.doing(f"look at the role {name}"):
        told = aws.iam.get_role(RoleName=name)["Role"]
        managed = [
            each["PolicyArn"]
            for page in aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
            for each in page["AttachedPolicies"]
        ]
        names = [
            each
            for page in aws.iam.get_paginator("list_role_policies").paginate(RoleName=name)
            for each in page["PolicyNames"]
        ]
        inline = {each: aws.iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in names}
    boundary = told.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    documents = {each: _document(text) for each, text in inline.items()}
    return Role(arn, name, parsed["path"], boundary, tuple(managed), documents)


def _document(said: Any) -> Any:
    return json.loads(urllib.parse.unquote(said)) if isinstance(said, str) else said


def _further(document: Any) -> tuple[str, ...]:
    said = [action for statement in _allowing(document) for action in _actions(statement)]
    return tuple(sorted({action for action in said if not _OF_AGENTS.fullmatch(action)}))


def _allowing(document: Any) -> Iterable[Mapping[str, Any]]:
    statements = document.get("Statement", []) if isinstance(document, Mapping) else []
    listed = [statements] if isinstance(statements, Mapping) else statements
    return [each for each in listed if isinstance(each, Mapping) and each.get("Effect") == "Allow"]


def _actions(statement: Mapping[str, Any]) -> list[str]:
    # a statement that allows all but some actions allows more than an agent needs
    return _texts(statement.get("Action")) or [f"all but {each}" for each in _texts(statement.get("NotAction"))]


def _texts(said: Any) -> list[str]:
    return [said] if isinstance(said, str) else [str(each) for each in said or ()]
