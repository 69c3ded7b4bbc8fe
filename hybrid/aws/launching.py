"""What ECS needs to launch a task: roles that trust it, secrets with a value, and permissions of the execution role.
Each look is free of changes, and each answers with what is wrong and with what could not be found out."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hybrid.aws.errors import AwsDenied, AwsError, AwsNotFound
from hybrid.aws.session import Aws

ECS_TASKS: Final = "ecs-tasks.amazonaws.com"
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/(?:.*/)?(?P<name>[^/]+)")
# arn:…:secret:NAME-6chars[:json-key:stage:version]
_SECRET: Final = re.compile(r"(?P<arn>arn:aws[a-z-]*:secretsmanager:[^:]+:\d{12}:secret:[^:]+)(?P<rest>:.*)?")
_PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


@dataclass(frozen=True)
class Finding:
    """What keeps a task from being launched, with its ``next_step``; or, without one, only what could not be found
    out. ``settles``: AWS may not know yet what was made a moment ago."""

    what: str
    next_step: str = ""
    settles: bool = False

    @property
    def is_wrong(self) -> bool:
        return bool(self.next_step)


@dataclass(frozen=True)
class Permission:
    """Actions on one resource, with what they are for: "pull the image". ``context``: keys of the request that
    conditions may ask for."""

    actions: tuple[str, ...]
    resource: str
    purpose: str
    context: Mapping[str, str] = field(default_factory=dict)


def role_findings(aws: Aws, arn: str, account: str) -> list[Finding]:
    """Whether a role exists and lets ECS take it on for tasks. Raises ``AwsError`` when AWS cannot be asked."""
    parsed = _ROLE.fullmatch(arn)
    if parsed is None or parsed["account"] != account:
        why = (
            "is no ARN of a role"
            if parsed is None
            else f"is of account {parsed['account']}; tasks take only their own's"
        )
        return [Finding(f"{arn} {why}.", f"name a role of account {account} by its ARN.")]
    name = parsed["name"]
    try:
        with aws.doing(f"look at the role {name}"):
            role: Any = aws.iam.get_role(RoleName=name)["Role"]
    except AwsNotFound:
        return [Finding(f"The role {name} does not exist.", "make it, or correct its ARN.", settles=True)]
    except AwsDenied:
        return [Finding(f"The role {name} was not looked at: this identity may not call iam:GetRole.")]
    if role["Arn"] != arn:
        return [Finding(f"The role {name} is {role['Arn']}, not {arn}.", "correct the path in its ARN.")]
    if not _trusts_ecs(role.get("AssumeRolePolicyDocument")):
        step = f"let its trust policy name {ECS_TASKS}."
        return [Finding(f"The role {name} does not trust {ECS_TASKS}.", step, settles=True)]
    return []


def secret_findings(aws: Aws, value_from: str) -> tuple[list[Finding], Permission | None, str]:
    """Whether the secret behind a ``valueFrom`` is there and has a value; what reading it takes; and the ARN of its
    key when it has one of its own (else empty). Raises ``AwsError`` when AWS cannot be asked."""
    parsed = _SECRET.fullmatch(value_from)
    if parsed is None:
        if re.fullmatch(r"arn:aws[a-z-]*:ssm:[^:]+:\d{12}:parameter/.+", value_from):
            return [], Permission(("ssm:GetParameters",), value_from, f"read the parameter {_last(value_from)}"), ""
        step = "name it by its whole ARN, as in arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-AbCdEf."
        return [Finding(f"'{value_from}' is no ARN of a secret.", step)], None, ""
    arn, name = parsed["arn"], parsed["arn"].rpartition(":secret:")[2]
    permission = Permission(("secretsmanager:GetSecretValue",), arn, f"read the secret {name}")
    try:
        with aws.doing(f"look at the secret {name}"):
            told: Any = aws.secrets.describe_secret(SecretId=arn)
    except AwsNotFound:
        return [Finding(f"The secret {name} does not exist.", "create it, or correct its ARN.")], None, ""
    except AwsDenied:
        may_not = "this identity may not call secretsmanager:DescribeSecret"
        return [Finding(f"The secret {name} was not looked at: {may_not}.")], permission, ""
    if told.get("DeletedDate"):
        return [Finding(f"The secret {name} is being deleted.", "restore it, or name another.")], None, ""
    stages = {stage for named in (told.get("VersionIdsToStages") or {}).values() for stage in named}
    if "AWSCURRENT" not in stages:
        return [Finding(f"The secret {name} has no value.", "give it one.")], None, ""
    key = str(told.get("KmsKeyId") or "")
    return [], permission, "" if key.endswith("alias/aws/secretsmanager") else key


def repository_findings(aws: Aws, account: str, path: str) -> list[Finding]:
    """Whether a repository of ECR exists. Raises ``AwsError`` when AWS cannot be asked."""
    try:
        with aws.doing(f"look at the repository {path}"):
            aws.ecr.describe_repositories(registryId=account, repositoryNames=[path])
    except AwsNotFound:
        return [
            Finding(
                f"The repository {path} does not exist in ECR.",
                "`up` makes those of the stack; make it, or correct it.",
            )
        ]
    except AwsDenied:
        return [
            Finding(f"The repository {path} was not looked at: this identity may not call ecr:DescribeRepositories.")
        ]
    return []


def pull_permissions(region: str, account: str, path: str, partition: str) -> list[Permission]:
    """What it takes to pull from a repository of ECR."""
    return [
        Permission(("ecr:GetAuthorizationToken",), "*", "log in to ECR"),
        Permission(_PULL, f"arn:{partition}:ecr:{region}:{account}:repository/{path}", f"pull from {path}"),
    ]


def key_permission(key: str, region: str) -> Permission:
    """What it takes to read a secret that is encrypted by a key of the account's own. ``key``: its ARN."""
    via = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}
    return Permission(("kms:Decrypt",), key, f"decrypt by the key {_last(key)}", via)


