"""Data at rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import encryption
from policies.subjects import UNKNOWN, Subject
from tests.unit.policies.made import found, found_together, subject

pytestmark = pytest.mark.unit

KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"


@pytest.mark.parametrize(
    ("kind", "switch"),
    [
        ("aws:efs/fileSystem:FileSystem", "encrypted"),
        ("aws:ebs/volume:Volume", "encrypted"),
        ("aws:rds/instance:Instance", "storageEncrypted"),
        ("aws:rds/cluster:Cluster", "storageEncrypted"),
        ("aws:docdb/cluster:Cluster", "storageEncrypted"),
        ("aws:neptune/cluster:Cluster", "storageEncrypted"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "atRestEncryptionEnabled"),
    ],
)
def test_what_aws_leaves_in_the_clear_has_to_be_told(kind: str, switch: str) -> None:
    for value in (None, False):
        assert switch in found(encryption.AT_REST, subject(kind, **{switch: value}))[0], "what to turn on must be said"
    assert found(encryption.AT_REST, subject(kind, **{switch: True}), subject(kind, **{switch: UNKNOWN})) == []


def test_a_replica_takes_its_encryption_from_what_it_replicates() -> None:
    assert found(encryption.AT_REST, subject("aws:rds/instance:Instance", replicateSourceDb="first")) == []


def test_a_queue_may_not_turn_its_encryption_off() -> None:
    queue = "aws:sqs/queue:Queue"
    assert found(encryption.AT_REST, subject(queue, sqsManagedSseEnabled=False))
    assert found(encryption.AT_REST, subject(queue), subject(queue, sqsManagedSseEnabled=True)) == [], "AWS's default"
    assert found(encryption.AT_REST, subject(queue, sqsManagedSseEnabled=False, kmsMasterKeyId=KEY)) == []


def by_default(key: Any) -> list[dict[str, Any]]:
    return [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}}]


CASES = {
    "storage": (
        {"storage": {"keyArn": KEY}},
        subject(ENCRYPTION, rules=by_default(KEY)),
        subject(ENCRYPTION, rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]),
    ),
    "repositories": (
        {"repositories": {"keyArn": KEY}},
        subject("aws:ecr/repository:Repository", encryptionConfigurations=[{"encryptionType": "KMS", "kmsKey": KEY}]),
        subject("aws:ecr/repository:Repository", encryptionConfigurations=[{"encryptionType": "AES256"}]),
    ),
    "logs": (
        {"logKeyArn": KEY},
        subject("aws:cloudwatch/logGroup:LogGroup", kmsKeyId=KEY),
        subject("aws:cloudwatch/logGroup:LogGroup"),
    ),
    "secrets": (
        {"secretKeyArn": KEY},
        subject("aws:secretsmanager/secret:Secret", kmsKeyId=UNKNOWN),
        subject("aws:secretsmanager/secret:Secret", kmsKeyId=""),
    ),
}


@pytest.mark.parametrize(("asked", "good", "bad"), CASES.values(), ids=list(CASES))
def test_a_key_that_the_stack_file_names_is_on_all_of_its_kind(
    asked: dict[str, Any], good: Subject, bad: Subject
) -> None:
    assert found(encryption.OWN_KEYS, replace(good, asked=asked)) == []
    assert found(encryption.OWN_KEYS, replace(bad, asked=asked)), "the one that was forgotten"
    assert found(encryption.OWN_KEYS, bad) == [], "without such a key in the file AWS's own will do"


def test_every_bucket_says_how_it_is_encrypted() -> None:
    mine = subject("aws:s3/bucket:Bucket", bucket="mine")
    assert found_together(encryption.BUCKETS, mine)
    assert found_together(encryption.BUCKETS, mine, subject(ENCRYPTION, bucket="mine")) == []
    itself = subject("aws:s3/bucket:Bucket", bucket="mine", serverSideEncryptionConfiguration={"rule": {}})
    assert found_together(encryption.BUCKETS, itself) == [], "the older way to say it"
