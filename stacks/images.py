"""Which image each code location of a stack gets: what it is built from and where it goes.

The program and the command line both read it, so that `hybrid locations build` builds what `up` would.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.images.revision import revision_labels
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.repository import repository_of
from hybrid.errors import SettingsError
from stacks.identity import StackIdentity
from stacks.platform_facts import facts_of


def registry_address(who: StackIdentity) -> str:
    """Raises ``SettingsError`` for a stack that names no registry."""
    if who.settings.registry is not None:
        return who.settings.registry.address
    own = facts_of(who).registry
    if own is not None:
        return own
    raise SettingsError(
        f"The stack '{who.stack}' has no registry.",
        why="A local agent runs its locations from their folders; it needs no images.",
        next_step=f"for images, set hybrid:registry in stacks/Pulumi.{who.stack}.yaml (docs/settings.md).",
    )


def image_spec(who: StackIdentity, folder: CodeLocationFolder) -> ImageSpec:
    """What the image of ``folder`` is built from in this stack."""
    images = who.settings.images
    dockerfile = folder.build.directory / "Dockerfile"
    return ImageSpec(
        repository=repository_of(registry_address(who), folder.name),
        context=folder.build.directory,
        dockerfile=dockerfile if dockerfile.is_file() else None,
        arguments={"PYTHON_IMAGE": images.python_image, **images.arguments},
        platforms=images.platforms or who.settings.agent.image_platforms,
        secrets=build_secrets(who),
        labels={"org.opencontainers.image.title": folder.name, **_revision(folder.folder.parent)},
    )


@lru_cache(maxsize=8)
def _revision(folder: Path) -> dict[str, str]:
    """Asked once for all locations beside each other: git is a process."""
    return revision_labels(folder)


def build_secrets(who: StackIdentity) -> dict[str, str]:
    """BuildKit's secrets by id, as where they come from."""
    images = who.settings.images
    certificates = {"certificates": f"file:{images.certificates}"} if images.certificates else {}
    return {**certificates, **images.secrets}
