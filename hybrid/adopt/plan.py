"""All that an adoption writes and says: pure, from what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.adopt.locations import AdoptedLocation, LeftLocation
from hybrid.adopt.remarks import Remark
from hybrid.adopt.stack_text import stack_text
from hybrid.delivery.difference import KeyChange
from hybrid.plus import Endpoint

LOCATION_TYPE: Final = "dagsterhybrid:index:CodeLocation"

_HEADING: Final = """\
The stack {stack}: the deployment {deployment} of {organization}, as it was found by `hybrid adopt`.

In the phase `prepare` the new agent is stood up beside the old one, and no code location is touched. What comes then,
step by step: docs/adopt.md. Every key: docs/settings.md."""


@dataclass(frozen=True)
class Adoption:
    """What was found of one deployment, said as settings."""

    stack: str
    endpoint: Endpoint
    region: str
    """Of Dagster+: us or eu."""
    agent: Mapping[str, Any]
    cloud: Mapping[str, Mapping[str, Any]]
    """The keys that say where the agent stands, as ``{"aws": …}``."""
    locations: Sequence[AdoptedLocation]
    left: Sequence[LeftLocation]
    found_remarks: Sequence[Remark] = ()
    makes_registry: bool = True
    """Whether the stack makes repositories where no registry is named."""

    @property
    def settings(self) -> dict[str, Any]:
        """The stack file's, without ``hybrid:``."""
        saas = self.endpoint.is_saas
        pins = {each.name: each.pin for each in self.locations if each.pin}
        address = self.registry
        return {
            "organization": self.endpoint.organization,
            **({"region": self.region} if saas and self.region != "us" else {}),
            **({} if saas else {"url": self.endpoint.url}),
            "deployment": self.endpoint.deployment,
            "phase": "prepare",
            "agent": dict(self.agent),
            **{key: dict(said) for key, said in self.cloud.items()},
            **({"registry": {"address": address}} if address else {}),
            "locations": [
                each.served if isinstance(each.served, str) else dict(each.served) for each in self.locations
            ],
            **({"pins": pins} if pins else {}),
        }

    @property
    def registry(self) -> str | None:
        """Where the images of all locations with a folder already go, if that is one place and its repositories are
        named as a stack names them; else the stack makes repositories."""
        found = set()
        for each in self.locations:
            if each.pin:
                address, slash, last = each.pin.partition("@")[0].rpartition("/")
                found.add(address if slash and last == each.name.lower() else "")
        return next(iter(found)) if len(found) == 1 and "" not in found else None

    @property
    def files(self) -> dict[str, str]:
        """Text by path relative to the checkout."""
        heading = _HEADING.format(
            stack=self.stack, deployment=self.endpoint.deployment, organization=self.endpoint.organization
        )
        files = {f"stacks/Pulumi.{self.stack}.yaml": stack_text(self.settings, heading)}
        files |= dict(each.overlay for each in self.locations if each.overlay)
        if self.locations:
            files[import_file(self.stack)] = json.dumps(self.imports, indent=2) + "\n"
        return files

    @property
    def imports(self) -> dict[str, Any]:
        """What ``pulumi import --file`` takes. Names and types are those of the program (stacks/stack.py)."""
        organization, deployment = self.endpoint.organization, self.endpoint.deployment
        return {
            "resources": [
                {
                    "type": LOCATION_TYPE,
                    "name": f"{each.name}-location",
                    "id": f"{organization}/{deployment}/{each.name}",
                }
                for each in self.locations
            ]
        }

    @property
    def changes(self) -> dict[str, tuple[KeyChange, ...]]:
        """By location, what serving it changes in Dagster+."""
        return {each.name: each.changes for each in self.locations if each.changes}

    @property
    def remarks(self) -> list[Remark]:
        """All of them."""
        found = [*self.found_remarks, *(Remark("left", each.name, each.why) for each in self.left)]
        found += [
            Remark("kept", each.name, f"served from its image, not from its folder: {each.why_image}")
            for each in self.locations
            if each.why_image
        ]
        if self.registry:
            found.append(Remark("kept", "registry", f"{self.registry}: new images go where the old ones are"))
        elif not self.makes_registry:
            text = "`hybrid:registry` has to say where new images go; no one place has those that are there"
            found.append(Remark("unsaid", "registry", text))
        elif any(each.pin for each in self.locations):
            found.append(Remark("new", "repositories", "one for each location that has a folder"))
        return found


def import_file(stack: str) -> str:
    """Where the list for ``pulumi import --file`` goes, relative to the checkout."""
    return f"stacks/{stack}.import.json"
