"""The ``AzureLaunchCheck`` resource: the statement that Container Apps will be able to launch a code location, made
before an agent is told of it."""

from __future__ import annotations

from typing import Final

from hybrid.provider.definition import Definition, Property, Text
from hybrid.provider.launch_check import OUTPUTS, WHY_FIRST, LaunchCheck
from hybrid.provider.launch_images import image_problem
from hybrid.provider.location_image import Images
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

PLATFORM: Final = "linux/amd64"
"""The only one: https://learn.microsoft.com/azure/container-apps/containers#limitations"""

DEFINITION: Final = Definition(
    name="AzureLaunchCheck",
    description="The statement that Azure Container Apps can launch a code location: its image is in its registry, "
    f"for {PLATFORM}. {WHY_FIRST} Azure itself is not asked.",
    inputs={
        "location": Property(Text(), "the code location's name"),
        "image": Property(Text(), "its image, by digest where it has one"),
    },
    outputs=OUTPUTS,
)


class AzureLaunchCheck(LaunchCheck):
    """See ``DEFINITION``."""

    definition = DEFINITION
    launcher = "Container Apps"

    def __init__(self, images: Images) -> None:
        self._images = images

    def create(self, inputs: Properties, call: Call) -> Existing:
        call.report.status("checking that it can be launched")
        image = str(inputs["image"])
        problem = image_problem(self._images.registry, image, [PLATFORM], "environment", "name an image that has it")
        return self.stated(inputs, [] if problem is None else [problem], call)
