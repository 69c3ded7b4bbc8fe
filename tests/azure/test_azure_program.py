"""The program of an Azure stack under a strict recorder, which refuses inputs that the SDK's own classes do not know:
which resources it declares for which settings, who waits for whom, who may do what, and where the agent's token goes.

Azure's provider is not asked: that Azure accepts it, only an account can prove.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from agent.azure_roles import agent_rights
from hybrid.workspace import Workspace
from stacks.azure import AzurePlatform
from stacks.azure_facts import AzureFacts
from stacks.identity import StackIdentity
from stacks.images import registry_address
from stacks.platforms import platform_of
from stacks.served import served_locations
from stacks.settings import parse
from stacks.stack import HybridStack
from tests.azure.answers import ANSWERS, OURS, SUBSCRIPTION, TENANT, TOKEN
from tests.unit.infra import recording

pytestmark = [pytest.mark.program]

NATIVE = "azure-native:"
PLACE = {"subscription": SUBSCRIPTION, "location": "westeurope"}
BASE = {"organization": "acme", "agent": {"kind": "azure"}, "locations": ["hello"]}


def identity(azure: Mapping[str, Any] | None = None, **settings: Any) -> StackIdentity:
    values = {**BASE, **settings, "azure": {**PLACE, **(azure or {})}}
    return StackIdentity.of("prod", parse(values, stack="prod", source="x"), Workspace.of_this_checkout())


def record(azure: Mapping[str, Any] | None = None, *, preview: bool = False, **settings: Any) -> recording.Record:
    workspace, who = Workspace.of_this_checkout(), identity(azure, **settings)
    (folder,) = served_locations(workspace, who)
    folder = replace(folder, container_context={})
    facts = AzureFacts(who)

    def build() -> None:
        platform = AzurePlatform(who, workspace, who.settings.agent, (folder,), facts.names, facts.azure)
        HybridStack(who, workspace, (folder,), platform).build()

    return recording.run(build, answers=ANSWERS, preview=preview)


@pytest.fixture(scope="module")
def default() -> recording.Record:
    return record()


def container(made: recording.Record) -> dict[str, Any]:
    (found,) = made.named("agent-app").inputs["template"]["containers"]
    return found


def launcher(made: recording.Record) -> dict[str, Any]:
    settings = next(each["value"] for each in container(made)["env"] if each["name"] == "HYBRID_DAGSTER_YAML")
    return yaml.safe_load(settings)["user_code_launcher"]["config"]


def assigned(made: recording.Record) -> dict[tuple[str, str], str]:
    """By whom and role, on what."""
    found = made.of(f"{NATIVE}authorization:RoleAssignment")
    return {
        (each.inputs["principalId"], each.inputs["roleDefinitionId"].rpartition("/")[2]): each.inputs["scope"]
        for each in found
    }


def test_the_token_is_a_secret_everywhere_and_a_text_nowhere(default) -> None:
    for made in default.resources:
        shown = {name: value for name, value in made.inputs.items() if name not in made.secret}
        assert TOKEN not in json.dumps(shown, default=str), f"{made.name} has the agent's token in plain"
    assert "properties" in default.named("token-secret").secret, "in Pulumi's state it is ciphertext"
    (secret,) = default.named("agent-app").inputs["configuration"]["secrets"]
    assert secret["keyVaultUrl"].startswith("https://"), "the app has where it lies, not what it is"
    assert secret["identity"].endswith("/hybrid-prod-agent"), "and reads it by the agent's identity"
    assert "template" not in default.named("agent-app").secret, "people see in a preview what of the agent changes"
    shared_key = "shared-key-of-the-workspace"
    for made in default.resources:
        shown = {name: value for name, value in made.inputs.items() if name not in made.secret}
        assert shared_key not in json.dumps(shown, default=str), f"{made.name} has the workspace's key in plain"


def test_people_are_warned_that_the_launcher_writes_the_token_into_apps_and_jobs(default) -> None:
    assert any("plain text" in warning for warning in default.warnings), "nobody would look for it there"


def test_the_agent_starts_when_its_rights_and_its_way_out_stand_and_goes_before_them(default) -> None:
    waits = default.named("agent-app").options.depends_on
    rights = {each.name for each in default.of(f"{NATIVE}authorization:RoleAssignment")}
    assert rights <= waits, "an agent that starts before is denied what it asks first"
    assert "azure-drain" in waits, "what the agent leaves behind is removed after it"
    drain = default.named("azure-drain").options.depends_on
    assert "ground-environment" in drain, "and before the environment, which does not go while apps are in it"
    assert rights <= drain, "an agent that is stopping still needs its rights"


def test_the_agent_and_code_are_two_identities_with_no_right_in_common(default) -> None:
    agent, code = "principal-of-hybrid-prod-agent", "principal-of-hybrid-prod-code"
    given = assigned(default)
    assert {who for who, _ in given} == {agent, code}
    scopes = {what: scope for (who, what), scope in given.items() if who == code}
    (values,) = [scope for scope in scopes.values() if "/containers/" in scope]
    assert values.endswith("/containers/asset-values"), "code reads and writes values, and no other container"
    assert len(scopes) == 2, "that, and the images; nothing else"
    assert launcher(default)["identity_id"].endswith("/hybrid-prod-code"), "what the agent gives to code"
    assert "AZURE_CLIENT_ID=client-of-hybrid-prod-code" in launcher(default)["env_vars"]
    own = {each["name"]: each.get("value") for each in container(default)["env"]}
    assert own["AZURE_CLIENT_ID"] == "client-of-hybrid-prod-agent"
    secrets = [scope for (who, _), scope in given.items() if who == agent and "/secrets/" in scope]
    assert len(secrets) == 1, "one secret, not all of the vault's"


def test_each_right_of_the_agent_is_in_one_role_at_its_own_scope(default) -> None:
    roles = {each.id.rpartition("/")[2]: each for each in default.of(f"{NATIVE}authorization:RoleDefinition")}
    assert len(roles) == 3
    at = {what: scope for (who, what), scope in assigned(default).items() if who.endswith("-agent") and what in roles}
    ends = {
        "resource-group": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hybrid-prod",
        "environment": "/managedEnvironments/hybrid-prod",
        "code-identity": "/userAssignedIdentities/hybrid-prod-code",
    }
    rights = agent_rights(isolated=True)
    for right in rights:
        (where,) = [
            at[guid] for guid, role in roles.items() if right.action in role.inputs["permissions"][0]["actions"]
        ]
        assert where.endswith(ends[right.scope]), f"{right.action} holds elsewhere than its reason says"
    granted = [action for role in roles.values() for action in role.inputs["permissions"][0]["actions"]]
    assert sorted(granted) == sorted(right.action for right in rights), "no role has more"


def test_everything_is_made_by_the_provider_of_the_named_subscription_and_bears_the_stacks_tag(default) -> None:
    provider = default.only("pulumi:providers:azure-native").inputs
    assert provider["subscriptionId"] == SUBSCRIPTION
    natives = [made for made in default.resources if made.token.startswith(NATIVE)]
    assert natives
    for made in natives:
        assert made.options.provider == "azure", f"{made.name} would be made where the shell's login is"
        if "location" in made.inputs:
            assert made.inputs["tags"]["dagster-hybrid-stack"] == "hybrid-prod", f"{made.name} is nobody's"


def test_nothing_of_the_stack_can_be_reached_from_outside(default) -> None:
    environment = default.named("ground-environment").inputs
    assert environment["vnetConfiguration"]["internal"] is True
    assert "ingress" not in default.named("agent-app").inputs["configuration"], "the agent takes no calls"
    account = default.named("storage-account").inputs
    assert account["allowBlobPublicAccess"] is False
    assert account["allowSharedKeyAccess"] is False, "a key would be a right without an identity"
    assert default.named("registry-registry").inputs["adminUserEnabled"] is False
    assert default.named("token-vault").inputs["properties"]["enableRbacAuthorization"] is True


def test_one_agent_is_up_and_is_replaced_by_revision(default) -> None:
    app = default.named("agent-app").inputs
    assert app["template"]["scale"] == {"minReplicas": 1, "maxReplicas": 1}
    assert app["configuration"]["activeRevisionsMode"] == "Single"
    assert default.named("ready").inputs["triggers"] == {"agent": "hybrid-prod-agent--0000001"}, (
        "a new one is waited for"
    )


def test_values_outlive_the_stack_and_so_does_the_group_that_holds_them() -> None:
    kept = record()
    for name in ("storage-account", "storage-container", "group"):
        assert kept.named(name).options.retain_on_delete, f"Azure would delete the values with {name}"
    gone = record({"storage": {"keep": False}})
    assert not gone.named("group").options.retain_on_delete


def test_output_of_steps_goes_to_a_container_of_its_own_that_code_may_write() -> None:
    made = record(agent={"kind": "azure", "computeLogs": "container"})
    containers = {each.inputs["containerName"] for each in made.of(f"{NATIVE}storage:BlobContainer")}
    assert containers == {"asset-values", "compute-logs"}
    assert made.named("storage-compute-logs").options.retain_on_delete, "it stays with the account"
    scopes = [each.inputs["scope"] for each in made.of(f"{NATIVE}authorization:RoleAssignment")]
    (logs,) = [scope for scope in scopes if "compute-logs" in scope]
    (granted,) = [e for e in made.of(f"{NATIVE}authorization:RoleAssignment") if e.inputs["scope"] == logs]
    assert granted.inputs["principalId"] == "principal-of-hybrid-prod-code", "runs write it, not the agent"
    text = next(each["value"] for each in container(made)["env"] if each["name"] == "HYBRID_DAGSTER_YAML")
    told = yaml.safe_load(text)["compute_logs"]
    assert told["class"] == "AzureBlobComputeLogManager"
    assert told["config"]["container"] == "compute-logs"
    assert told["config"]["storage_account"] == made.named("storage-account").inputs["accountName"]
    usual = record()
    assert len(usual.of(f"{NATIVE}storage:BlobContainer")) == 1, "nothing is made that nobody asked for"
    there = record({"storage": {"account": "acmevalues"}}, agent={"kind": "azure", "computeLogs": "container"})
    scopes = [each.inputs["scope"] for each in there.of(f"{NATIVE}authorization:RoleAssignment")]
    assert any(each.endswith("/acmevalues/blobServices/default/containers/compute-logs") for each in scopes)


def test_what_is_there_already_is_used_and_not_made() -> None:
    network = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
    )
    registry = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/Acme1"
    given = {
        "resourceGroup": "team-data",
        "tenant": TENANT,
        "network": {"subnetId": network},
        "registry": {"id": registry, "path": "data"},
        "storage": {"account": "acmevalues", "resourceGroup": "stores", "container": "values"},
    }
    made = record(given)
    kinds = set(made.counts())
    for kind in (
        "resources:ResourceGroup",
        "network:VirtualNetwork",
        "storage:StorageAccount",
        "storage:BlobContainer",
    ):
        assert f"{NATIVE}{kind}" not in kinds, f"a second {kind} would be made"
    assert f"{NATIVE}containerregistry:Registry" not in kinds
    assert registry_address(identity(given)) == "acme1.azurecr.io/data"
    scopes = set(assigned(made).values())
    assert registry in scopes, "its images can be pulled"
    assert any("/resourceGroups/stores/" in scope and scope.endswith("/containers/values") for scope in scopes)
    assert made.named("ground-environment").inputs["vnetConfiguration"]["infrastructureSubnetId"] == network


def test_an_agent_image_of_the_stacks_registry_is_pulled_by_the_agents_identity() -> None:
    registry = registry_address(identity()).partition("/")[0]
    made = record(agent={"kind": "azure", "image": f"{registry}/agent@sha256:{'b' * 64}"})
    (login,) = made.named("agent-app").inputs["configuration"]["registries"]
    assert login["server"] == registry
    assert login["identity"].endswith("/hybrid-prod-agent")
    pulls = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    assert ("principal-of-hybrid-prod-agent", pulls) in assigned(made), "without it the app gets no image"
    assert ("principal-of-hybrid-prod-agent", pulls) not in assigned(record()), "and it has it only then"


def test_one_address_to_the_outside_is_made_when_it_is_wanted() -> None:
    made = record({"network": {"nat": True}})
    assert made.named("network-subnet").inputs["natGateway"]["id"].endswith("/natGateways/hybrid-prod-out")
    assert not record().of(f"{NATIVE}network:NatGateway"), "it costs by the hour"


def test_images_are_built_for_the_processor_that_azure_has(default) -> None:
    assert default.named("hello-image").inputs["platforms"] == ["linux/amd64"], "wherever they are built"
    assert "registry-registry" in default.named("hello-image").options.depends_on, "there must be a place to push"
    document = default.named("hello-location").inputs["document"]
    assert document["image"].partition("/")[0].endswith(".azurecr.io"), "the launcher logs in to no other registry"


def test_an_agent_is_told_of_a_location_when_container_apps_can_launch_its_image(default) -> None:
    check = default.named("hello-launch")
    image = default.named("hello-location").inputs["document"]["image"]
    assert (check.inputs["location"], check.inputs["image"]) == ("hello", image), "the very image that it is told"
    assert "hello-launch" in default.named("hello-location").options.depends_on


def test_a_preview_of_nothing_says_all_resources() -> None:
    assert record(preview=True).counts()[f"{OURS}AgentReady"] == 1, "no output is known yet, and nothing may need one"


def test_an_agent_that_is_not_isolated_ends_runs_itself_and_may_do_so() -> None:
    made = record(agent={"kind": "azure", "isolated": False})
    (launchers,) = [each for each in made.of(f"{NATIVE}authorization:RoleDefinition") if "launcher" in each.name]
    assert {"Microsoft.App/jobs/stop/action", "Microsoft.App/jobs/delete"} <= {
        *launchers.inputs["permissions"][0]["actions"]
    }


def test_beside_serverless_the_agent_takes_no_work_and_by_queue_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**settings: Any) -> dict[str, Any]:
        workspace, who = Workspace.of_this_checkout(), identity(**settings)
        facts = AzureFacts(who)
        (folder,) = served_locations(workspace, who)

        def of(who: StackIdentity, _: Any, spec: Any, folders: Any) -> AzurePlatform:
            return AzurePlatform(who, workspace, spec, folders, facts.names, facts.azure)

        monkeypatch.setattr(AzurePlatform, "of", of)
        folder = replace(folder, container_context={})

        def build() -> None:
            HybridStack(who, workspace, (folder,), platform_of(who, workspace, (folder,))).build()

        made = recording.run(build, answers=ANSWERS, preview=False)
        text = next(each["value"] for each in container(made)["env"] if each["name"] == "HYBRID_DAGSTER_YAML")
        return yaml.safe_load(text)

    beside = told(phase="standby")
    assert beside["agent_queues"] == {"include_default_queue": False, "additional_queues": ["hybrid-standby"]}
    assert beside["allowed_full_deployment_locations"] == {"prod": []}
    by_queue = told(phase="standby", ownQueue={"name": "hybrid"})
    assert by_queue["agent_queues"] == {"include_default_queue": False, "additional_queues": ["hybrid"]}
    assert told()["agent_queues"]["include_default_queue"], "after the hand-over"
