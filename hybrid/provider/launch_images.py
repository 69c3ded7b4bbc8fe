"""An image as a resource names it, and as a launch needs it: in its registry, for the CPU that it will run on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.delivery.images.errors import RegistryError
from hybrid.delivery.images.reference import Reference
from hybrid.errors import SettingsError
from hybrid.provider.definition import Failure
from hybrid.provider.properties import Properties, has_unknown

if TYPE_CHECKING:
    from hybrid.delivery.images.registry import Registry


def image_failures(inputs: Properties) -> list[Failure]:
    """Why the input ``image`` is no reference; nothing while it is not known."""
    if has_unknown(inputs.get("image")):
        return []
    try:
        Reference.parse(inputs["image"])
    except SettingsError as error:
        return [Failure("image", error.sentence())]
    return []


@dataclass(frozen=True)
class ImageProblem:
    """``next_step`` is empty where something could only not be found out."""

    what: str
    next_step: str = ""


def image_problem(
    registry: Registry, image: str, wanted: Collection[str], place: str, setting: str
) -> ImageProblem | None:
    """What keeps ``image`` from running on each of ``wanted`` (``linux/amd64``); nothing wanted: whether it is there.
    ``place`` is what has the CPU: "task"; ``setting`` completes "build it for …, or …"."""
    try:
        platforms = registry.platforms(image)
    except RegistryError as error:  # somebody else's registry may well serve the cluster and not this machine
        return ImageProblem(f"The image {image} was not looked at: {error.what}")
    if platforms is None:
        return ImageProblem(f"The image {image} is not in its registry.", "push it, or correct its name.")
    lacking = [one for one in wanted if not any(has == one or has.startswith(f"{one}/") for has in platforms)]
    if not platforms or not lacking:
        return None
    what = f"The image {image} is for {', '.join(platforms)}, the {place} is {' or '.join(sorted(wanted))}."
    return ImageProblem(what, f"build it for {', '.join(sorted(lacking))}, or {setting}.")
