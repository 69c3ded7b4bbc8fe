"""Roles as the program declares them. Whether AWS lets anybody take them, and what they may then do, is judged
elsewhere, by an evaluator of policies."""

from __future__ import annotations

import json

import pulumi
import pytest

from hybrid.errors import SettingsError
from infra.place import Place
from infra.roles import INLINE_LIMIT, RoleArgs, TaskRole, refuse_beyond_limit, task_trust
from infra.statements import Statement
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
READING = Statement("Read", ("s3:GetObject",), ("arn:aws:s3:::data/*",), "to read")


def args(**changed: object) -> RoleArgs:
    return RoleArgs(**{"name": "hybrid-prod-code", "description": "Runs", "place": PLACE, **changed})  # type: ignore


def test_a_role_is_trusted_for_tasks_of_this_account_and_region_only() -> None:
    record = recording.run(lambda: TaskRole("code", args()))

    role = record.only(ROLE)
    assert role.inputs["name"] == "hybrid-prod-code"
    assert (role.name, role.parent) == ("code-role", "code")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-west-1:123456789012:*"},
    }, "ECS must not take it for somebody else's task"
    assert role.inputs["forceDetachPolicies"] is True
    assert "permissionsBoundary" not in role.inputs
    assert not role.options.retain_on_delete, "a destroy leaves data, and no rights"
    assert record.value(record.result.arn) == args().arn == role.outputs["arn"]


def test_the_trust_is_one_that_the_judges_accept() -> None:
    assert mistakes([task_trust(PLACE)]) == []
    # a trust policy is about the role that has it, and so names no resource
    assert lint([task_trust(PLACE)], accepted=["MALFORMED: Statement contains neither Resource"]) == set()


def test_boundary_and_path_are_the_organizations() -> None:
    boundary = "arn:aws:iam::123456789012:policy/teams/boundary"
    record = recording.run(lambda: TaskRole("code", args(path="/data/eu/", permissions_boundary=boundary)))

    role = record.only(ROLE)
    assert (role.inputs["path"], role.inputs["permissionsBoundary"]) == ("/data/eu/", boundary)
    assert args(path="/data/eu/").arn == "arn:aws:iam::123456789012:role/data/eu/hybrid-prod-code"
    assert role.outputs["arn"] == args(path="/data/eu/").arn


def test_other_partitions_have_their_own_arns() -> None:
    china = Place("123456789012", "cn-north-1", "aws-cn")
    assert args(place=china).arn == "arn:aws-cn:iam::123456789012:role/hybrid-prod-code"
    assert task_trust(china).conditions["ArnLike"] == {"aws:SourceArn": "arn:aws-cn:ecs:cn-north-1:123456789012:*"}
    assert china.via("s3") == "s3.cn-north-1.amazonaws.com.cn"


def test_each_reason_is_a_policy_of_its_own() -> None:
    def build() -> None:
        role = TaskRole("code", args())
        role.allow("assets", [READING])
        role.allow("later", pulumi.Output.from_input("arn:aws:s3:::x/*").apply(lambda arn: [reading(arn)]))

    record = recording.run(build)

    plain, later = record.named("code-assets"), record.named("code-later")
    assert {made.token for made in (plain, later)} == {POLICY}
    assert (plain.inputs["name"], plain.inputs["role"], plain.parent) == ("assets", "hybrid-prod-code", "code")
    assert json.loads(plain.inputs["policy"])["Statement"][0]["Resource"] == "arn:aws:s3:::data/*"
    assert json.loads(later.inputs["policy"])["Statement"][0]["Resource"] == "arn:aws:s3:::x/*"
    assert "code-assets" not in later.options.depends_on, "one reason does not wait for another"


def reading(arn: str) -> Statement:
    return Statement("Read", ("s3:GetObject",), (arn,), "to read")


def test_what_is_granted_is_seen_in_the_first_preview() -> None:
    record = recording.run(lambda: TaskRole("code", args()).allow("assets", [READING]), preview=True)
    assert "s3:GetObject" in record.named("code-assets").inputs["policy"], "a reviewer reads it before it is made"


def test_more_than_a_role_can_hold_is_refused_when_the_last_reason_comes() -> None:
    def build() -> None:
        role = TaskRole("code", args())
        for number in range(40):
            role.allow(f"reason-{number}", [reading(f"arn:aws:s3:::{'x' * 300}/*")])

    with pytest.raises(Exception, match=f"AWS allows {INLINE_LIMIT}"):
        recording.run(build)


def test_the_limit_counts_no_white_space_and_is_itself_allowed() -> None:
    refuse_beyond_limit("r", ["x" * INLINE_LIMIT, " \n" * 50])
    with pytest.raises(SettingsError, match=f"have {INLINE_LIMIT + 1} characters"):
        refuse_beyond_limit("r", ["x" * INLINE_LIMIT, "x"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "x" * 65}, "is no name of an IAM role"),
        ({"name": "röle"}, "is no name of an IAM role"),
        ({"name": ""}, "is no name of an IAM role"),
        ({"path": "data/"}, "is no path of an IAM role"),
        ({"path": "/data"}, "is no path of an IAM role"),
        ({"path": f"/{'x' * 512}/"}, "is no path of an IAM role"),
        ({"permissions_boundary": "boundary"}, "is no ARN of a managed policy"),
        ({"permissions_boundary": "arn:aws:iam::123456789012:role/x"}, "is no ARN of a managed policy"),
    ],
)
def test_what_iam_would_refuse_is_refused_before(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        args(**wrong)
    assert caught.value.next_step


@pytest.mark.parametrize("account", ["12345678901", "1234567890123", "my-account", ""])
def test_an_account_has_twelve_digits(account: str) -> None:
    with pytest.raises(SettingsError, match="is no AWS account"):
        Place(account, "eu-west-1")
