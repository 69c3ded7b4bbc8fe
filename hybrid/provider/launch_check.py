"""What the statements that a code location can be launched have in common, whatever the platform."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final, Protocol

from hybrid.errors import NotReadyError
from hybrid.provider.definition import Anything, Failure, ListOf, MapOf, Property, Text
from hybrid.provider.launch_images import image_failures
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing
from hybrid.provider.statement import Statement

WHY_FIRST: Final = (
    "An agent that is told of a location which cannot be launched takes the old, working code server away all the "
    "same, so the location depends on this. It is made again when an input changes; nothing is asked in a preview, and "
    "deleting it does nothing."
)
TRIGGERS: Final = Property(MapOf(Anything()), "other values that, when they change, mean to check again", default={})
OUTPUTS: Final = {
    "passed": Property(Text(), "names what was checked"),
    "findings": Property(ListOf(Text()), "what could not be found out"),
}


class Seen(Protocol):
    """What keeps a location from being launched, with a next step; or, without one, what could not be found out."""

    @property
    def what(self) -> str: ...

    @property
    def next_step(self) -> str: ...


class LaunchCheck(Statement):
    """Inputs have ``location`` and ``image``, outputs are ``OUTPUTS``; the id is the location's name."""

    launcher: ClassVar[str]
    """Who launches, as the first words of a sentence."""
    aside: ClassVar[Collection[str]] = ()
    """Inputs that are no part of what is stated, but of how it is found out."""

    def check(self, inputs: Properties) -> list[Failure]:
        return image_failures(inputs)

    def stated(self, inputs: Properties, found: Sequence[Seen], call: Call) -> Existing:
        """Raises one ``NotReadyError`` with all that is wrong."""
        location = str(inputs["location"])
        wrong = [finding for finding in found if finding.next_step]
        if wrong:
            steps = dict.fromkeys(finding.next_step.rstrip(".") for finding in wrong)
            raise NotReadyError(
                f"{self.launcher} could not launch the code location {location}.",
                why="\n".join(finding.what for finding in wrong)
                + "\nThe agent was not told of it, so the code server that runs stays.",
                next_step=f"{'; '.join(steps)}. Then run the same command again.",
            )
        unsure = [finding.what for finding in found]
        for text in unsure:
            call.report.info(text)
        return Existing(location, {"passed": self._digest(inputs), "findings": unsure})

    def _digest(self, inputs: Properties) -> str:
        told: dict[str, Any] = {name: value for name, value in inputs.items() if name not in self.aside}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
