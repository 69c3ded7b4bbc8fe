"""The ``LocationImage`` resource: a code location's image in its registry, built when its content is not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hybrid.containers.docker import Docker
from hybrid.delivery.images.builder import Builder, PublishedImage, base_digests
from hybrid.delivery.images.content import LOCAL, ImageContent, content_of
from hybrid.delivery.images.errors import ContextError, RegistryError, RegistryUnreachable
from hybrid.delivery.images.registry import Registry
from hybrid.delivery.images.spec import ImageSpec
from hybrid.errors import SettingsError
from hybrid.provider.definition import Definition, Failure, ListOf, MapOf, Property, Text
from hybrid.provider.difference import Change, changes
from hybrid.provider.properties import UNKNOWN, Properties, has_unknown, reveal
from hybrid.provider.resource import Call, Existing, Resource

DEFINITION: Final = Definition(
    name="LocationImage",
    description="The image of a code location, tagged by its content: the same content is neither built nor pushed "
    "again. Deleting the resource leaves the image, which runs of the past and a rollback may need.",
    inputs={
        "repository": Property(Text(), "where it is pushed to, as in ghcr.io/acme/hello"),
        "context": Property(Text(absolute=True), "absolute path of the folder that is sent to the build"),
        "dockerfile": Property(
            Text(absolute=True), "absolute path of the Dockerfile; default: one that fits the folder", required=False
        ),
        "arguments": Property(MapOf(Text(empty=True)), "build arguments; never a secret", required=False, default={}),
        "platforms": Property(
            ListOf(Text()), "such as linux/amd64; default: that of the engine", required=False, default=[]
        ),
        "secrets": Property(
            MapOf(Text()), "build secrets: BuildKit's id to env:NAME or file:/path", required=False, default={}
        ),
        "labels": Property(
            MapOf(Text(empty=True)), "labels of the image; they do not count as content", required=False, default={}
        ),
    },
    outputs={
        "reference": Property(Text(), "the image by its digest"),
        "digest": Property(Text(), "the digest"),
        "tag": Property(Text(), "the first 32 digits of the content's hash"),
        "contentHash": Property(Text(), "names the context, the Dockerfile, arguments, platforms and bases"),
        "files": Property(MapOf(Text()), "mode and hash of each file that is sent; of folders above 2,000 files"),
        "bases": Property(MapOf(Text()), "the digest of each image that the Dockerfile starts from"),
    },
    delete_before_replace=False,
)

_FOUND_OUT: Final = ("contentHash", "files", "bases")
_REASONS: Final = ("files", "bases", "arguments", "platforms")


class Images:
    """The registries, and the Docker engine once it is needed. One for all images of an update."""

    def __init__(self) -> None:
        self.registry = Registry(os.environ)
        self._docker: Docker | None = None

    def docker(self) -> Docker:
        """Raises ``EngineAbsent`` or ``EngineTooOld``."""
        if self._docker is None:
            self._docker = Docker.find(os.environ, building=True)
        return self._docker


class LocationImage(Resource):
    """See ``DEFINITION``. The id is the repository."""

    definition = DEFINITION
    import_refusal = "What an image was built from cannot be read from its registry."

    def __init__(self, images: Images) -> None:
        self._images = images

    def check(self, inputs: Properties) -> list[Failure]:
        if has_unknown(inputs):
            return []
        try:
            _spec(inputs)
        except SettingsError as error:
            return [Failure("repository" if inputs["repository"] in error.what else "arguments", error.sentence())]
        return []

    def completed(self, inputs: Properties, old_inputs: Properties, call: Call) -> Properties:
        if has_unknown(inputs):
            return {**inputs, **dict.fromkeys(_FOUND_OUT, UNKNOWN)}
        content = content_of(_spec(reveal(inputs)), self._bases(old_inputs, call))
        found = {"contentHash": content.hash, "files": dict(content.files), "bases": dict(content.bases)}
        return {**inputs, **found}

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        """What is in the image, and where it goes. Where the folder lies, labels and the sources of secrets change
        nothing: they differ from machine to machine and from commit to commit."""
        found = [change for change in changes(DEFINITION, old_inputs, inputs) if change.path == "repository"]
        if inputs.get("contentHash") == old_inputs.get("contentHash"):
            return found
        reasons = Definition("", "", {**DEFINITION.inputs, **DEFINITION.outputs})
        why = [
            change
            for change in changes(reasons, old_inputs, inputs)
            if change.path.partition(".")[0].partition("[")[0] in _REASONS
        ]
        return found + (why or [Change("contentHash", "update", replaces=False)])

    def foreseen(self, inputs: Properties) -> Properties:
        spec, content = self._content(inputs)
        known = {**{name: inputs[name] for name in _FOUND_OUT}, "tag": content.tag}
        try:
            there = Builder(self._images.docker, self._images.registry).present(spec, content)
        except RegistryError:
            return known  # the update itself will say so, if it lasts
        return {**known, **(_outputs(content, there) if there else {})}

    def create(self, inputs: Properties, call: Call) -> Existing:
        spec, content = self._content(inputs)
        builder = Builder(self._images.docker, self._images.registry, call.check)
        published = builder.publish(spec, content, call.report.status)
        if published.built:
            call.report.info(f"built and pushed {published.reference}")
        return Existing(spec.repository, _outputs(content, published))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        reference = outputs.get("reference")
        if not reference or self._images.registry.digest(reference) is None:
            return None
        return Existing(id, outputs)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: see ``DEFINITION``."""

    def _bases(self, old_inputs: Properties, call: Call) -> Callable[[str], str]:
        known = reveal(old_inputs.get("bases") or {})

        def kept(reference: str, fault: RegistryUnreachable) -> str | None:
            digest = known.get(reference)
            if digest is None or digest.startswith(LOCAL):
                return None
            call.report.warning(f"{fault.what} {reference} is taken to be what it was at the last update.")
            return str(digest)

        return base_digests(self._images.registry, self._images.docker, kept)

    def _content(self, inputs: Properties) -> tuple[ImageSpec, ImageContent]:
        spec, bases = _spec(inputs), inputs["bases"]
        content = content_of(spec, lambda reference: str(bases.get(reference, "")))
        if content.hash != inputs["contentHash"]:
            raise ContextError(
                f"A file in {spec.context} changed since it was looked at.",
                why="What would be built was in no preview.",
                next_step="run the same command again.",
            )
        return spec, content


def _spec(inputs: Properties) -> ImageSpec:
    return ImageSpec(
        repository=inputs["repository"],
        context=Path(inputs["context"]),
        dockerfile=Path(inputs["dockerfile"]) if inputs.get("dockerfile") else None,
        arguments=inputs["arguments"],
        platforms=tuple(inputs["platforms"]),
        secrets=inputs["secrets"],
        labels=inputs["labels"],
    )


def _outputs(content: ImageContent, published: PublishedImage) -> dict[str, Any]:
    return {
        "reference": published.reference,
        "digest": published.digest,
        "tag": published.tag,
        "contentHash": content.hash,
        "files": dict(content.files),
        "bases": dict(content.bases),
    }
