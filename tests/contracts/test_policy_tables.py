"""What the policy pack looks things up in, held against what AWS and Pulumi publish; and the stack's own statements
against the rules."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable

import pytest

from agent import ecs_policies, iam_reference
from agent.ecs_grants import NamedByLocations
from infra.repository import login_statement
from infra.statements import Statement, policy_text
from policies import iam, rules, stack_tag, tables
from policies.subjects import Subject
from tests.standins.iam import reference

pytestmark = pytest.mark.contracts


def test_the_table_of_actions_is_what_aws_s_reference_says() -> None:
    assert iam.TABLE.read_text(encoding="utf-8") == tables.actions_without_resource(), (
        "run `python -m policies.tables actions > policies/actions_without_resource.txt`, and read the difference: an "
        "action that takes a resource by now can be narrowed"
    )


@pytest.mark.timeout(120)
def test_the_table_of_types_is_what_the_sdk_has() -> None:
    assert stack_tag.TABLE.read_text(encoding="utf-8") == tables.taggable_types(), (
        "run `python -m policies.tables taggable > policies/taggable_types.txt`"
    )


@pytest.mark.parametrize("narrowed", iam.NARROWED_OTHERWISE, ids=lambda each: each.action)
def test_what_is_narrowed_otherwise_takes_a_resource_and_knows_its_condition(narrowed: iam.NarrowedOtherwise) -> None:
    action = reference.action(narrowed.action)
    assert action is not None, "an action of AWS"
    assert action.forms, "else it would pass by the table, and need no reason"
    if narrowed.condition:
        assert action.knows(narrowed.condition, set()), "else the condition would never hold"


JUDGED = sorted(
    {
        (kind, key)
        for rule in rules.RESOURCE_RULES
        for kind, keys in rule.judges.items()
        for key in keys
        if kind.startswith("aws:")
    }
)


@pytest.mark.parametrize(("kind", "key"), JUDGED, ids=[f"{kind}.{key}" for kind, key in JUDGED])
def test_what_a_rule_looks_at_is_a_property_of_the_sdk(kind: str, key: str) -> None:
    module, name = kind.split(":")[1].split("/")[0], kind.split(":")[2]
    made = getattr(importlib.import_module(f"pulumi_aws.{'lambda_' if module == 'lambda' else module}"), name)
    assert getattr(made, "pulumi_type", kind) == kind, "the token"
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
    assert snake in inspect.signature(made._internal_init).parameters, (
        f"{kind} has no {key}: the rule would see nothing"
    )


def of_the_stack() -> Iterable[Statement]:
    """Every statement of the stack's own roles, with all that options add."""
    options = {
        "exec_enabled": True,
        "named": NamedByLocations(secrets_tags=("dagster",)),
        "key_arns": ("arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",),
    }
    own = iam_reference._example(**options)
    other = iam_reference._example(
        **options, service_discovery_role_arn=iam_reference._MAP_ROLE, namespace_arn=iam_reference._DISTANT
    )
    for scope in (own, other):
        yield from ecs_policies.agent_statements(scope)
        yield from ecs_policies.agent_execution_statements(scope)
        yield from ecs_policies.code_statements(scope)
        yield from ecs_policies.code_execution_statements(scope)
        yield from ecs_policies.service_discovery_statements(scope)
    yield login_statement()


def test_every_statement_of_the_stack_passes_without_an_exception() -> None:
    statements = list(of_the_stack())
    assert any("*" in statement.resources for statement in statements), "or there would be nothing to pass"
    for statement in statements:
        policy = Subject(
            "aws:iam/rolePolicy:RolePolicy", statement.sid, properties={"policy": policy_text([statement])}
        )
        for rule in (iam.STAR_ACTIONS, iam.STAR_RESOURCES, iam.INVERTED):
            assert list(rule.check(policy)) == [], f"{statement.sid} by {rule.name}"


def test_a_statement_of_the_stack_without_its_condition_would_not_pass() -> None:
    """It is the condition that lets it pass, and not its name."""
    listing = next(each for each in of_the_stack() if "ecs:ListTasks" in each.actions)
    bare = json.dumps({"Statement": [{key: it for key, it in listing.document().items() if key != "Condition"}]})
    policy = Subject("aws:iam/rolePolicy:RolePolicy", "bare", properties={"policy": bare})
    assert list(iam.STAR_RESOURCES.check(policy)), "every task of the account could be listed"
