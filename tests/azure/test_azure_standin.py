"""The STAND-IN for Azure itself: that it refuses what a stack's life must not get by with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.azure_roles import ACR_PULL, SECRETS_USER
from tests.azure.lab import NAMES, OWNER, SUBSCRIPTION, AzureLab
from tests.standins.azure.plugin.types import TYPES
from tests.standins.azure.rights import ACCESS_ADMINISTRATOR, CONTRIBUTOR, Rights

pytestmark = pytest.mark.unit

GROUP = NAMES.group_id
AGENT_IDENTITY = NAMES.identity_id("agent")
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/vault"
SECRET = f"{VAULT}/secrets/agent-token"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acmeimages"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"


@dataclass
class Ground:
    """An agent's identity with its secret and a registry, and no rights yet."""

    lab: AzureLab

    def put(self, path: str, **properties: Any) -> dict[str, Any]:
        return dict(self.lab.as_owner("PUT", path, {"properties": properties}).body)

    def assign(self, role: str, scope: str, name: str = "right") -> str:
        principal = self.lab.arm.resources.get(AGENT_IDENTITY).body["properties"]["principalId"]
        path = f"{scope}/{ASSIGNMENTS}/{name}"
        self.put(path, principalId=principal, roleDefinitionId=role)
        return path

    def start(self, name: str = "app", image: str = "x.example/a", command: str = "/bin/sleep") -> tuple[int, str]:
        """The status and what was said of an app with the secret, of the agent's identity."""
        host = image.partition("/")[0]
        size = {"cpu": 0.5, "memory": "1Gi"}
        container = {"name": "c", "image": image, "command": [command], "resources": size}
        uri = self.lab.arm.resources.get(SECRET).body["properties"]["secretUriWithVersion"]
        body = {
            "location": NAMES.location,
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {AGENT_IDENTITY: {}}},
            "properties": {
                "managedEnvironmentId": NAMES.environment_id,
                "configuration": {
                    "secrets": [{"name": "agent-token", "keyVaultUrl": uri, "identity": AGENT_IDENTITY}],
                    "registries": [{"server": host, "identity": AGENT_IDENTITY}],
                },
                "template": {"containers": [container]},
            },
        }
        path = f"{GROUP}/providers/Microsoft.App/containerApps/{name}"
        answer = self.lab.arm.handle(OWNER, "PUT", path, {"api-version": "2025-07-01"}, body)
        return answer.status, json.dumps(answer.body)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with AzureLab(tmp_path) as lab:
        found = Ground(lab)
        found.put(AGENT_IDENTITY)
        found.put(VAULT)
        found.put(SECRET, value="the token")
        found.put(REGISTRY)
        yield found


def test_an_app_has_its_secret_by_a_role_of_its_identity_and_not_without(ground: Ground) -> None:
    status, said = ground.start()
    assert (status, "cannot get the secret" in said) == (400, True), said

    right = ground.assign(SECRETS_USER.id(SUBSCRIPTION), SECRET)
    assert ground.start()[0] == 201
    assert ground.lab.arm.things["containerApps", "app"].secrets == {"agent-token": "the token"}

    ground.lab.as_owner("DELETE", right)
    assert ground.start()[0] == 400, "a right that is taken away counts no more"


def test_an_image_of_azures_registry_is_pulled_by_a_role_and_not_without(ground: Ground) -> None:
    ground.assign(SECRETS_USER.id(SUBSCRIPTION), SECRET)
    assert "UNAUTHORIZED" in ground.start(image="acmeimages.azurecr.io/a")[1]
    ground.assign(ACR_PULL.id(SUBSCRIPTION), REGISTRY, "pull")
    assert ground.start(image="acmeimages.azurecr.io/a")[0] == 201
    assert "UNAUTHORIZED" in ground.start(image="of-others.azurecr.io/a")[1], "it is a right on one registry"


