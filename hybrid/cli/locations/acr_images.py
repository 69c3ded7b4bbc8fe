"""The images of a stack's repositories in Azure Container Registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hybrid.cli.locations.image_store import StoredImage
from hybrid.delivery.images.acr import Acr, AcrManifest
from hybrid.delivery.images.errors import LoginRefused, RegistryError
from hybrid.delivery.images.registry import INDEXES, Registry

if TYPE_CHECKING:
    from hybrid.engine.stack_registry import StackRegistry


@dataclass(frozen=True)
class AcrImages:
    """See ``ImageStore``. Azure notes no pulls: what was tagged of late counts as used of late."""

    registry: StackRegistry
    acr: Acr
    manifests: Registry
    kind: ClassVar[str] = "Azure's registry"
    notes: ClassVar[str] = "pushed or tagged"
    batch: ClassVar[int] = 25  # each is a request of its own, so that more would take longer than a look stays true

    @classmethod
    def of(cls, registry: StackRegistry, environ: Mapping[str, str]) -> AcrImages:
        manifests = Registry(environ)
        return cls(registry, Acr(registry.host, manifests.transport), manifests)

    def repositories(self, named: set[str]) -> list[str]:
        return self.registry.owned(self.acr.repositories(), named)

    def images(self, repository: str) -> list[StoredImage]:
        found = [
            StoredImage(
                repository=repository,
                digest=each.digest,
                tags=each.tags,
                pushed=each.pushed,
                touched=each.changed,
                size=each.size,
                parts=self._parts(repository, each),
                locked=each.locked,
            )
            for each in self.acr.manifests(repository)
        ]
        return sorted(found, key=lambda image: (image.pushed, image.digest))

    def remove(self, found: Sequence[StoredImage]) -> dict[str, str]:
        """Raises ``LoginRefused``: no further one would go either."""
        failed: dict[str, str] = {}
        for image in found:
            try:
                self.acr.delete(image.repository, image.digest)
            except LoginRefused:
                raise
            except RegistryError as error:
                failed[image.digest] = error.sentence()
        return failed

    def _parts(self, repository: str, found: AcrManifest) -> tuple[str, ...]:
        """Where the registry does not say what it is, it is looked at."""
        if found.media_type and found.media_type not in INDEXES:
            return ()
        manifest = self.manifests.manifest(f"{self.registry.host}/{repository}@{found.digest}")
        if manifest is None:  # gone since it was listed
            return ()
        return tuple(str(part["digest"]) for part in manifest.document.get("manifests") or ())
