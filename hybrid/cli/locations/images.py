"""A stack's images as the commands need them: what each is built from, what its registry and Dagster+ have of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hybrid.errors import StoppedError

if TYPE_CHECKING:
    from hybrid.containers.docker import Docker
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.delivery.images.builder import Builder, PublishedImage
    from hybrid.delivery.images.content import ImageContent
    from hybrid.delivery.images.registry import Registry
    from hybrid.delivery.images.spec import ImageSpec
    from hybrid.engine.stack import Stack

Say = Callable[[str], None]

_SHORT: Final = 12  # digits of a content hash that are shown


@dataclass(frozen=True)
class ImageVerdict:
    """One location's image: ``now`` is what Dagster+ has, ``would_be`` what the next `up` tells it (by tag while the
    image is not built), ``rebuild`` whether that has to be built; None: it cannot be told."""

    now: str | None
    would_be: str
    rebuild: bool | None
    why: str


class StackImages:
    """The images of a stack's locations. One for a command: what is asked of registry and engine is asked once."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopped = threading.Event()

    def why_not_built(self, folder: CodeLocationFolder, *, named: bool) -> str | None:
        """Why the stack builds no image of the location; None: it does. ``named``: somebody asked for this one, which
        overrides a pin."""
        if folder.image is not None:
            return f"its image is built elsewhere: {folder.image}"
        pin = self._stack.who.settings.pins.get(folder.name)
        if pin is not None and not named:
            return f"it is pinned to {pin}, so the image of its folder is not used; name it with --only to make it"
        return None

    def content(self, folder: CodeLocationFolder) -> tuple[ImageSpec, ImageContent]:
        """What the image is built from. Raises ``SettingsError`` for a stack without a registry or a wrong folder."""
        from hybrid.delivery.images.content import content_of

        spec = self._stack.image_spec(folder)
        return spec, content_of(spec, self._bases)

    def build(self, folder: CodeLocationFolder, say: Say) -> str:
        """The local reference of the image, built on this machine's engine."""
        spec, content = self.content(folder)
        return self._builder.build(spec, content, say)

    def publish(self, folder: CodeLocationFolder, say: Say) -> PublishedImage:
        """The image in its registry, built and pushed if it is not there."""
        spec, content = self.content(folder)
        return self._builder.publish(spec, content, say)

    def stop(self) -> None:
        """End what other threads build and push."""
        self._stopped.set()

    def verdict(self, folder: CodeLocationFolder, now: str | None) -> ImageVerdict:
        """What becomes of the location's image, given what Dagster+ has."""
        from hybrid.delivery.images.errors import RegistryError

        pin = self._stack.who.settings.pins.get(folder.name)
        if pin is not None:
            return ImageVerdict(now, pin, False, "pinned")
        if folder.image is not None:
            return self._elsewhere(folder.image, now)
        spec, content = self.content(folder)
        tagged, short = f"{spec.repository}:{content.tag}", content.hash[:_SHORT]
        try:
            built_from = self._hash_of(now)
            if now is not None and built_from == content.hash:
                return ImageVerdict(now, now, False, f"unchanged, its content is {short}")
            present = self._builder.present(spec, content)
        except RegistryError as error:
            why = f"its content is {short}; whether it has to be built is unknown: {error.what}"
            return ImageVerdict(now, tagged, None, why)
        if present is not None:
            return ImageVerdict(now, present.reference, False, f"pushed already, its content is {short}")
        before = f"; the image in Dagster+ is built from {built_from[:_SHORT]}" if built_from else ""
        return ImageVerdict(now, tagged, True, f"would be built, its content is {short}{before}")

    def _elsewhere(self, image: str, now: str | None) -> ImageVerdict:
        from hybrid.delivery.images.errors import RegistryError
        from hybrid.delivery.images.reference import Reference

        try:
            digest = self.registry.digest(image)
        except RegistryError as error:
            return ImageVerdict(now, image, None, f"built elsewhere; its digest is unknown: {error.what}")
        if digest is None:
            return ImageVerdict(now, image, None, f"built elsewhere, and not there: {image}")
        return ImageVerdict(now, f"{Reference.parse(image).repository}@{digest}", False, "built elsewhere")

    def _hash_of(self, image: str | None) -> str | None:
        from hybrid.delivery.images.spec import HASH_LABEL

        return (self.registry.labels(image) or {}).get(HASH_LABEL) if image else None

    @cached_property
    def registry(self) -> Registry:
        from hybrid.delivery.images.registry import Registry

        return Registry(os.environ)

    @cached_property
    def _builder(self) -> Builder:
        from hybrid.delivery.images.builder import Builder

        return Builder(lambda: self._docker, self.registry, self._check)

    @cached_property
    def _docker(self) -> Docker:
        from hybrid.containers.docker import Docker

        return Docker.find(os.environ, building=True)

    @cached_property
    def _bases(self) -> Callable[[str], str]:
        from hybrid.delivery.images.builder import base_digests

        return base_digests(self.registry, lambda: self._docker)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise StoppedError("The images were not finished.", next_step="run the same command again.")


def verdicts(
    stack: Stack, folders: Sequence[CodeLocationFolder], told: Mapping[str, str | None]
) -> dict[str, ImageVerdict]:
    """By location; empty for a stack whose locations run from their folders. ``told`` is the image that Dagster+ has
    of each."""
    if not stack.who.settings.agent.needs_images:
        return {}
    images = StackImages(stack)
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = pool.map(lambda folder: images.verdict(folder, told.get(folder.name)), folders)
        return dict(zip((folder.name for folder in folders), found, strict=True))


def dockerfile_of(folder: CodeLocationFolder) -> tuple[Path, str]:
    """Where a location's Dockerfile lies or would lie, and its text: its own, or the one that is used for it."""
    from hybrid.delivery.images.scaffold import scaffold
    from hybrid.errors import SettingsError

    path = folder.build.directory / "Dockerfile"
    try:
        return path, path.read_text(encoding="utf-8") if path.is_file() else scaffold(folder.build.directory)
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path} cannot be read as text.", next_step="look at what it is.") from None
