"""The real agent on the double of ECS, with an embedded Dagster+ that its tasks reach by the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.ecs_spec import EcsAgentSpec
from tests.ecs.account import Account
from tests.emulated.checkout import until
from tests.emulated.served import ServedOrganization
from tests.standins.ecs.client import EcsLab


@dataclass
class StandingAgent:
    """An account, an organization and an agent between them."""

    lab: EcsLab
    plus: ServedOrganization
    account: Account
    image: str

    def start(self, *, count: int = 1, **settings: Any) -> None:
        self.account.create_service(self.definition(**settings), count=count)

    def definition(self, *, generation: str = "", **settings: Any) -> str:
        """A revision of the agent's task definition. Its agent polls faster than one of a team."""
        quick = {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2", "GREETING": "hello"}
        spec = EcsAgentSpec.model_validate(
            {
                "image": self.image,
                "startupTimeoutSeconds": 60,
                "ecsTimeoutSeconds": 120,
                "environment": quick,
                **settings,
            }
        )
        url = f"http://{self.lab.gateway}:{self.plus.port}"
        return self.account.register(spec, url, generation=generation)

    def until_running(self, *, seconds: float = 60) -> None:
        label = self.account.names.base
        self.until(
            lambda: self.plus.agent_states().get(label) == "RUNNING", seconds=seconds, what="the agent is RUNNING"
        )

    def deploy(self, name: str, image: str, **more: Any) -> None:
        source = {"python_file": "/opt/shop/shop.py"}
        answer = self.plus.ask(
            "mutation($document: GenericScalar!) { put: addOrUpdateLocationFromDocument(document: $document) "
            "{ __typename ... on Error { message } } }",
            document={"location_name": name, "image": image, "code_source": source, **more},
        )
        assert answer["put"]["__typename"] == "WorkspaceEntry", answer

    def remove(self, name: str) -> None:
        answer = self.plus.ask(
            "mutation($name: String!) { gone: deleteLocation(locationName: $name) { __typename } }", name=name
        )
        assert answer["gone"]["__typename"] == "DeleteLocationSuccess", answer

    def until_loaded(self, name: str, *, seconds: float = 90) -> None:
        """As Dagster+ sees it. An error of the location fails the test with it."""

        def loaded() -> bool:
            state = self.plus.load_states().get(name, "")
            assert not state.startswith("ERROR"), state
            return state == "LOADED"

        self.until(loaded, seconds=seconds, what=f"{name} is loaded")

    def error_of(self, name: str, *, seconds: float = 120) -> str:
        """The error that Dagster+ shows for a location, once it does."""
        found = self.until(
            lambda: (state := self.plus.load_states().get(name, "")).startswith("ERROR") and state,
            seconds=seconds,
            what=f"{name} shows an error",
        )
        return str(found)

    def server_image(self, name: str) -> str | None:
        """The image of a location's running code server, by the tags that the agent put on its service."""
        ecs = self.lab.client("ecs")
        for task in self.account.tasks(family=f"{self.account.names.server_prefix}_"):
            tags = {tag["key"]: tag["value"] for tag in task["tags"]}
            if tags.get("dagster/location_name") == name and task["lastStatus"] == "RUNNING":
                found = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
                return str(found["containerDefinitions"][0]["image"])
        return None

    def stop(self) -> None:
        """Delete the agent's service, as a destroy does first, and wait until its tasks are gone."""
        names = self.account.names
        ecs = self.lab.client("ecs")
        if self.account.service()["status"] == "ACTIVE":
            ecs.delete_service(cluster=names.cluster, service=names.service, force=True)
        stopped = lambda: not [one for one in self.lab.containers() if "agent" in one]  # noqa: E731
        self.until(stopped, seconds=150, what="the agent's tasks have stopped")

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what the agent said last."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            denied = [f"{call.name}: {call.reason}" for call in self.lab.calls if not call.allowed]
            raise AssertionError(
                f"{error}\n\nDenied: {denied[-5:]}\n\nEvents: {self.lab.events[-8:]}\n\n{self.account.log()[-5000:]}"
            ) from error
