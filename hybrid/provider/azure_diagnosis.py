"""What Azure knows of an agent that does not come up and of locations that do not load: for the errors of a wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_diagnosis import PlatformDiagnosis, Told

_LOOK: Final = "`hybrid agent logs` has what it printed, some minutes later."


class AzureDiagnosis(PlatformDiagnosis):
    """Of an agent that is a container app. ``place``: ``azure_place.OF_AGENT``."""

    name = "Azure"

    def __init__(self, place: Mapping[str, Any]) -> None:
        from hybrid.azure.session import Azure

        self._azure = Azure(place["subscription"], place.get("tenant"))
        self._group, self._app, self._environment = place["resourceGroup"], place["agentApp"], place["environmentId"]

    def refuse_stopped(self) -> None:
        from hybrid.azure.agent_app import agent_app

        found = agent_app(self._azure, self._group, self._app, "")
        if found is not None and found.latest is not None and found.latest.has_failed:
            raise NotReadyError(
                f"The agent's revision {found.latest.name} does not come up: {found.latest.running or 'it failed'}.",
                why=found.latest.error or f"Azure says of its health: {found.latest.health or 'nothing'}.",
                next_step=f"look at its image and its identity's rights; {_LOOK} Then run `up` again.",
            )

    def of_agent(self) -> Told:
        from hybrid.azure.agent_app import agent_app

        found = agent_app(self._azure, self._group, self._app, "")
        if found is None:
            return Told(f"There is no container app {self._app} in the resource group {self._group}.")
        if found.latest is None:
            return Told(f"Azure: the container app {self._app} is {found.state}, and has no revision yet.")
        latest = found.latest
        said = f"Azure: the revision {latest.name} is {latest.running or found.state}, with {latest.replicas} replicas."
        return Told(f"{said} {latest.error}".strip(), f"look at the agent's log: {_LOOK}")

    def of_locations(self, deployment: str, locations: Sequence[str]) -> Iterator[Told]:
        from hybrid.aws.tags import location_hash
        from hybrid.azure.made import made_in

        made = made_in(self._azure, self._group, self._environment, self._app)
        for location in locations:
            wanted = location_hash(deployment, location)
            ours = [server for server in made.servers if server.location_hash == wanted]
            if not ours:
                yield Told(f"{location} in Azure: there is no container app of its code server.")
            for server in ours:
                yield Told(f"{location} in Azure: the container app {server.name} is {server.state}.")
