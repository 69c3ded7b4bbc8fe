"""Buckets and their parts: in Pulumi, encryption, versions and the like are resources beside the bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from policies.subjects import Subject

BUCKET: Final = "aws:s3/bucket:Bucket"
BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION: Final = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"


def without_part(
    stack: Sequence[Subject],
    kind: str,
    *,
    says: Callable[[Subject], bool] = lambda _: True,
    own: Callable[[Subject], bool] = lambda _: False,
) -> Iterator[Subject]:
    """Buckets of the stack that no part of ``kind`` is for. ``says``: whether a part says what it has to. ``own``:
    whether the bucket itself says it, by one of the older properties that the parts have taken the place of."""
    parts = [subject for subject in stack if subject.kind == kind and says(subject)]
    for bucket in (subject for subject in stack if subject.kind == BUCKET):
        if not own(bucket) and not any(_is_of(part, bucket) for part in parts):
            yield bucket


def _is_of(part: Subject, bucket: Subject) -> bool:
    """By what the program made the one from, and where it wrote the name twice, by the name."""
    if bucket.urn in part.refers_to.get("bucket", frozenset()):
        return True
    name = part.properties.get("bucket")
    return isinstance(name, str) and name == bucket.properties.get("bucket")
