"""``AzureLaunchCheck`` over a registry of this module. Azure itself is not asked, so nothing of it is faked."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.errors import RegistryError
from hybrid.errors import NotReadyError
from hybrid.provider.azure_launch_check import DEFINITION, AzureLaunchCheck
from hybrid.provider.properties import UNKNOWN

pytestmark = pytest.mark.unit

IMAGE = "team.azurecr.io/hello@sha256:" + "a" * 64
OTHER = "team.azurecr.io/hello@sha256:" + "b" * 64
INPUTS = DEFINITION.complete({"location": "hello", "image": IMAGE})


class Shared:
    """Its registry has one image, for the platforms in ``answer``; None: it has not."""

    answer: list[str] | RegistryError | None

    def __init__(self, answer):
        self.answer = answer
        self.registry = self

    def platforms(self, image):
        assert image in (IMAGE, OTHER)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("platforms", [["linux/amd64"], ["linux/arm64/v8", "linux/amd64"], []])
def test_an_image_that_azure_can_run_passes(call, platforms):
    made = AzureLaunchCheck(Shared(platforms)).create(INPUTS, call)
    assert (made.id, made.outputs["findings"]) == ("hello", []), "an image that names no platform may be any"


def test_an_image_for_another_processor_is_told_before_the_agent_is(call):
    with pytest.raises(NotReadyError, match="Container Apps could not launch the code location hello") as caught:
        AzureLaunchCheck(Shared(["linux/arm64/v8"])).create(INPUTS, call)
    assert f"The image {IMAGE} is for linux/arm64/v8, the environment is linux/amd64." in caught.value.why
    assert "the code server that runs stays" in caught.value.why
    assert caught.value.next_step.startswith("build it for linux/amd64, or name an image that has it.")


def test_an_image_that_is_not_there_is_told(call):
    with pytest.raises(NotReadyError) as caught:
        AzureLaunchCheck(Shared(None)).create(INPUTS, call)
    assert f"The image {IMAGE} is not in its registry." in caught.value.why


def test_a_registry_that_does_not_answer_here_stops_nothing_and_is_said(call, report):
    found = AzureLaunchCheck(Shared(RegistryError("no login"))).create(INPUTS, call).outputs["findings"]
    assert found == [f"The image {IMAGE} was not looked at: no login"], "Azure may well reach it"
    assert [text for kind, text in report.said if kind == "info"] == found


def test_in_a_preview_nothing_is_asked_and_a_wrong_image_is_said():
    resource = AzureLaunchCheck(Shared(RegistryError("asked")))
    assert resource.check(INPUTS) == []
    assert resource.check(INPUTS | {"image": UNKNOWN}) == [], "it is not built yet"
    assert [failure.path for failure in resource.check(INPUTS | {"image": "NOT AN IMAGE"})] == ["image"]


def test_another_image_is_another_statement(call):
    resource = AzureLaunchCheck(Shared(["linux/amd64"]))
    first = resource.create(INPUTS, call).outputs["passed"]
    assert resource.create(INPUTS, call).outputs["passed"] == first
    assert resource.create(INPUTS | {"image": OTHER}, call).outputs["passed"] != first
