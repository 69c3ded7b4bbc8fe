"""What CI's reading roles may do, judged while Pulumi's real engine works: each call that reaches the account is let
through only if the policies that the stack made for the role allow it, by the stand-in for IAM.

The account is moto's; that AWS's provider of this session asks what the official one asks, and that AWS decides so, only
an account can show. The tests of this module follow one stack, in order.
"""

from __future__ import annotations

import json

import pytest

from tests.aws.ecs_stack import NAMES, EcsStack
from tests.aws.moto_server import ACCOUNT

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

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
    assert {"HeadBucket", "DescribeRepositories", "DescribeSecret"} <= {call.operation for call in calls}, (
        "the program did look for what an earlier stack has kept"
    )


def test_the_role_for_drift_suffices_to_look_at_everything(standing: EcsStack) -> None:
    with standing.moto.judging(DRIFT) as denied, standing.moto.recorded() as calls:
        run = standing.pulumi("preview", "--refresh", "--expect-no-changes")
    assert denied == [], "drift in what it cannot read is never found"
    assert run.code == 0, run.said
    assert (run.changes, run.drift) == ({}, {}), "what nobody touched has no drift"
    assert len({(call.service, call.operation) for call in calls}) > 50, "everything was looked at"


def test_the_role_for_reviews_never_gets_the_token(standing: EcsStack) -> None:
    with standing.moto.judging(REVIEW) as denied:
        run = standing.pulumi("preview", "--refresh")
    assert any(each.startswith("secretsmanager:GetSecretValue") for each in denied), "the value is asked for, and denied"
    assert run.code != 0, "so whoever refreshes with this role is told"
    assert standing.token() not in run.said


@pytest.mark.parametrize("role", [REVIEW, DRIFT], ids=["review", "drift"])
def test_neither_changes_anything(standing: EcsStack, role: str) -> None:
    before = standing.state()
    standing.change("aws", tags={"team": "data"})
    with standing.moto.judging(role) as denied, standing.moto.recorded() as calls:
        run = standing.pulumi("up", "--refresh=false")
    standing.change("aws", tags=None)
    assert run.code != 0, "an update with this role must fail"
    assert denied, "AWS refuses it"
    wrote = [call for call in calls if not call.reads]
    assert wrote, "the update tried to write"
    for each in wrote:
        assert any(said.startswith(f"{each.service}:{each.operation}:") for said in denied), f"{each} got through"
    assert json.loads(before)["deployment"].get("resources"), "the stack stood all the while"
