"""The real agent in the stand-in for Azure (tests/standins/azure), with an embedded Dagster+ that it reaches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.azure_launcher import AzureCodePlace
from agent.azure_names import STACK_TAG, AzureNames
from agent.azure_roles import Right, agent_rights
from agent.azure_spec import AzureAgentSpec
from agent.azure_task import TOKEN_SECRET, AzureAgentText, agent_container
from hybrid.azure.session import Azure
from tests.emulated.checkout import until
from tests.emulated.served import ServedOrganization
from tests.standins.azure.arm import Answer, Place, Thing
from tests.standins.azure.processes import Container
from tests.standins.azure.rights import Grant, Rights
from tests.standins.azure.server import AzureStandIn, token_of

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
AGENT, CODE, OWNER = "client-of-agent", "client-of-code", "owner"
NAMES = AzureNames.of("quick", SUBSCRIPTION, "westeurope")
PLACE = Place(NAMES.group_id, NAMES.environment_id)
PORT = 4000


class Signed:
    """A credential for the stand-in."""

    def __init__(self, who: str) -> None:
        self._who = who

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(token_of(self._who), 2**31)


def granted(rights: Iterable[Right] = agent_rights(isolated=True)) -> list[Grant]:
    """As the stack's program assigns them (tests/azure/test_azure_program.py holds it to that)."""
    scopes = {
        "resource-group": NAMES.group_id,
        "environment": NAMES.environment_id,
        "code-identity": NAMES.identity_id("code"),
    }
    return [Grant(right.action, scopes[right.scope]) for right in rights]


@dataclass
class AzureLab:
    """``with AzureLab(folder) as lab:`` is an empty environment with the agent's roles; nothing runs yet."""

    folder: Path
    plus: ServedOrganization | None = None
    rights: Rights = field(default_factory=lambda: Rights({AGENT: granted()}, owners=[OWNER]))
    token: str = "agent:acme:" + "7" * 32
    _started: int = 0

    def __post_init__(self) -> None:
        self.azure = AzureStandIn(self.folder / "azure", PLACE, self.rights, self._start)

    def __enter__(self) -> AzureLab:
        self.azure.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.azure.__exit__()

    @property
    def arm(self) -> Any:
        return self.azure.arm

    def door(self, who: str = OWNER) -> Azure:
        return Azure(SUBSCRIPTION, endpoint=self.azure.endpoint, credential=Signed(who))

    def as_owner(self, method: str, path: str, body: Any = None) -> Answer:
        answer: Answer = self.arm.handle(OWNER, method, path, {"api-version": "2025-07-01"}, body)
        assert answer.status < 300, answer.body
        return answer

    def _start(self, thing: Thing, execution: str) -> Container:
        self._started += 1
        properties = thing.body["properties"]
        served = bool((properties.get("configuration") or {}).get("ingress"))
        if served:
            self.azure.resolve(self.arm.fqdn(thing.name), thing.address)
        return Container(
            self.folder / f"{self._started:03}-{execution}",
            properties["template"]["containers"][0],
            hosts=self.azure.hosts,
            environment=self.azure.environment,
            secrets={TOKEN_SECRET: self.token},
            address=thing.address if served else "",
            port=PORT,
        )

    # the agent

    def start_agent(self, **settings: Any) -> None:
        """Its app, as the stack's component puts it."""
        assert self.plus
        self.token = self.plus.agent_token()
        spec = AzureAgentSpec.model_validate(
            {
                "startupTimeoutSeconds": 60,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2", "GREETING": "hello"},
                **settings,
            }
        )
        place = AzureCodePlace(
            subscription=SUBSCRIPTION,
            resource_group=NAMES.resource_group,
            environment=NAMES.environment,
            location=NAMES.location,
            identity_id=NAMES.identity_id("code"),
            identity_client_id=CODE,
        )
        said = AzureAgentText(NAMES.base, "prod", self.plus.url, AGENT)
        body = {
            "location": NAMES.location,
            "tags": {STACK_TAG: NAMES.base},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {NAMES.identity_id("agent"): {}}},
            "properties": {
                "managedEnvironmentId": NAMES.environment_id,
                "configuration": {"activeRevisionsMode": "Single", "secrets": [{"name": TOKEN_SECRET}]},
                "template": {"containers": [agent_container(spec, place, said)]},
            },
        }
        self.as_owner("PUT", NAMES.agent_app_id, body)

    def stop_agent(self) -> None:
        self.as_owner("DELETE", NAMES.agent_app_id)
        thing = self.arm.things.get(("containerApps", NAMES.agent_app))
        if thing is not None:
            until(lambda: thing.containers[0].exit_code is not None, seconds=60, what="the agent has ended")

    @property
    def agent_log(self) -> str:
        logs = sorted(self.folder.glob(f"*-{NAMES.agent_app}/log"))
        return logs[-1].read_text(errors="replace") if logs else ""

    def deploy(self, name: str, file: Path, *, image: str) -> None:
        assert self.plus
        document = {
            "location_name": name,
            "image": image,
            "code_source": {"python_file": str(file)},
            "executable_path": sys.executable,
        }
        answer = self.plus.ask(
            "mutation($document: GenericScalar!) { put: addOrUpdateLocationFromDocument(document: $document) "
            "{ __typename ... on Error { message } } }",
            document=document,
        )
        assert answer["put"]["__typename"] == "WorkspaceEntry", answer

    def servers(self) -> list[Thing]:
        return [thing for thing in self.arm.named("containerApps") if "dagster-location" in thing.body["tags"]]

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what the agent said last and what Azure refused."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            told = f"denied {self.rights.denied[-5:]}, unknown {self.arm.unknown[-5:]}"
            raise AssertionError(f"{error}\n\n{told}\n\n{self.agent_log[-6000:]}") from error
