"""The ``PublishedImage`` resource: an image that somebody else built, by its digest."""

from __future__ import annotations

from typing import Final

from hybrid.delivery.images.errors import RegistryError, RegistryUnreachable
from hybrid.delivery.images.reference import Reference
from hybrid.provider.definition import Definition, Failure, Property, Text
from hybrid.provider.difference import Change, changes
from hybrid.provider.launch_images import image_failures
from hybrid.provider.location_image import Images
from hybrid.provider.properties import UNKNOWN, Properties, has_unknown, reveal
from hybrid.provider.resource import Call, Existing, Resource

DEFINITION: Final = Definition(
    name="PublishedImage",
    description="An image that is in a registry already, by its digest. A tag that somebody moved shows as a "
    "difference. Deleting the resource leaves the image.",
    inputs={"image": Property(Text(), "a tag or a digest, as in ghcr.io/acme/hello:1")},
    outputs={
        "reference": Property(Text(), "the image by its digest"),
        "digest": Property(Text(), "the digest"),
    },
    delete_before_replace=False,
)


class PublishedImage(Resource):
    """See ``DEFINITION``. The id is the repository."""

    definition = DEFINITION
    import_refusal = "It is declared in the program: nothing is made of it."

    def __init__(self, images: Images) -> None:
        self._images = images

    def check(self, inputs: Properties) -> list[Failure]:
        return image_failures(inputs)

    def completed(self, inputs: Properties, old_inputs: Properties, call: Call) -> Properties:
        if has_unknown(inputs):
            return {**inputs, "digest": UNKNOWN}
        image, kept = reveal(inputs["image"]), old_inputs.get("digest")
        try:
            return {**inputs, "digest": self._digest(image)}
        except RegistryUnreachable as error:
            if kept is None or reveal(old_inputs.get("image")) != image:
                raise
            call.report.warning(f"{error.what} {image} is taken to be what it was at the last update.")
            return {**inputs, "digest": kept}

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        asked = Definition("", "", {**DEFINITION.inputs, "digest": DEFINITION.outputs["digest"]})
        return changes(asked, old_inputs, inputs)

    def foreseen(self, inputs: Properties) -> Properties:
        return _outputs(inputs)

    def create(self, inputs: Properties, call: Call) -> Existing:
        return Existing(Reference.parse(inputs["image"]).repository, _outputs(inputs))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        return Existing(id, outputs) if self._images.registry.digest(outputs["reference"]) else None

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: the image is somebody else's."""

    def _digest(self, image: str) -> str:
        digest = self._images.registry.digest(image)
        if digest is None:
            raise RegistryError(
                f"There is no image {image}.",
                why="Its registry does not have it.",
                next_step="correct its name or tag, or push it first.",
            )
        return digest


def _outputs(inputs: Properties) -> dict[str, str]:
    repository = Reference.parse(inputs["image"]).repository
    return {"reference": f"{repository}@{inputs['digest']}", "digest": inputs["digest"]}
