"""The policy pack and the program of an Azure stack: the stack keeps every rule without an exception, and each rule
sees a program that breaks it. The program is recorded; Pulumi's engine with the pack is in tests/aws."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from policies import rules, stack_tag, tables
from policies.subjects import UNKNOWN, Subject
from tests.azure.test_azure_program import record
from tests.unit.infra.recording import Record

pytestmark = [pytest.mark.program]

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
PLAIN = {"name": "X_TOKEN", "value": "swordfish-1"}

CHANGED: list[tuple[str, str, tuple[Any, ...], Any]] = [
    ("azure-public-access", "storage:StorageAccount", ("allowBlobPublicAccess",), True),
    ("azure-public-access", "storage:BlobContainer", ("publicAccess",), "Blob"),
    ("azure-public-access", "app:ManagedEnvironment", ("vnetConfiguration", "internal"), False),
    ("azure-public-access", "containerregistry:Registry", ("anonymousPullEnabled",), True),
    ("azure-account-keys", "storage:StorageAccount", ("allowSharedKeyAccess",), True),
    ("azure-account-keys", "containerregistry:Registry", ("adminUserEnabled",), True),
    ("azure-broad-roles", "authorization:RoleAssignment", ("roleDefinitionId",), OWNER),
    ("azure-broad-roles", "authorization:RoleDefinition", ("permissions",), [{"actions": ["*"]}]),
    ("azure-vaults", "keyvault:Vault", ("properties", "enableSoftDelete"), False),
    ("azure-in-transit", "storage:StorageAccount", ("minimumTlsVersion",), "TLS1_0"),
    ("azure-blob-recovery", "storage:BlobServiceProperties", ("deleteRetentionPolicy", "enabled"), False),
    ("log-retention", "operationalinsights:Workspace", ("retentionInDays",), None),
    ("stack-tag", "keyvault:Secret", ("tags",), {}),
    ("image-by-digest", "app:ContainerApp", ("template", "containers", 0, "image"), "acme/agent:latest"),
    ("plain-secrets", "app:ContainerApp", ("template", "containers", 0, "env", 0), PLAIN),
]  # fmt: skip
"""A rule, and the property of the stack's program that breaks it when it has this value."""

ADDED = {
    "azure-federated-subject": ("managedidentity:FederatedIdentityCredential", {"subject": "repo:acme/*"}),
    "azure-key-purge": ("keyvault:Key", {"vaultName": UNKNOWN}),
}
"""A rule, and the resource that breaks it in the stack's program, which has none of its kind."""


@pytest.fixture(scope="module")
def stack() -> list[Subject]:
    return subjects(record(azure={"network": {"nat": True}}))


def subjects(made: Record) -> list[Subject]:
    """As the pack sees them, with what each property comes from taken from names."""
    return [
        Subject(each.token, each.name, f"urn:pulumi:prod::hybrid::{each.token}::{each.name}", deepcopy(each.inputs))
        for each in made.resources
    ]


def findings(stack: Sequence[Subject]) -> set[tuple[str, str]]:
    single = {
        (rule.name, each.name)
        for rule in rules.RESOURCE_RULES
        for each in stack
        if rule.applies_to(each) and list(rule.check(each))
    }
    return single | {(rule.name, each.name) for rule in rules.STACK_RULES for each, _ in rule.check(stack)}


def test_the_stack_keeps_every_rule(stack) -> None:
    assert {each.kind for each in stack} > {"azure-native:storage:StorageAccount", "azure-native:app:ContainerApp"}
    assert findings(stack) == set()


@pytest.mark.parametrize(("rule", "kind", "path", "value"), CHANGED)
def test_a_program_that_breaks_a_rule_is_seen(stack, rule: str, kind: str, path: tuple[Any, ...], value: Any) -> None:
    broken = [replace(each, properties=deepcopy(each.properties)) for each in stack]
    target = next(each for each in broken if each.kind == f"azure-native:{kind}")
    place: Any = target.properties
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert rule in {name for name, _ in findings(broken)}, f"{target} with {path} {value!r}"


@pytest.mark.parametrize("rule", ADDED)
def test_a_program_with_a_resource_that_breaks_a_rule_is_seen(stack, rule: str) -> None:
    token, properties = ADDED[rule]
    vault = next(each for each in stack if each.kind == "azure-native:keyvault:Vault")
    made_from = {"vaultName": frozenset({vault.urn})} if "vaultName" in properties else {}
    kind = f"azure-native:{token}"
    added = Subject(kind, "added", f"urn:pulumi:prod::hybrid::{kind}::added", properties, refers_to=made_from)
    assert rule in {name for name, _ in findings([*stack, added])}


def test_no_rule_of_azure_is_without_a_program_that_breaks_it() -> None:
    ours = {rule.name for rule in rules.RULES if rule.name.startswith("azure-")}
    shown = {rule for rule, *_ in CHANGED if rule in ours} | set(ADDED)
    assert shown == ours, "a rule that was never red may not work"


JUDGED = sorted(
    {
        (kind, key)
        for rule in rules.RESOURCE_RULES
        for kind, keys in rule.judges.items()
        for key in keys
        if kind.startswith("azure-native:")
    }
)


@pytest.mark.parametrize(("kind", "key"), JUDGED, ids=[f"{kind}.{key}" for kind, key in JUDGED])
def test_what_a_rule_looks_at_is_a_property_of_the_sdk(kind: str, key: str) -> None:
    _, module, name = kind.split(":")
    made = getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name)
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
    assert snake in inspect.signature(made._internal_init).parameters, (
        f"{kind} has no {key}: the rule would see nothing"
    )


def test_the_table_of_types_is_what_the_sdk_has() -> None:
    assert stack_tag.AZURE_TABLE.read_text(encoding="utf-8") == tables.taggable_azure_types(), (
        "run `python -m policies.tables taggable-azure > policies/taggable_azure_types.txt`"
    )
