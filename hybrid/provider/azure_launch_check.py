"""The ``AzureLaunchCheck`` resource: the statement that Container Apps will be able to launch a code location, made
before an agent is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hybrid.provider.definition import Definition, Property, Text
from hybrid.provider.launch_check import OUTPUTS, TRIGGERS, WHY_FIRST, LaunchCheck
from hybrid.provider.launch_images import image_problem
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.delivery.images.registry import Registry

PLATFORM: Final = "linux/amd64"
"""The only one: https://learn.microsoft.com/azure/container-apps/containers#limitations"""

DEFINITION: Final = Definition(
    name="AzureLaunchCheck",
    description="The statement that Azure Container Apps can launch a code location: its image is in its registry, "
    f"for {PLATFORM}. {WHY_FIRST} Azure itself is not asked.",
    inputs={
        "location": Property(Text(), "the code location's name"),
        "image": Property(Text(), "its image, by digest where it has one"),
        "triggers": TRIGGERS,
    },
    outputs=OUTPUTS,
)


class Launching:
    """What the checks of an update share: the registries."""

    def __init__(self) -> None:
        import os

        from hybrid.delivery.images.registry import Registry

        self.registry: Registry = Registry(os.environ)


class AzureLaunchCheck(LaunchCheck):
    """See ``DEFINITION``."""

    definition = DEFINITION
    launcher = "Container Apps"

    def __init__(self, launching: Launching) -> None:
        self._shared = launching

    def create(self, inputs: Properties, call: Call) -> Existing:
        call.report.status("checking that it can be launched")
        image = str(inputs["image"])
        problem = image_problem(self._shared.registry, image, [PLATFORM], "environment", "name an image that has it")
        return self.stated(inputs, [] if problem is None else [problem], call)
