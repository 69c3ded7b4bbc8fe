"""The images of a stack's ECR repositories: listing, what an index consists of, and removal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hybrid.aws.errors import AwsError, AwsNotFound
from hybrid.cli.locations.image_store import StoredImage

if TYPE_CHECKING:
    from hybrid.aws.session import Aws
    from hybrid.engine.stack_registry import StackRegistry

BATCH: Final = 100  # BatchDeleteImage and BatchGetImage take no more
_INDEX: Final = ("image.index", "manifest.list")  # parts of the media types of manifests over several others


@dataclass(frozen=True)
class EcrImages:
    """See ``ImageStore``. Whatever AWS refuses raises ``AwsError``."""

    registry: StackRegistry
    aws: Aws
    account: str
    kind: ClassVar[str] = "ECR"
    notes: ClassVar[str] = "pushed or pulled"  # a pull is noted once a day
    batch: ClassVar[int] = BATCH

    def repositories(self, named: set[str]) -> list[str]:
        found: list[str] = []
        with self.aws.doing(f"list the repositories of account {self.account}"):
            for page in self.aws.ecr.get_paginator("describe_repositories").paginate(registryId=self.account):
                found += [str(each["repositoryName"]) for each in page["repositories"]]
        return self.registry.owned(found, named)

    def images(self, repository: str) -> list[StoredImage]:
        listed: list[Any] = []
        asked: Any = {"registryId": self.account, "repositoryName": repository}
        try:
            with self.aws.doing(f"list the images of {repository}"):
                for page in self.aws.ecr.get_paginator("describe_images").paginate(**asked):
                    listed += page["imageDetails"]
        except AwsNotFound:
            return []
        parts = dict(self._parts(repository, [each["imageDigest"] for each in listed if _may_be_index(each)]))
        found = [
            StoredImage(
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

    def remove(self, found: Sequence[StoredImage]) -> dict[str, str]:
        repository = found[0].repository
        asked: Any = [{"imageDigest": image.digest} for image in found]
        with self.aws.doing(f"remove images of {repository}"):
            told = self.aws.ecr.batch_delete_image(registryId=self.account, repositoryName=repository, imageIds=asked)
        return {
            str(failure.get("imageId", {}).get("imageDigest", "?")): str(
                failure.get("failureReason", "no reason is given")
            )
            for failure in told.get("failures", [])
            if failure.get("failureCode") != "ImageNotFound"
        }

    def _parts(self, repository: str, digests: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for first in range(0, len(digests), BATCH):
            asked: Any = [{"imageDigest": digest} for digest in digests[first : first + BATCH]]
            with self.aws.doing(f"read manifests of {repository}"):
                told = self.aws.ecr.batch_get_image(registryId=self.account, repositoryName=repository, imageIds=asked)
            if told.get("failures"):
                raise AwsError(
                    f"ECR does not tell of what some images of {repository} consist.",
                    why=str(told["failures"][0].get("failureReason")),
                    next_step="run the same command again.",
                )
            for each in told["images"]:
                manifests = json.loads(each["imageManifest"]).get("manifests") or ()
                yield str(each["imageId"]["imageDigest"]), tuple(str(part["digest"]) for part in manifests)


def _may_be_index(detail: Any) -> bool:
    """Where ECR does not say what it is, it is looked at."""
    kind = detail.get("imageManifestMediaType")
    return kind is None or any(part in kind for part in _INDEX)
