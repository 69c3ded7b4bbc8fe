"""A registry that lists its images and removes them: what ``hybrid locations sweep`` needs of one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hybrid.engine.stack_registry import StackRegistry
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class StoredImage:
    """One image, by its digest. ``pushed`` is when it came, ``touched`` when it came or was last used, as far as the
    registry notes it; ``size`` in bytes, compressed, layers that others share included; ``parts``: digests of the
    images of which it is the index, one for each platform; ``locked``: somebody told the registry to keep it."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    touched: datetime
    size: int
    parts: tuple[str, ...] = ()
    locked: bool = False

    @property
    def is_index(self) -> bool:
        return bool(self.parts)


class ImageStore(Protocol):
    """The images of one stack's registry. Whatever cannot be told raises a ``HybridError``."""

    @property
    def registry(self) -> StackRegistry: ...

    @property
    def kind(self) -> str:
        """How people call such a registry."""
        ...

    @property
    def notes(self) -> str:
        """What it notes of an image's use, in words: "pushed or pulled"."""
        ...

    @property
    def batch(self) -> int:
        """How many images are removed between two looks at what is in use."""
        ...

    def repositories(self, named: set[str]) -> list[str]:
        """The stack's own, as ``StackRegistry.owned`` tells them."""
        ...

    def images(self, repository: str) -> list[StoredImage]:
        """All of a repository, the oldest first; none of one that is not there."""
        ...

    def remove(self, found: Sequence[StoredImage]) -> dict[str, str]:
        """Remove images of one repository, at most ``batch``, with all their tags. Returns why, by digest, for those
        that were not removed; one that was gone already is none of them."""
        ...


def image_store(who: StackIdentity) -> ImageStore | None:
    """That of the stack's registry. None: the stack has none, or one of a kind that has no way to do it."""
    from hybrid.aws.registry import EcrAddress
    from hybrid.delivery.images.acr import is_acr
    from hybrid.engine.stack_registry import stack_registry

    registry = stack_registry(who)
    if registry is None:
        return None
    if (address := EcrAddress.parse(registry.host)) is not None:
        from hybrid.aws.session import Aws
        from hybrid.cli.locations.ecr_images import EcrImages

        return EcrImages(registry, Aws(address.region, address.account), address.account)
    if is_acr(registry.host):
        from hybrid.cli.locations.acr_images import AcrImages

        return AcrImages.of(registry, os.environ)
    return None