def permission_findings(aws: Aws, role: str, permissions: Sequence[Permission]) -> list[Finding]:
    """What ``role`` (its ARN) may not do of ``permissions``, by AWS's own simulation of its policies, its boundary
    included; policies of the resources themselves do not count. Where AWS cannot or may not be asked for a simulation,
    that is the finding."""
    found: list[Finding] = []
    for permission in permissions:
        try:
            found += _simulated(aws, role, permission)
        except AwsDenied:
            return [
                *found,
                Finding("What the role may do was not tried: this identity may not call iam:SimulatePrincipalPolicy."),
            ]
        except AwsError as error:  # it is a second look at what the policies say, and not the policies themselves
            return [*found, Finding(f"What the role may do was not tried: {error.what}")]
    return found


def _simulated(aws: Aws, role: str, permission: Permission) -> Iterator[Finding]:
    entries: Any = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in permission.context.items()
    ]
    with aws.doing(f"try what {_last(role)} may do"):
        told = aws.iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=list(permission.actions),
            ResourceArns=[permission.resource],
            ContextEntries=entries,
        )
    denied = [one for one in told["EvaluationResults"] if one["EvalDecision"] != "allowed"]
    unsure = sorted({key for one in denied for key in one.get("MissingContextValues", [])})
    names = ", ".join(one["EvalActionName"] for one in denied)
    if unsure:
        yield Finding(f"Whether {_last(role)} may {permission.purpose} depends on {', '.join(unsure)}.")
    elif denied:
        yield Finding(
            f"The role {_last(role)} may not {permission.purpose}: its policies do not allow {names} on "
            f"{permission.resource}.",
            "name it in the stack, so that `up` grants it, or correct the role's policies and its boundary.",
            settles=True,
        )


def _trusts_ecs(document: Any) -> bool:
    if isinstance(document, str):
        document = json.loads(urllib.parse.unquote(document))
    statements = (document or {}).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") or {}
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        actions = statement.get("Action", [])
        named = {services} if isinstance(services, str) else set(services)
        allowed = {actions} if isinstance(actions, str) else set(actions)
        if statement.get("Effect") == "Allow" and ECS_TASKS in named and allowed & {"sts:AssumeRole", "sts:*", "*"}:
            return True
    return False


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
