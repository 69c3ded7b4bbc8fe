"""The images of a stack's ECR repositories: listing, what an index consists of, and removal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hybrid.aws.errors import AwsError, AwsNotFound

if TYPE_CHECKING:
    from hybrid.aws.session import Aws
    from hybrid.engine.ecr_registry import EcrRegistry

BATCH: Final = 100  # BatchDeleteImage and BatchGetImage take no more
_INDEX: Final = ("image.index", "manifest.list")  # parts of the media types of manifests over several others


@dataclass(frozen=True)
class EcrImage:
    """One image, by its digest. ``pushed`` is when it came, ``touched`` when it came or was last pulled, which ECR
    notes once a day; ``size`` in bytes, compressed, layers that others share included; ``parts``: digests of the
    images of which it is the index, one for each platform."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    touched: datetime
    size: int
    parts: tuple[str, ...] = ()

    @property
    def is_index(self) -> bool:
        return bool(self.parts)


def repositories(aws: Aws, registry: EcrRegistry, named: Iterable[str]) -> list[str]:
    """Those of ``named`` that are there and, where all of the stack begin with a prefix of its own, also those of
    locations that the stack does not serve any more. Raises ``AwsError``."""
    found: list[str] = []
    with aws.doing(f"list the repositories of account {registry.account}"):
        for page in aws.ecr.get_paginator("describe_repositories").paginate(registryId=registry.account):
            found += [str(each["repositoryName"]) for each in page["repositories"]]
    wanted = set(named)
    own = f"{registry.prefix}/" if registry.prefix else None
    return sorted(name for name in found if name in wanted or (own is not None and name.startswith(own)))


def images(aws: Aws, registry: EcrRegistry, repository: str) -> list[EcrImage]:
    """All images of a repository, the oldest first. Raises ``AwsError``."""
    listed: list[Any] = []
    asked: Any = {"registryId": registry.account, "repositoryName": repository}
    try:
        with aws.doing(f"list the images of {repository}"):
            for page in aws.ecr.get_paginator("describe_images").paginate(**asked):
                listed += page["imageDetails"]
    except AwsNotFound:
        return []
    parts = dict(_parts(aws, registry, repository, [each["imageDigest"] for each in listed if _may_be_index(each)]))
    found = [
        EcrImage(
            repository=repository,
            digest=each["imageDigest"],
            tags=tuple(sorted(each.get("imageTags") or ())),
            pushed=each["imagePushedAt"],
            touched=max(each["imagePushedAt"], each.get("lastRecordedPullTime") or each["imagePushedAt"]),
            size=int(each.get("imageSizeInBytes") or 0),
            parts=parts.get(each["imageDigest"], ()),
        )
        for each in listed
    ]
    return sorted(found, key=lambda image: (image.pushed, image.digest))


def remove(aws: Aws, registry: EcrRegistry, found: Sequence[EcrImage]) -> dict[str, str]:
    """Remove images of one repository, at most ``BATCH``, with all their tags. Returns why, by digest, for those that
    ECR did not remove; one that was gone already is none of them. Raises ``AwsError``."""
    repository = found[0].repository
    asked: Any = [{"imageDigest": image.digest} for image in found]
    with aws.doing(f"remove images of {repository}"):
        told = aws.ecr.batch_delete_image(registryId=registry.account, repositoryName=repository, imageIds=asked)
    return {
        str(failure.get("imageId", {}).get("imageDigest", "?")): str(failure.get("failureReason", "no reason is given"))
        for failure in told.get("failures", [])
        if failure.get("failureCode") != "ImageNotFound"
    }


def _may_be_index(detail: Any) -> bool:
    """Where ECR does not say what it is, it is looked at."""
    kind = detail.get("imageManifestMediaType")
    return kind is None or any(part in kind for part in _INDEX)


def _parts(
    aws: Aws, registry: EcrRegistry, repository: str, digests: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for first in range(0, len(digests), BATCH):
        asked: Any = [{"imageDigest": digest} for digest in digests[first : first + BATCH]]
        with aws.doing(f"read manifests of {repository}"):
            told = aws.ecr.batch_get_image(registryId=registry.account, repositoryName=repository, imageIds=asked)
        if told.get("failures"):
            raise AwsError(
                f"ECR does not tell of what some images of {repository} consist.",
                why=str(told["failures"][0].get("failureReason")),
                next_step="run the same command again.",
            )
        for each in told["images"]:
            manifests = json.loads(each["imageManifest"]).get("manifests") or ()
            yield str(each["imageId"]["imageDigest"]), tuple(str(part["digest"]) for part in manifests)
