"""What a stack in Azure may not be: open, reached by keys, all-powerful, unrecoverable, untagged."""

from __future__ import annotations

from typing import Any

import pytest

from agent.azure_names import STACK_TAG
from policies import azure_access, azure_keeping, retention, running, stack_tag
from policies.subjects import UNKNOWN
from tests.unit.policies.made import found, found_together, subject

pytestmark = pytest.mark.unit

ACCOUNT = "azure-native:storage:StorageAccount"
REGISTRY = "azure-native:containerregistry:Registry"
ENVIRONMENT = "azure-native:app:ManagedEnvironment"
RULE = "azure-native:network:SecurityRule"
GROUP = "azure-native:network:NetworkSecurityGroup"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
ROLE = "azure-native:authorization:RoleDefinition"
VAULT = "azure-native:keyvault:Vault"
APP = "azure-native:app:ContainerApp"
SUBSCRIPTION = "/subscriptions/00000000-1111-2222-3333-444444444444"


@pytest.mark.parametrize("kind", [ACCOUNT, "azure-native:storage/v20230101:StorageAccount"])
def test_an_account_forbids_public_containers_itself(kind: str) -> None:
    rule = azure_access.PUBLIC_ACCESS
    assert found(rule, subject(kind)), "some versions of the API allow them when nothing is said"
    assert found(rule, subject(kind, allowBlobPublicAccess=True)), "under each version of Azure's API"
    assert found(rule, subject(kind, allowBlobPublicAccess=False), subject(kind, allowBlobPublicAccess=UNKNOWN)) == []


def test_containers_registries_and_environments_are_for_nobody_outside() -> None:
    rule = azure_access.PUBLIC_ACCESS
    container = "azure-native:storage:BlobContainer"
    assert found(rule, subject(container, publicAccess="Blob"))
    assert found(rule, subject(container, publicAccess="Container"))
    assert found(rule, subject(container, publicAccess="None"), subject(container)) == []
    assert found(rule, subject(REGISTRY, anonymousPullEnabled=True))
    assert found(rule, subject(REGISTRY)) == []
    assert found(rule, subject(ENVIRONMENT)), "without a network of one's own it has an address in the internet"
    assert found(rule, subject(ENVIRONMENT, vnetConfiguration={"infrastructureSubnetId": "x"}))
    assert found(rule, subject(ENVIRONMENT, vnetConfiguration={"internal": True})) == []
    assert found(rule, subject(ENVIRONMENT, vnetConfiguration=UNKNOWN)) == [], "the update judges it"


@pytest.mark.parametrize("source", ["*", "Internet", "0.0.0.0/0", "128.0.0.0/1", "::/0"])
def test_no_way_in_is_open_to_the_internet(source: str) -> None:
    rule = {"direction": "Inbound", "access": "Allow", "sourceAddressPrefix": source}
    assert found(azure_access.PUBLIC_ACCESS, subject(RULE, **rule))
    assert found(azure_access.PUBLIC_ACCESS, subject(GROUP, securityRules=[rule]))
    several = {**rule, "sourceAddressPrefix": None, "sourceAddressPrefixes": ["10.0.0.0/8", source]}
    assert found(azure_access.PUBLIC_ACCESS, subject(GROUP, securityRules=[several]))


@pytest.mark.parametrize(
    "changed", [{"direction": "Outbound"}, {"access": "Deny"}, {"sourceAddressPrefix": "VirtualNetwork"}]
)
def test_ways_out_refusals_and_networks_pass(changed: dict[str, str]) -> None:
    rule = {"direction": "Inbound", "access": "Allow", "sourceAddressPrefix": "*", **changed}
    assert found(azure_access.PUBLIC_ACCESS, subject(RULE, **rule), subject(GROUP, securityRules=[rule])) == []


def test_nobody_holds_a_key() -> None:
    rule = azure_access.KEYS
    assert found(rule, subject(ACCOUNT)), "Azure takes account keys unless it is told not to"
    assert found(rule, subject(ACCOUNT, allowSharedKeyAccess=True))
    assert found(rule, subject(ACCOUNT, allowSharedKeyAccess=False), subject(REGISTRY, adminUserEnabled=False)) == []
    assert found(rule, subject(REGISTRY, adminUserEnabled=True))


@pytest.mark.parametrize("role", sorted(azure_access.BROAD_ROLES))
def test_a_role_that_may_do_all_is_not_given(role: str) -> None:
    id_ = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role.upper()}"
    scope = f"{SUBSCRIPTION}/resourceGroups/g"
    (said,) = found(azure_access.ROLES, subject(ASSIGNMENT, roleDefinitionId=id_, scope=scope))
    assert azure_access.BROAD_ROLES[role] in said, "people know it by its name"


@pytest.mark.parametrize(
    ("scope", "passes"),
    [
        (SUBSCRIPTION, False),
        (f"{SUBSCRIPTION}/", False),
        ("/", False),
        ("/providers/Microsoft.Management/managementGroups/root", False),
        (f"{SUBSCRIPTION}/resourceGroups/g", True),
        (f"{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/secrets/s", True),
    ],
)
def test_no_role_reaches_beyond_a_group(scope: str, passes: bool) -> None:
    assigned = subject(ASSIGNMENT, roleDefinitionId="/x/7f951dda-4ed3-4680-a7ca-43fe172d538d", scope=scope)
    assert (found(azure_access.ROLES, assigned) == []) is passes
    assert (found(azure_access.ROLES, subject(ROLE, assignableScopes=[scope])) == []) is passes


