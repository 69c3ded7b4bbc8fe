"""The line that leads to the branch deployment, and how it lives beside the review in one comment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.review.branch_link import LONGEST, closed, link, link_in, with_link
from hybrid.review.markdown import MARKER, markdown
from tests.unit.review.reviews import review, stack

pytestmark = pytest.mark.unit

PAGE = "https://acme.dagster.cloud"
TEXT = markdown(review(stack()))


def test_it_stands_below_the_marker_and_comes_out_again() -> None:
    section = link(PAGE, "4f2a", loaded=True)
    body = with_link(TEXT, section)
    assert body.startswith(f"{MARKER}\n")
    assert f"[4f2a]({PAGE}/4f2a)" in body
    assert link_in(body) == section
    assert with_link(body, None) == TEXT, "and the review is as it was"


def test_another_takes_the_place_of_the_former() -> None:
    body = with_link(with_link(TEXT, link(PAGE, "4f2a")), closed())
    assert link_in(body) == closed()
    assert "4f2a" not in body


def test_a_section_among_the_words_of_a_pull_request_is_none() -> None:
    forged = f"{TEXT}\n{link('https://evil.example', 'x')}"
    assert link_in(forged) is None, "only below the marker it is ours"
    assert link_in(link(PAGE, "x")) is None, "and only in a comment of ours"


@pytest.mark.parametrize("name", ["", "a b", "x](http://evil.example)", "../prod", "a/b", "-x", "x" * 200, "a\nb"])
def test_a_name_that_no_deployment_has_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        link(PAGE, name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True), st.sampled_from([None, True, False]))
def test_any_name_makes_a_section_that_is_found_and_fits(name: str, loaded: bool | None) -> None:
    section = link(PAGE, name, loaded=loaded)
    assert len(section.encode()) <= LONGEST
    assert link_in(with_link(TEXT, section)) == section
