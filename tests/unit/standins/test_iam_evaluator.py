"""The stand-in for IAM: its language, by cases from AWS's own pages, and how a call becomes requests.

Its table of calls is held against AWS's reference in tests/contracts/test_iam_table.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.standins.iam import AuthorizationRequest, Evaluator, StaticFacts, TaskDefinition, UnknownCall, requests_of
from tests.standins.iam.conditions import UnknownOperator, fulfilled
from tests.standins.iam.language import judge, trusts

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::123456789012:role/agent"
SERVICE = "arn:aws:ecs:eu-central-1:123456789012:service/main/web"
BUCKET = "arn:aws:s3:::data"
FACTS = StaticFacts("123456789012", "eu-central-1")


def policy(*statements: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Version": "2012-10-17", "Statement": [_whole(statement) for statement in statements]}


def _whole(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    action = {} if "NotAction" in statement else {"Action": "ecs:*"}
    resource = {} if "NotResource" in statement else {"Resource": "*"}
    return {"Effect": "Allow", **action, **resource, **statement}


def may(*statements: Mapping[str, Any], action: str = "ecs:DeleteService", on: str = SERVICE, **context: Any) -> bool:
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    return judge([policy(*statements)], action, on, keys).allowed


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Action": "ECS:deleteservice"}, True),
        ({"Action": ["ecs:ListServices", "ecs:Delete*"]}, True),
        ({"Action": "ecs:DeleteServic?"}, True),
        ({"Action": "s3:*"}, False),
        ({"NotAction": "ecs:Create*"}, True),
        ({"NotAction": ["ecs:Delete*"]}, False),
        ({"Resource": SERVICE}, True),
        ({"Resource": SERVICE.upper()}, False),
        ({"Resource": "arn:aws:ecs:*:*:service/main/*"}, True),
        ({"Resource": "arn:aws:ecs:*:service/main/*"}, False),
        ({"Resource": "arn:aws:ecs:eu-central-1:123456789012:service/other/*"}, False),
        ({"NotResource": "arn:aws:ecs:*:*:service/other/*"}, True),
        ({"NotResource": "arn:aws:ecs:*:*:service/main/*"}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_an_action_on_a_resource(statement: Mapping[str, Any], allowed: bool) -> None:
    assert may(statement) is allowed


def test_an_explicit_deny_wins_over_every_allow() -> None:
    assert not may({}, {"Effect": "Deny", "Action": "ecs:Delete*"}), "whatever else allows it"
    assert may({}, {"Effect": "Deny", "Action": "ecs:Create*"}), "and denies nothing beside it"


def test_nothing_is_allowed_that_no_statement_names() -> None:
    verdict = judge([], "ecs:DeleteService", SERVICE, {})
    assert not verdict.allowed, "the default is no"
    assert "no identity-based policy allows the ecs:DeleteService action" in verdict.because, "in AWS's own words"


KEY = "aws:ResourceTag/team"
HELD: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", ["x", "a"], "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringEqualsIgnoreCase", "a", "A", True),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", "a", None, True),
    ("StringLike", "a*", "abc", True),
    ("StringLike", "a?", "abc", False),
    ("StringNotLike", "a*", "abc", False),
    ("ArnLike", "arn:aws:ecs:*:1:cluster/*", "arn:aws:ecs:eu-central-1:1:cluster/x", True),
    ("ArnEquals", "arn:aws:ecs:*:cluster/*", "arn:aws:ecs:eu-central-1:1:cluster/x", False),
    ("ArnNotLike", "arn:aws:ecs:*:1:cluster/*", "arn:aws:ecs:eu-central-1:2:cluster/x", True),
    ("ArnLikeIfExists", "arn:aws:ecs:*:1:cluster/*", None, True),
    ("Bool", "false", "false", True),
    ("Bool", False, "false", True),
    ("Bool", "false", "true", False),
    ("Bool", "true", None, False),
    ("Null", "true", None, True),
    ("Null", "false", None, False),
    ("Null", "false", "a", True),
    ("NumericLessThan", "1.2", "1.1", True),
    ("NumericLessThan", "1.2", "1.2", False),
    ("NumericGreaterThanEquals", "3", "3", True),
    ("NumericEquals", "3", "three", False),
    ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
    ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
    ("IpAddress", "10.0.0.0/8", "nowhere", False),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a"], ("a", "b"), False),
    ("ForAllValues:StringEquals", ["a"], None, True),
    ("ForAnyValue:StringEquals", ["a"], ("a", "b"), True),
    ("ForAnyValue:StringEquals", ["c"], ("a", "b"), False),
    ("ForAnyValue:StringEquals", ["a"], None, False),
    ("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True),
    ("ForAllValues:StringNotLike", ["a*"], ("b", "ab"), False),
]


@pytest.mark.parametrize(("operator", "wanted", "held", "holds"), HELD)
def test_a_condition(operator: str, wanted: Any, held: Any, holds: bool) -> None:
    context = {} if held is None else {KEY: held}
    assert fulfilled(operator, KEY.upper(), wanted, context) is holds, "keys have no case, values do"


def test_all_conditions_of_a_statement_have_to_hold() -> None:
    both = {"StringEquals": {"a:one": "1", "a:two": "2"}, "Null": {"a:three": "true"}}
    assert may({"Condition": both}, a__one="1", a__two="2")
    assert not may({"Condition": both}, a__one="1", a__two="3"), "keys of one operator are joined by and"
    assert not may({"Condition": both}, a__one="1", a__two="2", a__three="3"), "operators too"


@pytest.mark.parametrize("operator", ["DateEquals", "StringEqual", "ForSomeValues:StringEquals"])
def test_an_operator_that_is_not_known_is_an_error(operator: str) -> None:
    with pytest.raises(UnknownOperator):
        fulfilled(operator, KEY, "a", {KEY: "a"})


def test_variables_stand_for_values_of_the_request() -> None:
    own = {"Action": "s3:*", "Resource": f"{BUCKET}/${{aws:PrincipalTag/team}}/*"}
    ask = {"action": "s3:GetObject", "on": f"{BUCKET}/sales/x"}
    assert may(own, **ask, **{"aws:PrincipalTag/team": "sales"})
    assert not may(own, **ask, **{"aws:PrincipalTag/team": "hr"}), "another value is another path"
    assert not may(own, **ask), "without a value it matches nothing"
    star = {"Action": "s3:*", "Resource": f"{BUCKET}/${{*}}"}
    assert not may(star, **ask), "${*} is a star and no wildcard"
    assert may(star, action="s3:GetObject", on=f"{BUCKET}/*")
    default = {"Condition": {"StringEquals": {"a:b": "${a:c, 'x'}"}}}
    assert may(default, a__b="x"), "a variable may have a value of its own"


def test_a_boundary_has_to_allow_too() -> None:
    ask = ([policy({})], "ecs:DeleteService", SERVICE, {})
    assert judge(*ask, boundary=policy({"Action": "ecs:Delete*"})).allowed
    within = judge(*ask, boundary=policy({"Action": "s3:*"}))
    assert not within.allowed
    assert "permissions boundary" in within.because, "the reader has to learn which policy it was"
    assert not judge(*ask, boundary=policy({}, {"Effect": "Deny"})).allowed, "a boundary may deny"
    assert not judge([], *ask[1:], boundary=policy({})).allowed, "a boundary allows nothing by itself"


def resource_policy(who: Any, **more: Any) -> Mapping[str, Any]:
    return {"Statement": {"Effect": "Allow", "Principal": who, "Action": "s3:*", "Resource": f"{BUCKET}/*", **more}}


@pytest.mark.parametrize(
    ("of_the_role", "of_the_bucket", "allowed"),
    [
        (False, resource_policy({"AWS": ROLE}), True),
        (False, resource_policy("*"), True),
        (False, resource_policy({"AWS": "*"}), True),
        (False, resource_policy({"AWS": "arn:aws:iam::123456789012:root"}), False),
        (False, resource_policy({"AWS": "123456789012"}), False),
        (False, resource_policy({"AWS": "arn:aws:iam::123456789012:role/else"}), False),
        (False, resource_policy({"Service": "ecs-tasks.amazonaws.com"}), False),
        (True, resource_policy({"AWS": "arn:aws:iam::123456789012:root"}, Effect="Deny"), False),
        (True, resource_policy({"AWS": ROLE}, Effect="Deny"), False),
        (True, resource_policy({"AWS": "arn:aws:iam::123456789012:role/else"}, Effect="Deny"), True),
        (True, {"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"}}, True),
    ],
)
def test_a_resource_has_a_policy_of_its_own(of_the_role: bool, of_the_bucket: Mapping[str, Any], allowed: bool) -> None:
    facts = StaticFacts("123456789012", "eu-central-1", resource_policies={BUCKET: of_the_bucket})
    own = [policy({"Action": "s3:GetObject"})] if of_the_role else []
    decided = Evaluator(lambda role: own).decide(ROLE, "s3", "GetObject", {"Bucket": "data", "Key": "x"}, facts)
    assert decided.allowed is allowed, decided.reason


def test_a_boundary_is_no_fence_against_the_policy_of_a_resource_that_names_the_role() -> None:
    ask = ([], "s3:GetObject", f"{BUCKET}/x", {})
    named = resource_policy({"AWS": ROLE})
    assert judge(*ask, resource_policy=named, principal={"AWS": ROLE}).allowed


TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ]
}


@pytest.mark.parametrize(
    ("who", "context", "trusted"),
    [
        ({"Service": "ecs-tasks.amazonaws.com"}, {"aws:SourceAccount": "123456789012"}, True),
        ({"Service": "ecs-tasks.amazonaws.com"}, {"aws:SourceAccount": "999999999999"}, False),
        ({"Service": "ecs-tasks.amazonaws.com"}, {}, False),
        ({"Service": "ec2.amazonaws.com"}, {"aws:SourceAccount": "123456789012"}, False),
        ({"AWS": ROLE}, {"aws:SourceAccount": "123456789012"}, False),
    ],
)
def test_a_role_is_taken_by_whom_it_trusts(who: dict[str, str], context: dict[str, str], trusted: bool) -> None:
    assert trusts(TRUST, who, context).allowed is trusted


def test_taking_a_role_needs_the_grant_and_the_trust() -> None:
    target = "arn:aws:iam::123456789012:role/other"
    let_in = {"Statement": {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}}
    facts = StaticFacts("123456789012", "eu-central-1", trust_policies={target: let_in})
    granted = Evaluator(lambda role: [policy({"Action": "sts:AssumeRole", "Resource": target})])
    ask = ("sts", "AssumeRole", {"RoleArn": target, "RoleSessionName": "x"})
    assert granted.decide(ROLE, *ask, facts).allowed
    assert not granted.decide(ROLE, *ask, FACTS).allowed, "a role that does not exist trusts nobody"
    assert not granted.decide(ROLE.replace("agent", "else"), *ask, facts).allowed, "another is not trusted"
    assert not Evaluator(lambda role: []).decide(ROLE, *ask, facts).allowed, "trust alone is not enough here"


def test_a_call_that_the_table_lacks_is_denied_and_told() -> None:
    with pytest.raises(UnknownCall):
        requests_of("ecs", "CreateTaskSet", {}, FACTS)
    decided = Evaluator(lambda role: [policy({"Action": "*"})]).decide(ROLE, "ecs", "CreateTaskSet", {}, FACTS)
    assert decided.unknown, "a test has to see it"
    assert not decided.allowed, "what is not understood is not let through"


def test_a_call_that_needs_no_permission_is_allowed() -> None:
    assert Evaluator(lambda role: []).decide(ROLE, "sts", "GetCallerIdentity", {}, FACTS).allowed


def test_the_reason_is_written_as_aws_writes_it() -> None:
    decided = Evaluator(lambda role: []).decide(
        ROLE, "ecs", "DeleteService", {"cluster": "main", "service": "web"}, FACTS
    )
    assert decided.reason == (
        f"User: {ROLE} is not authorized to perform: ecs:DeleteService on resource: {SERVICE}"
        " because no identity-based policy allows the ecs:DeleteService action"
    )
    assert decided.denied_by is not None
    assert decided.denied_by.action == "ecs:DeleteService"


def actions(service: str, operation: str, params: Mapping[str, Any], facts: StaticFacts = FACTS) -> list[str]:
    return [f"{one.action} {one.resource.split(':', 5)[-1]}" for one in requests_of(service, operation, params, facts)]


RUN_ROLE, START_ROLE = "arn:aws:iam::123456789012:role/run", "arn:aws:iam::123456789012:role/start"
JOB = TaskDefinition("arn:aws:ecs:eu-central-1:123456789012:task-definition/job:3", RUN_ROLE, START_ROLE)
WITH_JOB = StaticFacts("123456789012", "eu-central-1", task_definitions={"job": JOB})


def test_running_a_task_passes_the_roles_of_its_definition() -> None:
    assert actions("ecs", "RunTask", {"cluster": "main", "taskDefinition": "job"}, WITH_JOB) == [
        "ecs:RunTask task-definition/job:3",
        "iam:PassRole role/run",
        "iam:PassRole role/start",
    ]


def test_an_override_passes_another_role() -> None:
    params = {"taskDefinition": JOB.arn, "overrides": {"taskRoleArn": ROLE}, "tags": [{"key": "a", "value": "b"}]}
    assert actions("ecs", "RunTask", params, WITH_JOB) == [
        "ecs:RunTask task-definition/job:3",
        "ecs:TagResource task/default/*",
        "iam:PassRole role/agent",
        "iam:PassRole role/start",
    ]


def test_a_role_is_passed_to_tasks_of_ecs() -> None:
    passed = requests_of("ecs", "RegisterTaskDefinition", {"family": "x", "taskRoleArn": ROLE}, FACTS)[-1]
    assert passed == AuthorizationRequest("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})


@pytest.mark.parametrize(
    "named",
    ["web", SERVICE, "arn:aws:ecs:eu-central-1:123456789012:service/web"],
    ids=["name", "long-arn", "short-arn"],
)
def test_a_service_is_known_by_its_long_arn(named: str) -> None:
    params = {"cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/main", "services": [named]}
    (asked,) = requests_of("ecs", "DescribeServices", params, FACTS)
    assert asked.resource == SERVICE, "a fence on the cluster in the ARN has to see it"


def test_tags_of_a_request_and_of_a_resource_are_keys() -> None:
    facts = StaticFacts("123456789012", "eu-central-1", tags_of={SERVICE: {"team": "sales"}})
    made = {
        "cluster": "main",
        "serviceName": "web",
        "taskDefinition": "x",
        "tags": [{"key": "a", "value": "b"}, {"key": "c"}],
    }
    service, tagging = requests_of("ecs", "CreateService", made, facts)
    assert service.context["aws:RequestTag/a"] == "b"
    assert service.context["aws:TagKeys"] == ("a", "c"), "a tag without a value is a key too"
    assert "aws:ResourceTag/team" not in service.context, "what is made has no tags yet"
    assert tagging.context["ecs:CreateAction"] == "CreateService"
    (removed,) = requests_of("ecs", "DeleteService", {"cluster": "main", "service": "web"}, facts)
    assert removed.context["aws:ResourceTag/team"] == "sales"


def test_a_secret_under_a_key_needs_the_key() -> None:
    secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token-AbCd12"
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    facts = StaticFacts("123456789012", "eu-central-1", secrets={"token": secret}, keys={secret: key})
    read, decrypt = requests_of("secretsmanager", "GetSecretValue", {"SecretId": "token"}, facts)
    assert read.resource == secret, "by name or ARN, the full ARN is what AWS decides by"
    assert (decrypt.action, decrypt.resource) == ("kms:Decrypt", key)
    assert decrypt.context["kms:ViaService"] == "secretsmanager.eu-central-1.amazonaws.com"


def test_a_copy_reads_one_object_and_writes_another() -> None:
    params = {"Bucket": "b", "Key": "to", "CopySource": "a/from/x"}
    assert actions("s3", "CopyObject", params) == ["s3:GetObject a/from/x", "s3:PutObject b/to"]


@pytest.mark.parametrize(
    ("now", "holds"),
    [("2026-12-31T23:59:59Z", True), ("2027-01-01T00:00:00Z", False), ("2027-01-01T01:00:00+02:00", True)],
)
def test_a_moment_is_compared_as_a_moment_and_not_as_text(now: str, holds: bool) -> None:
    wanted = "2027-01-01T00:00:00Z"
    assert fulfilled("DateLessThan", "aws:CurrentTime", wanted, {"aws:CurrentTime": now}) is holds
    assert fulfilled("DateLessThan", "aws:CurrentTime", wanted, {}) is False, "a key that is absent matches nothing"
