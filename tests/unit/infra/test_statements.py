"""The text of policies. What AWS makes of it is asked of two judges (``judged``), which are tried here as well."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.statements import Statement, policy_text
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

ARN = "arn:aws:s3:::data"


def statement(**changed: object) -> Statement:
    said = {"sid": "Read", "actions": ("s3:GetObject",), "resources": (f"{ARN}/*",), "why": "to read", **changed}
    return Statement(**said)  # type: ignore[arg-type]


def test_a_list_of_one_is_written_as_aws_shows_it() -> None:
    document = json.loads(policy_text([statement()]))
    assert document == {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{ARN}/*"}],
    }, "the reason is for people and is not in it"


def test_conditions_and_principals_keep_their_lists() -> None:
    said = statement(
        resources=(),
        principals={"AWS": ["a", "b"], "Service": ["c"]},
        conditions={"StringLike": {"s3:prefix": ("x", "y")}, "Bool": {"aws:SecureTransport": "true"}},
    ).document()
    assert said["Principal"] == {"AWS": ["a", "b"], "Service": "c"}
    assert said["Condition"] == {"StringLike": {"s3:prefix": ["x", "y"]}, "Bool": {"aws:SecureTransport": "true"}}
    assert "Resource" not in said, "a trust policy has none, and IAM refuses an empty one"


@given(st.lists(st.builds(statement, sid=st.from_regex(r"[A-Za-z0-9]{1,9}", fullmatch=True)), max_size=5))
def test_the_same_statements_are_the_same_text(statements: list[Statement]) -> None:
    text = policy_text(statements)
    assert text == policy_text(list(statements))
    assert len(json.loads(text)["Statement"]) == len(statements)
    assert "\n" not in text
    assert ": " not in text, "white space would be a difference at the next look"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"actions": ("s3:ReadObject",)}, "s3:ReadObject is no action of AWS"),
        ({"resources": (ARN,)}, "s3:GetObject takes none of"),
        ({"resources": (f"{ARN}/*", ARN)}, f"no action of Read takes {ARN}"),
        ({"conditions": {"StringLike": {"s3:prefix": "x"}}}, "s3:GetObject does not know s3:prefix"),
        ({"actions": ("ecr:GetAuthorizationToken",)}, "ecr:GetAuthorizationToken takes none of"),
    ],
    ids=["action", "resource", "one resource too many", "condition key", "an action without resources"],
)
def test_the_reference_sees_what_is_wrong(wrong: dict[str, object], says: str) -> None:
    assert mistakes([statement()]) == []
    assert any(mistake.startswith(says) for mistake in mistakes([statement(**wrong)]))


def test_the_linter_sees_what_is_wrong() -> None:
    assert lint([statement()]) == set()
    assert lint([statement(actions=("s3:ReadObject",))])
    assert lint([statement(resources=(ARN,))]), "objects are read, not buckets"