@pytest.mark.parametrize(
    ("action", "passes"),
    [
        ("*", False),
        ("*/write", False),
        ("Microsoft.Authorization/roleAssignments/write", False),
        ("Microsoft.Authorization/*", False),
        ("*/read", True),
        ("Microsoft.App/containerApps/write", True),
        ("Microsoft.Authorization/roleAssignments/read", True),
    ],
)
def test_a_role_of_the_stack_names_what_it_allows(action: str, passes: bool) -> None:
    for key in ("actions", "dataActions"):
        assert (found(azure_access.ROLES, subject(ROLE, permissions=[{key: [action]}])) == []) is passes


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        ("repo:acme/data:pull_request", True),
        ("repo:acme/data:environment:prod", True),
        ("system:serviceaccount:dagster:agent", True),
        ("repo:acme/*:pull_request", False),
        ("repo:*", False),
        ("*", False),
        ("repo:acme", False),
    ],
)
def test_an_identity_for_ci_says_whose_jobs(told: str, passes: bool) -> None:
    kind = "azure-native:managedidentity:FederatedIdentityCredential"
    assert (found(azure_access.TRUST, subject(kind, subject=told)) == []) is passes, told


def test_what_is_deleted_in_a_vault_can_be_brought_back_and_roles_alone_say_who_may() -> None:
    def said(**properties: Any) -> list[str]:
        return found(azure_keeping.VAULTS, subject(VAULT, properties={"enableRbacAuthorization": True, **properties}))

    assert said() == [], "soft delete is Azure's default"
    assert said(enableSoftDelete=False)
    assert said(enableRbacAuthorization=False)
    assert found(azure_keeping.VAULTS, subject(VAULT, properties=UNKNOWN)) == []


def test_a_vault_with_keys_cannot_be_purged() -> None:
    key = subject("azure-native:keyvault:Key", "key", vaultName="v")

    def vault(**properties: Any) -> Any:
        return subject(VAULT, "vault", vaultName="v", properties=properties)

    assert found_together(azure_keeping.PURGE, vault(), key)
    assert found_together(azure_keeping.PURGE, vault(enablePurgeProtection=True), key) == []
    assert found_together(azure_keeping.PURGE, vault()) == [], "a token is made anew"


def test_nothing_travels_in_the_clear() -> None:
    rule = azure_keeping.TRANSIT
    assert found(rule, subject(ACCOUNT, enableHttpsTrafficOnly=False))
    assert found(rule, subject(ACCOUNT, minimumTlsVersion="TLS1_0"))
    assert found(rule, subject(ACCOUNT), subject(ACCOUNT, minimumTlsVersion="TLS1_2")) == []


def test_an_account_keeps_what_is_deleted() -> None:
    account = subject(ACCOUNT, "account", accountName="a")

    def blobs(name: str, policy: Any) -> Any:
        kind = "azure-native:storage:BlobServiceProperties"
        return subject(kind, "blobs", accountName=name, deleteRetentionPolicy=policy)

    assert found_together(azure_keeping.RECOVERY, account), "nothing says it"
    assert found_together(azure_keeping.RECOVERY, account, blobs("other", {"enabled": True})), "another account's"
    assert found_together(azure_keeping.RECOVERY, account, blobs("a", {"enabled": False}))
    assert found_together(azure_keeping.RECOVERY, account, blobs("a", {"enabled": True})) == []


@pytest.mark.parametrize(("days", "passes"), [(30, True), (None, False), (-1, False), (0, False), (UNKNOWN, True)])
def test_a_workspace_says_how_long_it_keeps_lines(days: Any, passes: bool) -> None:
    workspace = subject("azure-native:operationalinsights:Workspace", retentionInDays=days)
    assert (found(retention.LOGS, workspace) == []) is passes


def app(**container: Any) -> Any:
    return subject(APP, template={"containers": [{"image": "x.azurecr.io/a@sha256:" + "0" * 64, **container}]})


def test_what_a_container_app_runs_is_named_by_digest() -> None:
    assert found(running.IMAGES, app(image="x.azurecr.io/a:latest"))
    assert found(running.IMAGES, app(), app(image="docker.io/dagster/dagster-cloud-agent:1.13.27")) == []
    assert found(running.IMAGES, app(image="docker.io/dagster/dagster-cloud-agent:latest"))
    side = subject(APP, template={"initContainers": [{"image": "busybox"}]})
    assert found(running.IMAGES, side), "what runs first, too"


def test_no_secret_is_in_an_app_or_a_job_in_plain() -> None:
    for kind in (APP, "azure-native:app:Job"):
        held = subject(kind, template={"containers": [{"env": [{"name": "DB_PASSWORD", "value": "swordfish-1"}]}]})
        (said,) = found(running.SECRETS, held)
        assert "DB_PASSWORD" in said
        assert "swordfish" not in said, "values are never shown"
    assert found(running.SECRETS, app(env=[{"name": "DB_PASSWORD", "secretRef": "db"}])) == []


def test_everything_in_azure_bears_the_stack_s_tag() -> None:
    assert stack_tag.AZURE_TAG == STACK_TAG, "the tag that agent/ puts on"
    assert found(stack_tag.TAGS, subject(ACCOUNT))
    assert found(stack_tag.TAGS, subject(ACCOUNT, tags={"team": "data"}))
    assert found(stack_tag.TAGS, subject(ACCOUNT, tags={STACK_TAG: "prod"}), subject(ASSIGNMENT)) == []
    assert found(stack_tag.TAGS, subject(ACCOUNT, tags=UNKNOWN)) == []
