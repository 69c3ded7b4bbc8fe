"""What policies grant more or less. It compares texts; what AWS makes of them is for tests/standins/iam."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.engine.events import UNKNOWN
from hybrid.review.document import IamChange
from hybrid.review.iam import attached_policy, policy_change

pytestmark = pytest.mark.unit


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def change(old: Any, new: Any) -> IamChange | None:
    return policy_change("RolePolicy x", old, new, unknown=UNKNOWN)


READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::b"}


def test_an_added_action_is_one_line_and_what_stays_is_none() -> None:
    found = change(policy(READ), policy({**READ, "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]}))
    assert found is not None
    assert [(each.effect, each.action, each.resource) for each in found.added] == [
        ("Allow", "s3:PutObject", "arn:aws:s3:::b")
    ]
    assert found.removed == (), "the others are as they were"


def test_the_order_of_statements_and_actions_says_nothing() -> None:
    turned = {**READ, "Action": ["s3:ListBucket", "s3:GetObject"]}
    other = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert change(policy(READ, other), policy(other, turned)) is None


def test_another_condition_is_another_right() -> None:
    found = change(policy(READ), policy({**READ, "Condition": {"StringEquals": {"a": "b"}}}))
    assert found is not None
    assert len(found.added) == len(found.removed) == 2, "with the condition it is granted, without it no more"


@pytest.mark.parametrize("key", ["NotAction", "NotResource", "NotPrincipal"])
def test_all_but_is_said_as_all_but(key: str) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Principal": "*"}
    statement.pop(key.removeprefix("Not"))
    found = change(None, policy({**statement, key: "iam:PassRole"}))
    assert found is not None
    assert "all but iam:PassRole" in str(found.added), "it must not read like a grant of that one thing"


@pytest.mark.parametrize(
    "new", ["{", "[]", '{"Statement": 3}', '{"Statement": [{"Effect": "Perhaps", "Action": "*"}]}', "x" * 200_000]
)
def test_what_cannot_be_read_is_unknown_and_never_nothing(new: str) -> None:
    found = change(policy(READ), new)
    assert found is not None
    assert found.unknown, "a reviewer must not take it for no change"


def test_what_only_the_update_will_know_is_unknown() -> None:
    found = change(policy(READ), UNKNOWN)
    assert found is not None
    assert found.unknown
    inside = change(policy(READ), policy({**READ, "Resource": UNKNOWN}))
    assert inside is not None
    assert inside.unknown


def test_too_many_statements_are_unknown() -> None:
    many = {"Effect": "Allow", "Action": [f"s3:A{n}" for n in range(100)], "Resource": [f"arn:{n}" for n in range(100)]}
    found = change(None, policy(many))
    assert found is not None
    assert found.unknown


def test_an_attached_policy_is_named_by_its_arn() -> None:
    found = attached_policy("x", None, "arn:aws:iam::aws:policy/AdministratorAccess", unknown=UNKNOWN)
    assert found is not None
    assert found.added[0].resource.endswith("AdministratorAccess")


_WORD = st.text(st.characters(codec="utf-8"), max_size=12)
_STATEMENT = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(_WORD, min_size=1, max_size=3),
        "Resource": st.lists(_WORD, min_size=1, max_size=3),
    }
)


@given(old=st.lists(_STATEMENT, max_size=4), new=st.lists(_STATEMENT, max_size=4))
def test_what_is_added_one_way_is_removed_the_other(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    there, back = change(policy(*old), policy(*new)), change(policy(*new), policy(*old))
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert (there.added, there.removed) == (back.removed, back.added)


@given(st.lists(_STATEMENT, max_size=4))
def test_a_policy_grants_nothing_more_than_itself(statements: list[dict[str, Any]]) -> None:
    spelled = json.dumps(json.loads(policy(*statements)), indent=2)
    assert change(policy(*statements), spelled) is None, "another spelling is no other policy"
