"""Rules about how long things stay: logs not for ever, data and running images as long as they are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from policies.buckets import LIFECYCLE, VERSIONING, without_part
from policies.rule import ResourceRule, StackRule
from policies.subjects import Subject, Unknown, listed, mapping

_LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
_WORKSPACE: Final = "azure-native:operationalinsights:Workspace"
_IMAGES: Final = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def _kept_for_ever(subject: Subject) -> Iterator[str]:
    days = subject.properties.get("retentionInDays")
    if subject.kind == _WORKSPACE and days == -1:
        yield f"{subject} keeps its lines for ever."
    elif not isinstance(days, Unknown) and not days:
        what = "does not say how long it keeps its lines" if subject.kind == _WORKSPACE else "keeps its lines for ever"
        yield f"{subject} {what}."


def _expiring_tags(subject: Subject) -> Iterator[str]:
    said = subject.properties.get("policy")
    if said is None or isinstance(said, Unknown):
        return
    try:
        document = json.loads(said) if isinstance(said, str) else said
    except (ValueError, RecursionError):
        yield f"{subject} has a policy that is not JSON, so nobody knows which images it removes."
        return
    for rule in listed(mapping(document).get("rules")):
        status = mapping(mapping(rule).get("selection")).get("tagStatus")
        if status != "untagged":
            yield f"{subject} expires images with a tag, by its rule {_number(mapping(rule).get('rulePriority'))}."


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "without a number"


def _overwritten(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for bucket in without_part(stack, VERSIONING, says=_keeps_versions, own=_kept_versions):
        yield bucket, f"{bucket} does not keep old versions."


def _keeps_versions(versioning: Subject) -> bool:
    status = mapping(versioning.properties.get("versioningConfiguration")).get("status")
    return isinstance(status, Unknown) or status == "Enabled"


def _kept_versions(bucket: Subject) -> bool:
    return mapping(bucket.properties.get("versioning")).get("enabled") is True


def _endless(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for bucket in without_part(stack, LIFECYCLE, own=lambda bucket: bool(bucket.properties.get("lifecycleRules"))):
        yield bucket, f"{bucket} has no lifecycle."


LOGS: Final = ResourceRule(
    name="log-retention",
    level="advisory",
    reason="Lines that nobody reads any more are paid for every month, and hold more about people than anyone knows.",
    todo="set retentionInDays; for the stack's own `hybrid:aws.logRetentionDays` or `hybrid:azure.logRetentionDays`.",
    looks_at="Log groups of CloudWatch and workspaces of Log Analytics: that they say a retention, and not 0 or -1.",
    judges={_LOG_GROUP: ("retentionInDays",), _WORKSPACE: ("retentionInDays",)},
    check=_kept_for_ever,
)

IMAGES: Final = ResourceRule(
    name="image-retention",
    level="mandatory",
    reason="What runs has a tag: an image that expires is missing when ECS starts the next task, or at a rollback.",
    todo="let only untagged images expire; `hybrid locations sweep` removes tagged ones that nothing uses.",
    looks_at="Lifecycle policies of ECR: that every rule selects untagged images.",
    judges={_IMAGES: ("policy",)},
    check=_expiring_tags,
)

VERSIONS: Final = StackRule(
    name="bucket-versioning",
    level="mandatory",
    reason="An asset that a wrong run overwrites or deletes can only be brought back from an older version.",
    todo="give it a BucketVersioning, or make it with infra.bucket.Bucket, which has one.",
    looks_at="Every bucket: that a BucketVersioning of the same stack names it, and that it is Enabled.",
    check=_overwritten,
)

LIFECYCLES: Final = StackRule(
    name="bucket-lifecycle",
    level="advisory",
    reason="Old versions and unfinished uploads are invisible in listings and are paid for until something ends them.",
    todo="give it a BucketLifecycleConfiguration, or make it with infra.bucket.Bucket, which has one.",
    looks_at="Every bucket: that a BucketLifecycleConfiguration of the same stack names it.",
    check=_endless,
)
