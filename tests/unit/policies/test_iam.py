"""Rights: which wildcards are refused, and which pass because AWS knows nothing narrower."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import iam
from policies.subjects import UNKNOWN
from tests.unit.policies.made import allow, document, found, role_policy, subject

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("action", ["*", "s3:*", "S3:*", "s3:**", "*:*", "*:GetObject", "s3:?*", "iam:*"])
def test_all_of_a_service_is_refused(action: str) -> None:
    assert found(iam.STAR_ACTIONS, role_policy(allow(action))), f"{action} grants what nobody has looked at"
    assert found(iam.STAR_ACTIONS, role_policy(allow(["s3:GetObject", action]))), "beside a narrow one too"


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Get*", "ecs:RunTask", "sts:AssumeRole"])
def test_a_named_action_and_a_family_of_them_pass(action: str) -> None:
    assert found(iam.STAR_ACTIONS, role_policy(allow(action))) == []


def test_what_is_denied_may_be_wide() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}
    for rule in (iam.STAR_ACTIONS, iam.STAR_RESOURCES, iam.INVERTED):
        assert found(rule, role_policy(deny, {**deny, "NotAction": "s3:*"})) == [], (
            f"{rule.name} is about what is allowed"
        )


@pytest.mark.parametrize("kind", ["aws:s3/bucketPolicy:BucketPolicy", "aws:ecr/repositoryPolicy:RepositoryPolicy"])
def test_policies_of_resources_are_looked_at_too(kind: str) -> None:
    said = document(allow("s3:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}))
    assert found(iam.STAR_ACTIONS, subject(kind, policy=said)), "who may do all of it is told by the principal alone"


def test_inline_policies_of_a_role_are_looked_at_too() -> None:
    inline = [{"name": "one", "policy": document(allow("s3:*"))}, {"name": "two", "policy": UNKNOWN}]
    assert len(found(iam.STAR_ACTIONS, subject("aws:iam/role:Role", inlinePolicies=inline))) == 1


def test_the_account_may_do_all_with_its_own_key_and_nobody_else() -> None:
    own = allow("kms:*", "*", Principal={"AWS": "arn:aws:iam::123456789012:root"})
    other = allow("kms:*", "*", Principal={"AWS": "arn:aws:iam::123456789012:role/admin"})
    key = "aws:kms/key:Key"
    assert found(iam.STAR_ACTIONS, subject(key, policy=document(own))) == [], "AWS's default policy of a key"
    assert found(iam.STAR_ACTIONS, subject(key, policy=document(other))), "a role is not the account"
    assert found(iam.STAR_ACTIONS, subject("aws:sns/topicPolicy:TopicPolicy", policy=document(own))), "not a key"


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("AdministratorAccess", False),
        ("PowerUserAccess", False),
        ("AmazonS3FullAccess", False),
        ("job-function/ViewOnlyAccess", True),
        ("service-role/AmazonECSTaskExecutionRolePolicy", True),
    ],
)
def test_aws_s_own_policies_that_grant_everything_are_refused(name: str, passes: bool) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    attached = found(iam.STAR_ACTIONS, subject("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policyArn=arn))
    managed = found(iam.STAR_ACTIONS, subject("aws:iam/role:Role", managedPolicyArns=[arn]))
    assert (attached == []) is passes, f"{name} attached"
    assert (managed == []) is passes, f"{name} in the role itself"


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 100_000,
        '"a text"',
        '{"Statement": ["x"]}',
        '{"Statement": [{"Effect": "allow", "Action": "s3:GetObject"}]}',
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "action": "s3:*", "Resource": "*"}]}',
    ],
    ids=["not JSON", "too deep", "a text", "no object", "no effect", "a key twice", "a key in two spellings"],
)
def test_a_policy_that_cannot_be_read_is_refused(text: str) -> None:
    said = found(iam.STAR_ACTIONS, subject("aws:iam/policy:Policy", policy=text))
    assert len(said) == 1, "once"
    assert "cannot be read" in said[0], "nobody knows what it grants"
    assert found(iam.STAR_RESOURCES, subject("aws:iam/policy:Policy", policy=text)) == [], "one rule says it"


@pytest.mark.parametrize("resource", ["*", ["arn:aws:s3:::one", "*"], "arn:aws:s3:::*", "arn:aws:s3:::*/*", "**"])
def test_a_right_on_everything_is_refused_where_something_can_be_named(resource: Any) -> None:
    assert found(iam.STAR_RESOURCES, role_policy(allow("s3:GetObject", resource)))


@pytest.mark.parametrize(
    "resource", ["arn:aws:s3:::one/*", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*"]
)
def test_a_pattern_that_names_something_passes(resource: str) -> None:
    assert found(iam.STAR_RESOURCES, role_policy(allow("s3:GetObject", resource))) == []


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", "TAG:getresources", "ecs:ListServices"])
def test_an_action_for_which_aws_takes_no_resource_passes(action: str) -> None:
    assert found(iam.STAR_RESOURCES, role_policy(allow(action, "*"))) == [], "nothing narrower can be written"
    beside = found(iam.STAR_RESOURCES, role_policy(allow([action, "s3:GetObject"], "*")))
    assert len(beside) == 1, "what it stands beside is judged by itself"
    assert action not in beside[0], "and it is not named"


def test_an_action_with_a_wildcard_on_everything_is_refused() -> None:
    assert found(iam.STAR_RESOURCES, role_policy(allow("ec2:Describe*", "*"))), "nobody sees which actions these are"


def test_listing_tasks_needs_the_cluster_as_its_condition() -> None:
    cluster = {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/one"}}
    assert found(iam.STAR_RESOURCES, role_policy(allow("ecs:ListTasks", "*", Condition=cluster))) == []
    assert found(iam.STAR_RESOURCES, role_policy(allow("ecs:ListTasks", "*"))), "else it is every cluster"
    if_there = {"ArnEqualsIfExists": cluster["ArnEquals"]}
    assert found(iam.STAR_RESOURCES, role_policy(allow("ecs:ListTasks", "*", Condition=if_there))), (
        "a condition that holds where the key is missing narrows nothing"
    )


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ({"StringEquals": {"aws:ResourceTag/dagster-hybrid/stack": "hybrid-prod"}}, True),
        ({"StringLike": {"aws:ResourceTag/dagster-hybrid/stack": "*"}}, False),
        ({"StringNotEquals": {"aws:ResourceTag/team": "other"}}, False),
        ({"ForAllValues:StringEquals": {"aws:ResourceTag/team": "ours"}}, False),
    ],
)
def test_a_tag_of_the_resource_narrows_as_an_arn_does(condition: dict[str, Any], passes: bool) -> None:
    said = found(iam.STAR_RESOURCES, role_policy(allow("ecs:StopTask", "*", Condition=condition)))
    assert (said == []) is passes, f"{condition}"


@pytest.mark.parametrize("key", ["NotAction", "NotResource", "NotPrincipal", "notaction"])
def test_allowing_by_naming_the_exceptions_is_refused(key: str) -> None:
    assert found(iam.INVERTED, role_policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x", key: "y"}))


def test_who_may_take_a_role_is_not_said_by_exceptions_either() -> None:
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "123456789012"}})
    assert found(iam.INVERTED, subject("aws:iam/role:Role", assumeRolePolicy=trust))


def test_what_is_not_known_yet_is_not_judged() -> None:
    for rule in (iam.STAR_ACTIONS, iam.STAR_RESOURCES, iam.INVERTED):
        assert found(rule, subject("aws:iam/rolePolicy:RolePolicy", policy=UNKNOWN)) == []


def test_a_long_list_of_actions_is_cut() -> None:
    said = found(iam.STAR_ACTIONS, role_policy(allow([f"service{number}:*" for number in range(50)])))
    assert "and 45 more" in said[0], "a message is read by people"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
KEYS = st.sampled_from(
    ["Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition", "Sid"]
)


@given(
    st.lists(st.dictionaries(KEYS, JSON | st.sampled_from(["Allow", "*", "s3:*"]), max_size=7), max_size=3) | JSON,
    st.booleans(),
)
def test_no_document_of_any_shape_breaks_a_rule(statements: Any, as_text: bool) -> None:
    import json

    from policies import public_access

    said: Any = {"Statement": statements}
    said = json.dumps(said) if as_text else said
    for kind, key in (("aws:iam/role:Role", "assumeRolePolicy"), ("aws:s3/bucketPolicy:BucketPolicy", "policy")):
        for rule in (iam.STAR_ACTIONS, iam.INVERTED, public_access.PUBLIC_ACCESS):
            found(rule, subject(kind, **{key: said}))
    found(iam.STAR_RESOURCES, subject("aws:iam/policy:Policy", policy=said))


@given(st.text(alphabet="*?", min_size=1, max_size=5), st.sampled_from(["", "s3:", "iam:"]))
def test_however_a_wildcard_is_spelt_it_is_one(stars: str, service: str) -> None:
    assert found(iam.STAR_ACTIONS, role_policy(allow(service + stars))), "IAM reads each of these as everything"
