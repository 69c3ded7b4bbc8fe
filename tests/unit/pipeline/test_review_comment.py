"""Two jobs write one comment. GitHub is a STAND-IN (tests/standins/github)."""

from __future__ import annotations

import pytest

from hybrid.forge.ci import CiRun
from hybrid.forge.forge import Forge, forge_of
from hybrid.pipeline.review_comment import put_link, put_review
from hybrid.review.branch_link import closed, link, link_in
from hybrid.review.markdown import MARKER
from tests.standins.github import FakeGitHub
from tests.unit.review.reviews import review, stack

pytestmark = pytest.mark.unit

SECTION = link("https://acme.dagster.cloud", "4f2a", loaded=True)


@pytest.fixture
def forge(github: FakeGitHub) -> Forge:
    github.add_pull_request(7)
    return forge_of(CiRun.of(github.environ), github.environ)


def bodies(github: FakeGitHub) -> list[str]:
    return [comment.body for comment in github.comments(7)]


@pytest.mark.parametrize("first", ["review", "link"])
def test_whoever_is_first_both_are_in_one_comment(github: FakeGitHub, forge: Forge, first: str) -> None:
    for what in ("review", "link") if first == "review" else ("link", "review"):
        if what == "review":
            put_review(forge, 7, review(stack()), None)
        else:
            put_link(forge, 7, SECTION)
    (body,) = bodies(github)
    assert link_in(body) == SECTION
    assert "Review of" in body


def test_a_newer_review_keeps_the_link_and_a_closing_replaces_it(github: FakeGitHub, forge: Forge) -> None:
    put_review(forge, 7, review(stack()), None)
    put_link(forge, 7, SECTION)
    put_review(forge, 7, review(), None)
    assert link_in(bodies(github)[0]) == SECTION
    put_link(forge, 7, closed())
    assert "Branch deployment: closed" in bodies(github)[0]
    assert len(bodies(github)) == 1, "one comment"


def test_a_review_of_a_commit_that_is_not_the_newest_is_not_posted(github: FakeGitHub, forge: Forge) -> None:
    github.push(7, "c" * 40)
    assert put_review(forge, 7, review(stack()), None) is None
    assert github.comments(7) == [], "an older review must not stand under a newer commit"


def test_a_link_that_comes_between_look_and_words_is_not_lost(github: FakeGitHub, forge: Forge) -> None:
    put_review(forge, 7, review(), None)
    (comment,) = github.comments(7)
    path = f"/repos/acme/data/issues/comments/{comment.id}"
    github.meanwhile("PATCH", path, lambda: None)
    between = comment.body.replace(f"{MARKER}\n", f"{MARKER}\n{SECTION}")
    github.edit_comment(comment.id, between, "github-actions[bot]")
    put_review(forge, 7, review(stack()), None)
    assert link_in(bodies(github)[0]) == SECTION


def test_a_comment_that_somebody_edited_gives_nothing_on(github: FakeGitHub, forge: Forge) -> None:
    put_review(forge, 7, review(stack()), None)
    (comment,) = github.comments(7)
    forged = link("https://evil.example", "x")
    github.edit_comment(comment.id, comment.body.replace(f"{MARKER}\n", f"{MARKER}\n{forged}"), "mallory")
    put_review(forge, 7, review(stack()), None)
    assert "evil.example" not in "".join(bodies(github)), "a stranger's link is not carried on"


def test_a_comment_that_somebody_deleted_is_made_anew(github: FakeGitHub, forge: Forge) -> None:
    put_review(forge, 7, review(stack()), None)
    github.delete_comment(github.comments(7)[0].id)
    written = put_review(forge, 7, review(stack()), None)
    assert written is not None
    assert written.created
    assert len(bodies(github)) == 1
