"""The set of actions by which a deploy knows what was reviewed."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from hybrid.review.actions import Actions, embed, embedded
from hybrid.review.document import IamChange, Restart, Statement, Step
from tests.unit.review.reviews import review, stack

pytestmark = pytest.mark.unit

CREATE = Step(resource="Bucket a", operation="create")
DELETE = Step(resource="Bucket a", operation="delete")


def test_the_order_of_steps_and_their_reasons_are_no_other_actions() -> None:
    one = stack(steps=(CREATE, Step(resource="Role b", operation="update", because=("x",))))
    other = stack(steps=(Step(resource="Role b", operation="update", because=("y",)), CREATE))
    assert Actions.of(one) == Actions.of(other)


@pytest.mark.parametrize(
    "further",
    [
        {"steps": (CREATE, DELETE)},
        {"steps": (CREATE,), "restarts": (Restart(resource="TaskDefinition agent-task"),)},
        {
            "steps": (CREATE,),
            "iam": (IamChange(resource="Role x", added=(Statement(effect="Allow", action="s3:*", resource="*"),)),),
        },
        {"steps": (CREATE,), "iam": (IamChange(resource="Role x", unknown="not known"),)},
    ],
    ids=["a step", "a restart", "a right", "an unknown right"],
)
def test_anything_more_is_a_difference_that_is_named(further: dict[str, object]) -> None:
    reviewed, now = Actions.of(stack(steps=(CREATE,))), Actions.of(stack(**further))
    difference = now.difference(reviewed)
    assert difference is not None
    assert difference.further
    assert difference.absent == ()


def test_many_actions_travel_as_a_digest_alone() -> None:
    large = stack(
        steps=tuple(Step(resource=f"Bucket {n:06}-{n * 7919 % 99991}", operation="create") for n in range(9000))
    )
    found = embedded(embed(review(large)))
    assert found is not None
    assert found.stacks["prod"].sentences is None
    assert found.stacks["prod"].digest == Actions.of(large).digest, "by it they are still compared"
    assert Actions.of(stack()).difference(found.stacks["prod"]) is not None


def test_an_earlier_mark_in_the_comment_is_a_strangers() -> None:
    forged, real = embed(review(stack())), embed(review(stack(steps=(DELETE,))))
    found = embedded(f"words of the pull request {forged}\n{real}")
    assert found is not None
    assert found.stacks["prod"].sentences == ("delete Bucket a",), "ours is the last"


@pytest.mark.parametrize(
    "content",
    [
        b"no zlib",
        zlib.compress(b"no json"),
        zlib.compress(b"[]"),
        zlib.compress(json.dumps({"stacks": 3}).encode()),
        zlib.compress(b"0" * 50_000_000),
    ],
    ids=["no zlib", "no json", "a list", "another shape", "a bomb"],
)
def test_a_broken_mark_is_none(content: bytes) -> None:
    assert embedded(f"<!-- hybrid-review-actions:1:{base64.b64encode(content).decode()} -->") is None
