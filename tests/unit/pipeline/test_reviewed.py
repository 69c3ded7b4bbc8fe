"""Which reviews count for a deploy: git is real, the forge is a list of pull requests and comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hybrid.forge.forge import Comment, Forge, PullRequest
from hybrid.pipeline.repository import Repository
from hybrid.pipeline.reviewed import CommentReviews, FileReview
from hybrid.review.actions import Actions, embed
from hybrid.review.document import Commit, Review, StackReview, Step
from tests.unit.pipeline.git_repository import GitRepository

pytestmark = pytest.mark.unit

MARKER = "<!-- hybrid-review -->"


def review(head: str, **stacks: list[str]) -> Review:
    listed = tuple(
        StackReview(
            stack=name,
            environment=name,
            platform="local",
            deployment="acme/prod",
            touched_by=("x",),
            standing="present",
            steps=tuple(Step(resource=resource, operation="create") for resource in resources),
        )
        for name, resources in stacks.items()
    )
    commit = Commit(reference="main", sha="0" * 40)
    return Review(base=commit, head=Commit(reference="HEAD", sha=head), made_at="2026-01-01T00:00:00Z", stacks=listed)


@dataclass
class Hosted:
    """Pull requests by the commit that merged them, and our comments by number."""

    merged: dict[str, list[int]] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    edited_by: str | None = None

    def merge(self, commit: str, number: int, body: str | None) -> None:
        self.merged.setdefault(commit, []).append(number)
        if body is not None:
            self.comments[number] = body

    def pull_requests_of(self, sha: str) -> list[PullRequest]:
        self.asked.append(sha)
        return [
            PullRequest(number, "title", "https://x", "merged", head(number), "feature", "main", False, "a")
            for number in self.merged.get(sha, ())
        ]

    def comment(self, number: int, marker: str) -> Comment | None:
        assert marker == MARKER
        body = self.comments.get(number)
        return None if body is None else Comment(1, "https://x", f"{MARKER}\n{body}", "us", self.edited_by)


def head(number: int) -> str:
    """The last commit of a pull request's branch."""
    return f"{number:040x}"


@pytest.fixture
def made(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "clone", remote=tmp_path / "remote.git")


def source(hosted: Hosted, made: GitRepository, at: str | None = None) -> CommentReviews:
    forge: Forge = hosted  # type: ignore[assignment]
    return CommentReviews(lambda: forge, Repository(made.root), at or made.head, MARKER)


def sentences(found: tuple[Actions, ...]) -> set[str]:
    return {sentence for one in found for sentence in one.sentences or ()}


def test_the_comment_of_the_merged_pull_request_says_what_was_reviewed(made: GitRepository) -> None:
    hosted = Hosted()
    hosted.merge(made.head, 12, embed(review(head(12), prod=["Bucket data"], staging=["X y"])))
    found = source(hosted, made).of("prod", None)
    assert sentences(found.actions) == {"create Bucket data"}, "of this stack alone"
    assert found.by == ("#12",)


def test_a_comment_that_somebody_else_changed_approves_nothing(made: GitRepository) -> None:
    hosted = Hosted(edited_by="mallory")
    hosted.merge(made.head, 12, embed(review(head(12), prod=["Bucket data"])))
    found = source(hosted, made).of("prod", None)
    assert found.actions == (), "whoever may push may change our comment at GitHub"
    assert any("changed by mallory" in note for note in found.notes)


def test_all_that_is_merged_and_not_deployed_counts_together(made: GitRepository) -> None:
    hosted, deployed = Hosted(), made.head
    hosted.merge(deployed, 1, embed(review(head(1), prod=["Old one"])))
    for number, resource in ((2, "Bucket a"), (3, "Bucket b")):
        hosted.merge(made.commit(f"merge {number}"), number, embed(review(head(number), prod=[resource])))
    found = source(hosted, made).of("prod", deployed)
    assert sentences(found.actions) == {"create Bucket a", "create Bucket b"}, "a skipped deploy loses no review"
    assert found.by == ("#2", "#3")
    assert deployed not in hosted.asked, "what is deployed already approves nothing any more"


def test_another_stack_may_be_further_behind(made: GitRepository) -> None:
    hosted, first = Hosted(), made.head
    second = made.commit("two")
    hosted.merge(second, 2, embed(review(head(2), prod=["Bucket a"], staging=["Bucket a"])))
    hosted.merge(made.commit("three"), 3, embed(review(head(3), prod=["Bucket b"], staging=["Bucket b"])))
    reviews = source(hosted, made)
    assert sentences(reviews.of("staging", second).actions) == {"create Bucket b"}
    assert sentences(reviews.of("prod", first).actions) == {"create Bucket a", "create Bucket b"}
    assert len(hosted.asked) == len(set(hosted.asked)), "a commit is asked about once"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "no comment"),
        ("words without actions", "carries no actions"),
        (f"<!-- hybrid-review-actions:1:{'A' * 40} -->", "carries no actions"),
        (embed(review("f" * 40, prod=["Bucket data"])), "its last review had not ended"),
    ],
)
def test_what_is_no_review_of_what_was_merged_does_not_count_and_says_why(
    body: str | None, words: str, made: GitRepository
) -> None:
    hosted = Hosted()
    hosted.merge(made.head, 12, body)
    found = source(hosted, made).of("prod", None)
    assert found.actions == ()
    assert any(words in note for note in found.notes), found.notes


def test_a_direct_push_has_no_review(made: GitRepository) -> None:
    found = source(Hosted(), made).of("prod", None)
    assert found.actions == ()
    assert "no pull request" in found.notes[0]


def test_an_older_commit_than_the_deployed_one_counts_as_unreviewed(made: GitRepository) -> None:
    hosted, older = Hosted(), made.head
    hosted.merge(older, 12, embed(review(head(12), prod=["Bucket data"])))
    newer = made.commit("deployed since")
    found = source(hosted, made, at=older).of("prod", newer)
    assert found.actions == (), "a run that is started again must not bring the old code back unseen"
    assert "go back" in found.notes[0]


def test_a_deployed_commit_that_the_clone_does_not_have_is_said(made: GitRepository) -> None:
    hosted = Hosted()
    hosted.merge(made.head, 12, embed(review(head(12), prod=["Bucket data"])))
    found = source(hosted, made).of("prod", "e" * 40)
    assert found.by == ("#12",), "the pull request of the commit itself still counts"
    assert "shallow" in found.notes[0]


def test_a_deploy_from_elsewhere_is_said(made: GitRepository) -> None:
    hosted = Hosted()
    made.git("switch", "-q", "-c", "feature")
    strange = made.commit("deployed from a branch")
    made.git("switch", "-q", "main")
    hosted.merge(made.commit("merge"), 12, embed(review(head(12), prod=["Bucket data"])))
    found = source(hosted, made).of("prod", strange)
    assert found.by == ("#12",)
    assert "not in this branch" in found.notes[0]


def test_a_file_s_review_counts_for_the_stacks_that_it_lists() -> None:
    given = FileReview(review(head(1), prod=["Bucket data"]), "review.json")
    assert sentences(given.of("prod", None).actions) == {"create Bucket data"}
    assert given.of("staging", None).actions == (), "one that it does not list was not reviewed"
