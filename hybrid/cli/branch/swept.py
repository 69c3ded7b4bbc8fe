"""Images that were pushed for a branch deployment, taken out of the registry after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hybrid.errors import HybridError

if TYPE_CHECKING:
    from hybrid.cli.branch.options import Surroundings
    from hybrid.cli.locations.image_store import StoredImage
    from hybrid.cli.locations.used_images import UsedImages


@dataclass(frozen=True)
class Swept:
    """``removed``: images, whole. ``kept``: digests of those that stay, and what uses each. ``problem``: why none, or
    not all, were looked at; None: all were."""

    removed: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        return {
            "removed": list(self.removed),
            "kept": [{"image": image, "used_by": what} for image, what in self.kept],
            "problem": self.problem,
        }


def sweep_images(around: Surroundings, images: Collection[str]) -> Swept:
    """Remove those of ``images`` (by digest) that lie in the stack's repositories and that nothing uses: no location of
    any deployment, no pin, nothing that runs on a platform. Called when their branch deployment is gone; what cannot be
    found out keeps them all, and is no error: `hybrid locations sweep` takes them later."""
    who = around.stack.who
    if not who.settings.agent.needs_images or not images:
        return Swept()
    try:
        return _swept(around, images)
    except HybridError as error:
        return Swept(problem=f"{error.what} `hybrid locations sweep {who.stack}` removes what nothing uses.")


def _swept(around: Surroundings, images: Collection[str]) -> Swept:
    from hybrid.cli.locations.image_store import image_store
    from hybrid.cli.locations.sweep import Broom, Outcome
    from hybrid.cli.locations.used_images import images_in_use

    store = image_store(around.stack.who)
    if store is None:
        problem = (
            "The images are neither in ECR nor in a registry of Azure: the registry's own rules have to remove what "
            "was pushed for the branch."
        )
        return Swept(problem=problem)
    registry = store.registry
    own = {f"{registry.host}/{registry.repository(folder.name)}" for folder in around.stack.folders}
    ours: dict[str, set[str]] = {}
    for image in images:
        where, _, digest = image.partition("@")
        if where in own:
            ours.setdefault(where.removeprefix(f"{registry.host}/"), set()).add(digest)
    used = images_in_use(around.workspace, around.stack, registry)
    going: list[StoredImage] = []
    kept: list[tuple[str, str]] = []
    for repository, digests in sorted(ours.items()):
        free, staying = chosen(store.images(repository), digests, used)
        going += free
        kept += staying
    outcome = Outcome()
    Broom(around.workspace, around.stack, store, keep=0, young=timedelta(0)).remove(going, outcome)
    removed = tuple(f"{registry.host}/{image.repository}@{image.digest}" for image in outcome.removed)
    failed = (f"{store.kind} did not remove {digest[:19]}: {why}" for digest, why in outcome.failed.items())
    return Swept(removed, (*kept, *outcome.spared.items()), next(failed, None))


def chosen(
    found: Sequence[StoredImage], digests: Collection[str], used: UsedImages
) -> tuple[list[StoredImage], list[tuple[str, str]]]:
    """Of one repository's images those of ``digests``, with their parts, that nothing uses, an index before its
    parts, as registries want it; and what uses the others, by digest."""
    from hybrid.cli.locations.sweep import removable

    parts = {part for image in found if image.digest in digests for part in image.parts}
    free = removable(found, used, keep=0, oldest=datetime.max.replace(tzinfo=UTC))
    going = [image for image in free if image.digest in parts | set(digests)]
    kept = [
        (image.digest, used.what_uses(image.repository, image.digest, image.tags) or "another image")
        for image in found
        if image.digest in digests and image not in free
    ]
    return sorted(going, key=lambda image: (not image.is_index, image.digest)), kept
