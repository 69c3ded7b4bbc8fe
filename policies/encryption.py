"""Rules about data at rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policies.buckets import ENCRYPTION, without_part
from policies.rule import ResourceRule, StackRule
from policies.subjects import Subject, Unknown, listed, mapping

# What AWS leaves in the clear unless it is told otherwise.
_SWITCHES: Final[Mapping[str, str]] = {
    "aws:docdb/cluster:Cluster": "storageEncrypted",
    "aws:ebs/volume:Volume": "encrypted",
    "aws:efs/fileSystem:FileSystem": "encrypted",
    "aws:elasticache/replicationGroup:ReplicationGroup": "atRestEncryptionEnabled",
    "aws:neptune/cluster:Cluster": "storageEncrypted",
    "aws:rds/cluster:Cluster": "storageEncrypted",
    "aws:rds/instance:Instance": "storageEncrypted",
}
_QUEUE: Final = "aws:sqs/queue:Queue"
# They take it from what they belong to, and cannot say it.
_INHERITING: Final = ("replicateSourceDb", "snapshotIdentifier", "clusterIdentifier", "globalClusterIdentifier")

# By the key of `hybrid:aws` that names the team's own KMS key.
_LOGS: Final = ("logKeyArn",)
_SECRETS: Final = ("secretKeyArn",)
_IMAGES: Final = ("repositories", "keyArn")
_STORAGE: Final = ("storage", "keyArn")
_ASKED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:cloudwatch/logGroup:LogGroup": _LOGS,
    "aws:ecr/repository:Repository": _IMAGES,
    "aws:secretsmanager/secret:Secret": _SECRETS,
    ENCRYPTION: _STORAGE,
}


def _in_the_clear(subject: Subject) -> Iterator[str]:
    said = subject.properties
    if subject.kind == _QUEUE:
        if said.get("sqsManagedSseEnabled") is False and said.get("kmsMasterKeyId") in (None, ""):
            yield f"{subject} has its encryption turned off (sqsManagedSseEnabled)."
        return
    switch = _SWITCHES[subject.kind]
    value = said.get(switch)
    if not isinstance(value, Unknown) and value is not True and not any(said.get(key) for key in _INHERITING):
        yield f"{subject} is not encrypted: `{switch}` is not true."


def _without_own_key(subject: Subject) -> Iterator[str]:
    path = _ASKED_BY[subject.kind]
    if _at(subject.asked, path) and _key_of(subject) in (None, ""):
        yield f"{subject} has no KMS key, while the stack file names one by `hybrid:aws.{'.'.join(path)}`."


def _at(asked: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = asked
    for key in path:
        value = mapping(value).get(key)
    return value


def _key_of(subject: Subject) -> Any:
    said = subject.properties
    match subject.kind:
        case "aws:ecr/repository:Repository":
            first = mapping(next(iter(listed(said.get("encryptionConfigurations"))), None))
            return first.get("kmsKey") if first.get("encryptionType") == "KMS" else None
        case kind if kind == ENCRYPTION:
            first = mapping(next(iter(listed(said.get("rules"))), None))
            return mapping(first.get("applyServerSideEncryptionByDefault")).get("kmsMasterKeyId")
        case _:
            return said.get("kmsKeyId")


def _unsaid(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for bucket in without_part(stack, ENCRYPTION, own=_says_itself):
        yield bucket, f"{bucket} does not say how it is encrypted."


def _says_itself(bucket: Subject) -> bool:
    return bool(bucket.properties.get("serverSideEncryptionConfiguration"))


AT_REST: Final = ResourceRule(
    name="encryption-at-rest",
    level="mandatory",
    reason="A disk, a snapshot or a backup that leaves the account must be worth nothing without the key.",
    todo="turn the property on; most of these have to be made anew for it, so do it before they hold data.",
    looks_at="What AWS leaves in the clear unless told: "
    + ", ".join(
        f"`{kind.rpartition(':')[0].removeprefix('aws:').partition('/')[0]}`"
        for kind in _SWITCHES
        if not kind.startswith("aws:rds/i")
    )
    + "; and queues that turn it off. ECR, Secrets Manager, CloudWatch Logs and Cloud Map always encrypt. SNS topics "
    "are left out: what the stack's alarms publish holds names and reasons, and alarms cannot publish to a topic with "
    "AWS's own key.",
    judges={**{kind: (switch,) for kind, switch in _SWITCHES.items()}, _QUEUE: ("sqsManagedSseEnabled",)},
    check=_in_the_clear,
)

OWN_KEYS: Final = ResourceRule(
    name="encryption-own-key",
    level="mandatory",
    reason="Who asks for a key of their own wants to be able to take it away from everything that it guards.",
    todo="give the resource the same key.",
    looks_at="Buckets, repositories, log groups and secrets of a stack whose file names a key for them "
    "(`hybrid:aws` → `storage.keyArn`, `repositories.keyArn`, `logKeyArn`, `secretKeyArn`). Without such a key in the "
    "file, AWS's own keys pass.",
    judges={
        "aws:cloudwatch/logGroup:LogGroup": ("kmsKeyId",),
        "aws:ecr/repository:Repository": ("encryptionConfigurations",),
        "aws:secretsmanager/secret:Secret": ("kmsKeyId",),
        ENCRYPTION: ("rules",),
    },
    check=_without_own_key,
)

BUCKETS: Final = StackRule(
    name="bucket-encryption",
    level="mandatory",
    reason="S3 encrypts by itself, but only what the program says is put right again when somebody changes it.",
    todo="give it a BucketServerSideEncryptionConfiguration, or make it with infra.bucket.Bucket, which has one.",
    looks_at="Every bucket: that a BucketServerSideEncryptionConfiguration of the same stack names it.",
    check=_unsaid,
)
