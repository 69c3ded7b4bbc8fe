"""How long things stay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.repository import lifecycle_text
from policies import retention
from policies.subjects import UNKNOWN
from tests.unit.policies.made import found, found_together, subject

pytestmark = pytest.mark.unit

LOGS = "aws:cloudwatch/logGroup:LogGroup"
IMAGES = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
BUCKET = "aws:s3/bucket:Bucket"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"


@pytest.mark.parametrize("days", [None, 0])
def test_logs_end_some_day(days: int | None) -> None:
    assert found(retention.LOGS, subject(LOGS, retentionInDays=days)), "0 is CloudWatch's word for ever"
    assert found(retention.LOGS, subject(LOGS, retentionInDays=30), subject(LOGS, retentionInDays=UNKNOWN)) == []


def lifecycle(*statuses: str | None) -> str:
    rules = [{"rulePriority": number, "selection": {"tagStatus": status}} for number, status in enumerate(statuses, 1)]
    return json.dumps({"rules": rules})


@pytest.mark.parametrize("status", ["any", "tagged", None])
def test_an_image_with_a_tag_never_expires(status: str | None) -> None:
    said = found(retention.IMAGES, subject(IMAGES, policy=lifecycle("untagged", status)))
    assert said == ["LifecyclePolicy it expires images with a tag, by its rule 2."], "which rule must be said"


def test_untagged_images_may_expire_as_the_stack_s_own_do() -> None:
    assert found(retention.IMAGES, subject(IMAGES, policy=lifecycle_text(14)), subject(IMAGES, policy=UNKNOWN)) == []


@pytest.mark.parametrize("text", ["no JSON", "[" * 100_000])
def test_a_lifecycle_that_cannot_be_read_is_refused(text: str) -> None:
    assert "not JSON" in found(retention.IMAGES, subject(IMAGES, policy=text))[0]


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ({"status": "Enabled"}, True),
        ({"status": UNKNOWN}, True),
        ({"status": "Suspended"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_bucket_keeps_old_versions(said: Any, passes: bool) -> None:
    bucket = subject(BUCKET, bucket="mine")
    versioning = subject(VERSIONING, bucket="mine", versioningConfiguration=said)
    assert (found_together(retention.VERSIONS, bucket, versioning) == []) is passes, f"{said}"
    assert found_together(retention.VERSIONS, bucket), "without any it keeps none"
    older = subject(BUCKET, versioning={"enabled": True}), subject(BUCKET, versioning={"enabled": False})
    assert len(found_together(retention.VERSIONS, *older)) == 1, "the older way to say it"


def test_a_bucket_has_a_lifecycle() -> None:
    bucket = subject(BUCKET, bucket="mine")
    assert found_together(retention.LIFECYCLES, bucket)
    assert found_together(retention.LIFECYCLES, bucket, subject(LIFECYCLE, bucket="mine")) == []
