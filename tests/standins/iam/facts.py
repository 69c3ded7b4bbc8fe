"""What a call's parameters do not say, and AWS knows when it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class TaskDefinition:
    """What AWS knows of a registered task definition. ``arn`` ends with its revision."""

    arn: str
    task_role_arn: str | None = None
    execution_role_arn: str | None = None


class Facts(Protocol):
    """The state of the account, as far as IAM asks for it. What does not exist has no tags, which is a fact too."""

    account: str
    region: str
    partition: str

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a resource; empty when there is none. ARNs are long ones, with the cluster in them."""
        ...

    def task_definition(self, reference: str) -> TaskDefinition | None:
        """By family (then its newest revision), ``family:revision`` or ARN. None when there is none."""
        ...

    def secret_arn(self, secret_id: str) -> str | None:
        """The full ARN of a secret given by name, partial or full ARN. None when there is none."""
        ...

    def resource_policy(self, arn: str) -> Mapping[str, Any] | None:
        """The policy on the bucket (``arn:aws:s3:::name``), secret, key or repository itself, if it has one."""
        ...

    def trust_policy(self, role_arn: str) -> Mapping[str, Any] | None:
        """Who may take a role (``AssumeRolePolicyDocument``). None when the role does not exist."""
        ...

    def key_of(self, arn: str) -> str | None:
        """The ARN of the customer's KMS key by which a secret or a bucket is encrypted; None when AWS's own is used."""
        ...


@dataclass
class StaticFacts:
    """Facts from plain values, for tests of policies and for accounts that do not change."""

    account: str
    region: str
    partition: str = "aws"
    tags_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By ARN."""
    task_definitions: Mapping[str, TaskDefinition] = field(default_factory=dict)
    """By family, and by whatever else a call may name it."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """ARN by name or partial ARN; a full ARN stands for itself."""
    resource_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trust_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def tags(self, arn: str) -> Mapping[str, str]:
        return self.tags_of.get(arn, {})

    def task_definition(self, reference: str) -> TaskDefinition | None:
        if reference in self.task_definitions:
            return self.task_definitions[reference]
        known = (given for given in self.task_definitions.values() if given.arn == reference)
        return next(known, None)

    def secret_arn(self, secret_id: str) -> str | None:
        return self.secrets.get(secret_id, secret_id if secret_id.startswith("arn:") else None)

    def resource_policy(self, arn: str) -> Mapping[str, Any] | None:
        return self.resource_policies.get(arn)

    def trust_policy(self, role_arn: str) -> Mapping[str, Any] | None:
        return self.trust_policies.get(role_arn)

    def key_of(self, arn: str) -> str | None:
        return self.keys.get(arn)
