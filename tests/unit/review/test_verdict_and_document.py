"""What `--fail-on` names, and reviews that somebody else wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from hybrid.errors import SettingsError, UsageError
from hybrid.review.document import LARGEST_BYTES, PolicyFinding, Review, Step, parse
from hybrid.review.verdict import grounds, reasons
from tests.unit.review.reviews import review, reviews, stack

pytestmark = pytest.mark.unit


def test_grounds_are_words_with_commas() -> None:
    assert grounds("policy, delete") == ("delete", "policy")
    assert grounds("") == ()
    with pytest.raises(UsageError, match="no 'remove'"):
        grounds("delete,remove")


def test_each_ground_names_its_resources_and_no_others() -> None:
    made = review(
        stack(
            steps=(
                Step(resource="Bucket a", operation="delete"),
                Step(resource="Service b", operation="replace"),
                Step(resource="Role c", operation="keep"),
                Step(resource="Role d", operation="update"),
            ),
            policies=(
                PolicyFinding(policy="hard", level="mandatory", resource="Role c", message="m"),
                PolicyFinding(policy="soft", level="advisory", resource="Role d", message="m"),
            ),
        )
    )
    assert reasons(made, ("delete",)) == ["prod would delete: Bucket a"]
    assert reasons(made, ("replace",)) == ["prod would replace: Service b"]
    assert reasons(made, ("policy",)) == ["prod breaks mandatory rules: hard (Role c)"]
    assert reasons(made, ()) == [], "nobody asked"


def test_a_deleted_stack_file_counts_as_a_delete() -> None:
    assert reasons(review(stack(standing="removed")), ("delete",)), "what it stood up is left to nobody"


@settings(max_examples=40, deadline=None)
@given(reviews)
def test_a_review_comes_back_from_its_document(made: Review) -> None:
    assert parse(json.dumps(made.document())) == made


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"version": 2}', '{"version": 1, "unheard_of": 1}', "{" * 1000],
)
def test_what_is_no_review_is_an_error_in_words(text: str) -> None:
    with pytest.raises(SettingsError, match="not a review"):
        parse(text)


def test_values_of_a_wrong_review_are_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        parse('{"version": 1, "base": "sesame-open-99"}')
    assert "sesame-open-99" not in str(caught.value), "it is a stranger's, and may be a secret"


def test_a_review_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(SettingsError, match="larger than 32 MB"):
        parse("x" * (LARGEST_BYTES + 1))
