"""The whole of an adoption: Dagster+ and the agent's platform asked, and what they tell said as a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid.adopt.agent_settings import new_label
from hybrid.adopt.locations import AdoptedLocation, Ground, LeftLocation, adopted, folders_of
from hybrid.adopt.organization import FoundOrganization, read_organization
from hybrid.adopt.place import Place
from hybrid.adopt.plan import Adoption
from hybrid.adopt.remarks import Remark
from hybrid.delivery.images.reference import Reference
from hybrid.errors import HybridError
from hybrid.plus import Endpoint, PlusClient


@dataclass
class Survey:
    """Asks, and changes nothing."""

    root: Path
    stack: str
    endpoint: Endpoint
    region: str
    client: PlusClient
    place: Place
    _unasked: list[Remark] = field(default_factory=list)

    def adoption(self) -> Adoption:
        """Raises ``HybridError``: no such agent, several agents, another account, no permission, a folder under
        ``locations/`` that is wrong, whatever Dagster+ says."""
        organization = read_organization(self.client)
        found = self.place.find(self.endpoint, organization)
        agent = found.said
        locations, left = self._locations(organization, agent.agent)
        return Adoption(
            stack=self.stack,
            endpoint=self.endpoint,
            region=self.region,
            agent=self._labelled(agent.agent, organization),
            cloud=found.cloud,
            locations=locations,
            left=left,
            found_remarks=[*organization.remarks(), *agent.remarks, *found.remarks, *self._unasked],
            makes_registry=self.place.makes_registry,
        )

    def _labelled(self, agent: Mapping[str, Any], organization: FoundOrganization) -> dict[str, Any]:
        label = new_label(self.stack, organization.agents)
        kind = {"kind": agent["kind"]}
        return {**kind, **({"label": label} if label else {}), **agent}

    def _locations(
        self, organization: FoundOrganization, agent: Mapping[str, Any]
    ) -> tuple[list[AdoptedLocation], list[LeftLocation]]:
        queues = agent.get("queues") or {"includeDefault": True, "additional": []}
        ground = Ground(
            root=self.root,
            platform=self.place.kind,
            environment=self.stack,
            folders=folders_of(self.root, self.stack),
            digest_of=self._digest,
            queues={*queues["additional"], *([None] if queues["includeDefault"] else [])},
        )
        allowed = agent.get("allowedLocations")
        found: list[AdoptedLocation] = []
        left: list[LeftLocation] = []
        for name, document in sorted(organization.documents.items()):
            if allowed is not None and name not in allowed:
                left.append(LeftLocation(name, "this agent may not serve it (`allowedLocations`)"))
                continue
            location = adopted(name, document, ground)
            if isinstance(location, LeftLocation):
                left.append(location)
            else:
                found.append(location)
        return found, left

    def _digest(self, image: Reference) -> str | None:
        try:
            return self.place.digest(image)
        except HybridError as error:
            self._unasked.append(Remark("unsaid", str(image), f"its digest could not be asked for: {error.what}"))
            return None
