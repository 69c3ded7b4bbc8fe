"""What CI's reading roles may do, judged while Pulumi's real engine works: each call that reaches the account is let
through only if the policies that the stack made for the role allow it, by the stand-in for IAM.

The account is moto's; that the provider of this session asks what the official one asks, and that AWS decides so, only
an account can show. The tests of this module follow one stack, in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.aws.ecs_stack import NAMES, EcsStack
from tests.aws.moto_server import ACCOUNT, Call
from tests.standins.iam import reading
from tests.standins.iam.recorded import Call as RoleCall

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

NOT_SEEN = {
    "review": {
        ("ec2", "DescribeRouteTables"): "of a network that is adopted",
        ("ec2", "DescribeSubnets"): "of a network that is adopted",
        ("ec2", "DescribeVpcAttribute"): "of a network that is adopted",
        ("ec2", "DescribeVpcs"): "of a network that is adopted",
    },
    "drift": {},
}
"""Calls that tests/standins/iam/reading.py lists and this stack has no cause for."""

ELSEWHERE = {
    "GetAuthorizationToken",
    "BatchGetImage",
    "GetDownloadUrlForLayer",
    "ListObjectsV2",
    "GetObject",
    "Decrypt",
}
"""Asked of a registry, or of the backend of Pulumi's state, and not of this account."""

REVIEW = f"arn:aws:iam::{ACCOUNT}:role/{NAMES.role('review')}"
DRIFT = f"arn:aws:iam::{ACCOUNT}:role/{NAMES.role('drift')}"


@pytest.fixture(scope="module")
def standing(ecs_stack: EcsStack) -> EcsStack:
    """A stack with all that it can make, and both roles."""
    ecs_stack.change(
        "aws",
        ci={"github": "acme/data", "reviews": True, "drift": True},
        alarms={"emails": ["oncall@acme.example"]},
        locationRoles={"alpha": {}},
    )
    answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err
    return ecs_stack


def compare(seen: list[Call], listed: list[RoleCall], unseen: Mapping[tuple[str, str], str]) -> None:
    """The list by which the policies are judged in tests/unit is what the engine really asks."""
    made = {(call.service, call.operation) for call in seen} - {("sts", "GetCallerIdentity")}
    known = {(call.service, call.operation) for call in listed if call.operation not in ELSEWHERE}
    assert made - known == set(), "a call that the list lacks"
    assert known - made == set(unseen), "a call that is listed, and that nothing makes"


def test_the_roles_are_for_jobs_of_their_own_environment(standing: EcsStack) -> None:
    iam = standing.client("iam")
    for what in ("review", "drift"):
        trust = iam.get_role(RoleName=NAMES.role(what))["Role"]["AssumeRolePolicyDocument"]
        (statement,) = trust["Statement"]
        assert statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == (
            f"repo:acme/data:environment:{what}"
        ), "a job of another environment, or of none, does not get it"
    issuers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert len(issuers) == 1, "an account has one issuer, which all three roles trust"


def test_the_role_for_reviews_suffices_for_a_preview_that_looks_at_nothing_that_stands(standing: EcsStack) -> None:
    with standing.moto.judging(REVIEW) as denied, standing.moto.recorded() as calls:
        run = standing.pulumi("preview", "--refresh=false", "--expect-no-changes")
    assert denied == [], "a review would miss a part"
    assert run.code == 0, run.said
    compare(calls, reading.review_calls(), NOT_SEEN["review"])


def test_the_role_for_drift_suffices_to_look_at_everything(standing: EcsStack) -> None:
    with standing.moto.judging(DRIFT) as denied, standing.moto.recorded() as calls:
        run = standing.pulumi("preview", "--refresh", "--expect-no-changes")
    assert denied == [], "drift in what it cannot read is never found"
    assert run.code == 0, run.said
    assert (run.changes, run.drift) == ({}, {}), "what nobody touched has no drift"
    compare(calls, reading.drift_calls(), NOT_SEEN["drift"])


def test_the_role_for_reviews_never_gets_the_token(standing: EcsStack) -> None:
    with standing.moto.judging(REVIEW) as denied:
        run = standing.pulumi("preview", "--refresh")
    assert any(each.startswith("secretsmanager:GetSecretValue") for each in denied), "it is asked for, and denied"
    assert run.code != 0, "so whoever refreshes with this role is told"
    assert standing.token() not in run.said


def cluster_tags(stack: EcsStack) -> list[Any]:
    found = stack.client("ecs").describe_clusters(clusters=[NAMES.cluster], include=["TAGS"])["clusters"]
    return [each["tags"] for each in found]


@pytest.mark.parametrize("role", [REVIEW, DRIFT], ids=["review", "drift"])
def test_neither_changes_anything(standing: EcsStack, role: str) -> None:
    before = cluster_tags(standing)
    standing.change("aws", tags={"team": "data"})
    with standing.moto.judging(role) as denied, standing.moto.recorded() as calls:
        run = standing.pulumi("up", "--refresh=false")
    standing.change("aws", tags=None)
    assert run.code != 0, "an update with this role must fail"
    assert denied, "AWS refuses it"
    tried = {(call.service, call.operation) for call in calls if not call.reads}
    assert tried, "the update has to try"
    refused = {tuple(said.split(":")[:2]) for said in denied}
    assert tried - refused == set(), "a call that changes something got through"
    assert cluster_tags(standing) == before, "nothing has the new tag"
