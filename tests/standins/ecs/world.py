"""The account as moto holds it: what IAM asks for, what the runner changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.servicediscovery.models import servicediscovery_backends
from moto.sts.models import AssumedRole, sts_backends

from tests.standins.ecs.place import ACCOUNT
from tests.standins.iam import Evaluator, TaskDefinition

CHANGED: Final = threading.Condition(threading.RLock())
"""Whoever reads or writes moto's objects holds it; whoever changed a task or a service notifies it."""


def all_ecs() -> Iterator[EC2ContainerServiceBackend]:
    """ECS of each region that was used."""
    yield from list(ecs_backends[ACCOUNT].values())


def ecs(region: str) -> EC2ContainerServiceBackend:
    return ecs_backends[ACCOUNT][region]


def cloud_map(region: str) -> Any:
    return servicediscovery_backends[ACCOUNT][region]


def ec2(region: str) -> Any:
    return ec2_backends[ACCOUNT][region]


def session_of_key(access_key: str) -> AssumedRole | None:
    """The role's session that an access key belongs to."""
    found = (role for role in sts_backends[ACCOUNT]["aws"].assumed_roles if role.access_key_id == access_key)
    return next(found, None)


def assume(role_arn: str, session: str, region: str) -> AssumedRole:
    """A session of the role, as ECS gives one to a task."""
    backend = sts_backends[ACCOUNT]["aws"]
    return backend.assume_role(region, session, role_arn, cast(str, None), 6 * 3600, cast(str, None))


def policies_of_role(role_arn: str) -> Sequence[Mapping[str, Any]]:
    """The role's own policies and the attached ones, as they are now."""
    role = _role(role_arn)
    if role is None:
        return []
    texts = [*role.policies.values(), *(_text(policy) for policy in role.managed_policies.values())]
    return [_parsed(text) for text in texts]


def boundary_of_role(role_arn: str) -> Mapping[str, Any] | None:
    role = _role(role_arn)
    if role is None or not role.permissions_boundary_arn:
        return None
    policy = iam_backends[ACCOUNT]["aws"].managed_policies.get(role.permissions_boundary_arn)
    # a boundary that names a policy which is not there allows nothing
    return _parsed(_text(policy)) if policy else {"Version": "2012-10-17", "Statement": []}


def iam() -> Evaluator:
    """Decides by the policies that roles have at that moment."""
    return Evaluator(policies_of_role, boundary_of_role)


def is_taken_by_tasks(role_arn: str, task_arn: str, region: str) -> bool:
    """Whether the role's trust lets ECS take it for the task."""
    sent = {"aws:SourceArn": task_arn, "aws:SourceAccount": ACCOUNT}
    tasks = {"Service": "ecs-tasks.amazonaws.com"}
    return iam().may_assume(role_arn, tasks, sent, AccountFacts(region)).allowed


class AccountFacts:
    """What the evaluator asks of one region (``tests.standins.iam.Facts``)."""

    account = ACCOUNT
    partition = "aws"

    def __init__(self, region: str) -> None:
        self.region = region

    def tags(self, arn: str) -> Mapping[str, str]:
        match arn.split(":")[2]:
            case "ecs":
                found = (one.tags for one in ecs(self.region).iter_tagged_resources() if one.arn == arn)
                return dict(next(found, {}))
            case "servicediscovery":
                listed = cloud_map(self.region).tagger.list_tags_for_resource(arn)["Tags"]
            case "secretsmanager":
                listed = next((one.tags for one in self._secrets() if one.arn == arn), None) or []
            case "iam":
                role = _role(arn)
                given = role.tags if role else []
                listed = list(given.values() if isinstance(given, dict) else given)  # moto has either
            case _:
                listed = []
        return {tag["Key"]: tag["Value"] for tag in listed}

    def task_definition(self, reference: str) -> TaskDefinition | None:
        try:
            found = ecs(self.region).describe_task_definition(reference)
        except Exception:
            return None
        return TaskDefinition(found.arn, found.task_role_arn, found.execution_role_arn)

    def secret_arn(self, secret_id: str) -> str | None:
        for secret in self._secrets():
            # a partial ARN lacks the six random characters at the end
            if secret_id in (secret.arn, secret.name, secret.arn[:-7]):
                return str(secret.arn)
        return None

    def resource_policy(self, arn: str) -> Mapping[str, Any] | None:
        service = arn.split(":")[2]
        text: Any = None
        if service == "s3":
            bucket = s3_backends[ACCOUNT]["aws"].buckets.get(arn.split(":::")[1].split("/")[0])
            text = bucket.policy if bucket else None
        elif service == "secretsmanager":
            text = next((one.policy for one in self._secrets() if one.arn == arn), None)
        elif service == "ecr":
            repository = ecr_backends[ACCOUNT][self.region].repositories.get(arn.split("repository/")[-1])
            text = repository.policy if repository else None
        return _parsed(text) if text else None

    def key_of(self, arn: str) -> str | None:
        """AWS's own keys, which need no permission, go by an alias."""
        key: Any = None
        if arn.split(":")[2] == "secretsmanager":
            key = next((one.kms_key_id for one in self._secrets() if one.arn == arn), None)
        elif arn.split(":")[2] == "s3":
            bucket = s3_backends[ACCOUNT]["aws"].buckets.get(arn.split(":::")[1].split("/")[0])
            rules = ((bucket.encryption if bucket else None) or {}).get("Rule") or {}
            key = rules.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
        if not key or "alias/aws/" in key:
            return None
        return str(key) if key.startswith("arn:") else f"arn:aws:kms:{self.region}:{ACCOUNT}:key/{key}"

    def trust_policy(self, role_arn: str) -> Mapping[str, Any] | None:
        role = _role(role_arn)
        return _parsed(role.assume_role_policy_document) if role else None

    def _secrets(self) -> list[Any]:
        return list(secretsmanager_backends[ACCOUNT][self.region].secrets.values())


def _role(role_arn: str) -> Any:
    return next((one for one in iam_backends[ACCOUNT]["aws"].roles.values() if one.arn == role_arn), None)


def _text(policy: Any) -> Any:
    """Of the version of an attached policy that counts."""
    return next(one.document for one in policy.versions if one.version_id == policy.default_version_id)


def _parsed(text: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], text if isinstance(text, dict) else json.loads(text))
