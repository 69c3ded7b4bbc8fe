"""An agent in Azure, as far as text goes: settings, names, rights and time-outs. Nothing of Azure's is needed for it.
That the launcher takes what is rendered is for tests/azure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from agent.azure_launcher import AzureCodePlace
from agent.azure_names import AzureNames
from agent.azure_roles import SCOPES, actions, agent_rights
from agent.azure_spec import AzureAgentSpec, memory
from agent.azure_task import AzureAgentText, agent_container, dagster_yaml
from agent.azure_timing import timing
from hybrid.delivery.gate.aca import aca_rules
from hybrid.errors import SettingsError
from stacks.settings import Settings, parse

pytestmark = pytest.mark.unit

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
OPERATIONS = Path(__file__).resolve().parents[2] / "standins" / "azure" / "operations.txt"
PLACE = AzureCodePlace(
    subscription=SUBSCRIPTION,
    resource_group="hybrid-prod",
    environment="hybrid-prod",
    location="westeurope",
    identity_id="/subscriptions/s/…/hybrid-prod-code",
    identity_client_id="c0de",
)
SAID = AzureAgentText(
    label="hybrid-prod", deployment="prod", url="https://acme.agent.dagster.cloud", identity_client_id="a6e47"
)
AZURE = {"subscription": SUBSCRIPTION, "location": "westeurope"}


def parsed(azure: dict | None = None, **more) -> Settings:
    values = {"organization": "acme", "agent": {"kind": "azure"}, "azure": {**AZURE, **(azure or {})}, **more}
    return parse(values, stack="prod", source="stacks/Pulumi.prod.yaml")


@given(stack=some.text(min_size=1, max_size=60), group=some.none() | some.just("team-data"))
def test_every_name_is_one_that_azure_takes(stack: str, group: str | None) -> None:
    names = AzureNames.of(stack, SUBSCRIPTION, "westeurope", resource_group=group)
    assert re.fullmatch(r"[a-z]([a-z0-9]|-(?!-))*[a-z0-9]", names.agent_app), "a container app's name"
    assert len(names.agent_app) <= 32, "the limit of container apps"
    assert re.fullmatch(r"[a-z0-9]{3,24}", names.storage_account), "a storage account's name"
    assert re.fullmatch(r"[a-zA-Z0-9]{5,50}", names.registry), "a registry's name"
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]", names.workspace), "a workspace's name"
    assert 3 <= len(names.identity("agent")) <= 128, "an identity's name"
    assert len(names.role("launcher")) <= 128, "a role's name"


def test_two_stacks_whose_names_look_alike_have_nothing_in_common() -> None:
    one, other = (AzureNames.of(stack, SUBSCRIPTION, "westeurope") for stack in ("a.b", "a_b"))
    assert one.base != other.base, "they would take each other's things for their own"
    assert one.guid("role", "launcher") != other.guid("role", "launcher"), "one role would be changed by two stacks"
    elsewhere = AzureNames.of("a.b", SUBSCRIPTION.replace("0", "9"), "westeurope")
    assert one.registry != elsewhere.registry, "such names are one space for all of Azure"


def test_the_launcher_is_told_pairs_of_processor_and_memory_that_azure_knows() -> None:
    spec = AzureAgentSpec(serverCpu=0.25, runCpu=4)
    launcher = yaml.safe_load(dagster_yaml(spec, PLACE, SAID))["user_code_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_cloud.workspace.aca", "AcaUserCodeLauncher")
    assert launcher["config"]["server_resources"] == {"cpu": "0.25", "memory": "0.5Gi"}
    assert launcher["config"]["run_resources"] == {"cpu": "4", "memory": "8Gi"}
    assert memory(0.5) == "1Gi", "the launcher's own default, 2.0Gi, would be refused"


def test_code_gets_an_identity_of_its_own_and_the_token_by_name_alone() -> None:
    text = dagster_yaml(AzureAgentSpec(environment={"STAGE": "prod"}), PLACE, SAID)
    config = yaml.safe_load(text)["user_code_launcher"]["config"]
    assert config["identity_id"] == PLACE.identity_id, "not the agent's, which may end containers"
    assert config["env_vars"] == ["DAGSTER_CLOUD_AGENT_TOKEN", "AZURE_CLIENT_ID=c0de", "STAGE=prod"]
    assert yaml.safe_load(text)["dagster_cloud_api"]["agent_token"] == {"env": "DAGSTER_CLOUD_AGENT_TOKEN"}


def test_the_agents_container_has_its_own_identity_and_its_token_by_reference() -> None:
    container = agent_container(AzureAgentSpec(), PLACE, SAID)
    variables = {each["name"]: each for each in container["env"]}
    assert variables["DAGSTER_CLOUD_AGENT_TOKEN"] == {
        "name": "DAGSTER_CLOUD_AGENT_TOKEN",
        "secretRef": "agent-token",
    }, "a value would be readable by who may read the app"
    assert variables["AZURE_CLIENT_ID"]["value"] == "a6e47", "else Azure gives an app with this identity no token"
    assert "DAGSTER_CLOUD_AGENT_SENTINEL_DIR" in variables, "the launcher for Azure has no default for it"
    assert "probes" not in container, "the agent answers neither HTTP nor TCP, and would be ended again and again"


def test_another_version_of_the_token_starts_the_agent_anew() -> None:
    first, second = (
        agent_container(AzureAgentSpec(), PLACE, AzureAgentText("l", "d", "u", "c", token_version=version))
        for version in ("1", "2")
    )
    assert first != second, "an app whose secret changes goes on with the old one"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ({"replicas": 2}, "start all code servers again"),
        ({"cpu": 0.3}, "by quarters"),
        ({"memoryMib": 512}, "say `cpu`"),
        ({"environment": {"AZURE_CLIENT_ID": "x"}}, "by which identity"),
        ({"environment": {"DAGSTER_CLOUD_AGENT_TOKEN": "x"}}, "from Key Vault"),
        ({"fullDeployment": False}, "would serve no deployment"),
        ({"secrets": {"A": "b"}}, "knows no secrets"),
    ],
)
def test_what_azure_or_the_launcher_cannot_do_is_refused_with_the_reason(agent: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AzureAgentSpec.model_validate(agent)


@pytest.mark.parametrize(
    ("azure", "said"),
    [
        ({"subscription": "mine"}, "hybrid:azure.subscription: it must be an id as Azure shows it"),
        ({"name": "x" * 21}, "at most 20"),
        ({"location": "West Europe"}, "hybrid:azure.location: it must be a location by its short name"),
        ({"network": {"subnetCidr": "10.90.0.0/28"}}, "too small"),
        ({"network": {"subnetCidr": "10.91.0.0/23"}}, "not within"),
        ({"network": {"cidr": "8.8.0.0/16"}}, "private addresses"),
        ({"storage": {"account": "acme", "keep": True}}, "is there already"),
        ({"registry": {"id": "acme.azurecr.io"}}, "it must be the whole id of a registry"),
        ({"tags": {"dagster-agent-id": "1"}}, "Dagster's to give"),
        ({"tags": {"a/b": "1"}}, "it must be a tag's name"),
    ],
)
def test_settings_that_azure_would_refuse_are_refused_before(azure: dict, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parsed(azure)
    assert said in refused.value.sentence()


def test_a_subnet_of_another_subscription_is_refused() -> None:
    other = "99999999-1111-2222-3333-444444444444"
    subnet = f"/subscriptions/{other}/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
    with pytest.raises(SettingsError, match="another subscription"):
        parsed({"network": {"subnetId": subnet}})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"organization": None}, "name an `organization`"),
        ({"registry": {"address": "ghcr.io/acme"}}, "logs in to Azure's own registries alone"),
        ({"agent": {"kind": "local"}}, "belong together"),
        ({"images": {"platforms": ["linux/arm64"]}}, "code runs on linux/amd64 alone"),
    ],
)
def test_what_does_not_go_with_azure_is_said(more: dict, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parsed(**more)


def test_each_right_is_an_operation_that_azure_has_and_none_is_a_wildcard() -> None:
    known = {line.lower() for line in OPERATIONS.read_text().splitlines() if line and not line.startswith("#")}
    rights = agent_rights(isolated=False)
    for right in rights:
        assert "*" not in right.action, f"{right.action} would grant what the agent does not do"
        assert right.action.lower() in known, f"{right.action} is none of Azure's: the role could not be made"
        assert right.why.endswith("."), "each has its reason"
    assert {right.scope for right in rights} == set(SCOPES), "each scope is a role"
    assert len({right.action for right in rights}) == len(rights), "once is enough"


def test_the_agent_may_read_no_secret_and_give_no_identity_but_codes() -> None:
    everywhere = " ".join(actions("resource-group", isolated=False))
    for forbidden in (
        "listSecrets",
        "getAuthToken",
        "/exec/",
        "roleAssignments",
        "assign/action",
        "Microsoft.KeyVault",
    ):
        assert forbidden not in everywhere, f"{forbidden} is not the launcher's to do"
    assert actions("code-identity", isolated=False) == [
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    ]


def test_the_clean_up_is_later_than_the_longest_start() -> None:
    for locations in (1, 10, 11, 60):
        of = timing(server_start=180, locations=locations)
        assert of.cleanup_grace > of.first_start, "servers of an agent that still starts would be deleted"
        assert of.locations_ready > of.first_start, "`up` would give up before the agent does"
    assert timing(server_start=180, locations=1) == timing(server_start=180, locations=10), (
        "one location more would restart the agent, and all code servers with it"
    )


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ({"cpu": "0.5", "memory": "1Gi"}, True),
        ({"cpu": "500m", "memory": "1024Mi"}, True),
        ({"cpu": "0.5", "memory": "2.0Gi"}, False),
        ({"cpu": "0.3", "memory": "0.6Gi"}, False),
        ({"cpu": "8", "memory": "16Gi"}, False),
        ({"cpu": "1"}, False),
        ({"cpu": "x", "memory": "y"}, False),
        ({}, True),
    ],
)
def test_a_locations_sizes_are_refused_before_its_image_is_built(size: dict, fits: bool) -> None:
    found = list(aca_rules({"server_resources": size, "run_resources": "text"}))
    assert (not found) is fits, "Azure would refuse the code server, some minutes later"
