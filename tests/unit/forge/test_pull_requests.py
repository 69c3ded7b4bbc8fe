"""What GitHub says of pull requests."""

from __future__ import annotations

import pytest

from hybrid.forge.errors import ForgeNotFound

pytestmark = pytest.mark.unit

MERGE = "d" * 40


def test_an_open_one_is_told_with_its_head(door, github):
    github.add_pull_request(20, title="Grow prod", head_branch="feature/y", head_sha="c" * 40, base_branch="main")
    found = door.pull_request(20)
    assert (found.number, found.title, found.state, found.author) == (20, "Grow prod", "open", "octocat")
    assert (found.head_sha, found.head_branch, found.base_branch, found.is_fork) == (
        "c" * 40,
        "feature/y",
        "main",
        False,
    )
    assert found.url == f"{github.site}/acme/data/pull/20"


def test_merged_and_closed_are_two_states(door, github):
    github.add_pull_request(20)
    github.add_pull_request(21)
    github.merge(20, MERGE)
    github.close(21)
    assert (door.pull_request(20).state, door.pull_request(21).state) == ("merged", "closed")


@pytest.mark.parametrize("origin", ["stranger/data", None], ids=["a fork", "a fork that was deleted"])
def test_one_from_elsewhere_is_a_forks(door, github, origin):
    github.add_pull_request(20, head_repository=origin, author=None)
    found = door.pull_request(20)
    assert (found.is_fork, found.author) == (True, "")


def test_a_hostile_title_is_one_line_without_control_characters(door, github):
    github.add_pull_request(20, title="a\x1b]0;x\x07\nb\u202e")
    assert door.pull_request(20).title == "a ]0;x b"


def test_one_that_is_not_there_is_not_found(door):
    with pytest.raises(ForgeNotFound):
        door.pull_request(404)


def test_the_one_whose_merge_made_a_commit_is_found_and_those_that_merely_contain_it_are_not(door, github):
    github.add_pull_request(20)
    github.merge(20, MERGE)
    promotion = github.add_pull_request(21, base_branch="release")
    promotion.contained_in.append(MERGE)
    github.merge(21, "f" * 40)
    github.add_pull_request(22, head_sha=MERGE)
    assert [found.number for found in door.pull_requests_of(MERGE)] == [20], (
        "what another pull request was reviewed for is no review of this commit"
    )


def test_a_commit_that_was_pushed_has_none(door):
    assert door.pull_requests_of("9" * 40) == []


@pytest.mark.parametrize("sha", ["main", "abc", "../../user", ""])
def test_a_commit_is_named_whole(door, github, sha):
    with pytest.raises(ValueError, match="40 or 64 digits"):
        door.pull_requests_of(sha)
    assert github.calls == []