def test_a_new_revision_takes_the_place_of_the_former_one_and_the_same_template_makes_none(ground: Ground) -> None:
    ground.assign(SECRETS_USER.id(SUBSCRIPTION), SECRET)
    ground.start()
    app = ground.lab.arm.things["containerApps", "app"]
    (first,) = app.revisions
    ground.start()
    assert ground.lab.arm.things["containerApps", "app"].revisions == [first], "nothing of the template is another"
    ground.start(command="/bin/other")
    again = ground.lab.arm.things["containerApps", "app"]
    ground.lab.until(lambda: first.container.exit_code is not None, seconds=10, what="the former one ends")
    ground.lab.until(lambda: len(again.revisions) == 1, seconds=10, what="and is gone")
    assert again.revisions[0].name == "app--0000002"


def test_what_something_stands_on_does_not_go(ground: Ground) -> None:
    ground.assign(SECRETS_USER.id(SUBSCRIPTION), SECRET)
    ground.start()
    answer = ground.lab.arm.handle(OWNER, "DELETE", NAMES.environment_id, {}, None)
    assert answer.status == 409, "Azure deletes no environment with apps in it"
    answer = ground.lab.arm.handle(OWNER, "PUT", f"{GROUP}-other/providers/Microsoft.KeyVault/vaults/other", {}, {})
    assert answer.status == 404, "nor does it make a thing in a group that is not there"


def test_a_secret_is_shown_to_nobody_and_has_a_version_for_each_value(ground: Ground) -> None:
    before = ground.put(SECRET, value="the token")["properties"]
    after = ground.put(SECRET, value="another")["properties"]
    assert "value" not in after
    assert before["secretUri"] == after["secretUri"]
    assert before["secretUriWithVersion"] != after["secretUriWithVersion"], "by this the agent is started anew"


def test_an_identitys_token_is_given_to_an_app_that_has_it_and_to_no_other(ground: Ground) -> None:
    given = ground.lab.azure.login("mine")

    def asked(client: str, header: str) -> int:
        headers = {"X-IDENTITY-HEADER": header}
        return httpx.get(given["IDENTITY_ENDPOINT"], params={"client_id": client}, headers=headers).status_code

    assert asked("mine", given["IDENTITY_HEADER"]) == 200
    assert asked("of-others", given["IDENTITY_HEADER"]) == 400
    assert asked("mine", "made-up") == 400


def test_contributor_makes_things_and_gives_no_rights() -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}"
    rights = Rights({"contributor": CONTRIBUTOR.at(scope), "both": CONTRIBUTOR.at(scope)})
    rights.grants["both"] += ACCESS_ADMINISTRATOR.at(scope)
    write = "Microsoft.Authorization/roleAssignments/write"
    assert rights.allows("contributor", "Microsoft.App/containerApps/write", GROUP)
    assert not rights.allows("contributor", write, GROUP), "it would be found after a quarter of an hour"
    assert rights.allows("both", write, GROUP)
    assert not rights.allows("both", write, "/subscriptions/of-others")


@pytest.mark.parametrize("token", sorted(TYPES))
def test_each_type_of_the_plugin_has_a_path_and_the_sdks_api_version(token: str) -> None:
    of = TYPES[token]
    inputs = dict.fromkeys(of.parameters, "x")
    assert of.id(inputs, SUBSCRIPTION).startswith(("/subscriptions/", "/x/providers/"))
    assert of.version[:2] == "20", "as the SDK's documentation names it"


def test_what_a_program_gives_is_azures_body_and_comes_back_as_pulumi_shows_it() -> None:
    app = TYPES["azure-native:app:ContainerApp"]
    inputs = {
        "resourceGroupName": "g", "containerAppName": "a", "location": "westeurope", "template": {"containers": []},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": ["/x"]},
    }  # fmt: skip
    body = app.body(inputs)
    assert body["properties"] == {"template": {"containers": []}}
    assert body["identity"]["userAssignedIdentities"] == {"/x": {}}
    shown = app.outputs({**body, "name": "a", "properties": {**body["properties"], "latestRevisionName": "a--1"}})
    assert (shown["latestRevisionName"], shown["template"], shown["name"]) == ("a--1", {"containers": []}, "a")
    role = TYPES["azure-native:authorization:RoleDefinition"]
    assert role.body({"scope": "s", "roleDefinitionId": "r", "roleType": "CustomRole"}) == {
        "properties": {"type": "CustomRole"}
    }
