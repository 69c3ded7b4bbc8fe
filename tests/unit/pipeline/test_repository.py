"""What a deploy asks of git, with the real git and a bare remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.errors import UsageError
from hybrid.pipeline.repository import Repository
from tests.unit.pipeline.git_repository import GitRepository

pytestmark = pytest.mark.unit


@pytest.fixture
def made(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "clone", remote=tmp_path / "remote.git")


def test_the_remote_itself_is_asked_what_it_has(made: GitRepository, tmp_path: Path) -> None:
    git, first = Repository(made.root), made.head
    assert git.remote_head("main") == first
    made.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / "other"))
    made.git("-C", str(tmp_path / "other"), "commit", "-q", "--allow-empty", "-m", "of somebody else")
    made.git("-C", str(tmp_path / "other"), "push", "-q")
    assert made.git("rev-parse", "origin/main") == first, "the clone has not heard of it"
    assert git.remote_head("main") != first, "the remote has"


def test_a_remote_that_does_not_answer_is_an_error_and_not_what_it_had(made: GitRepository) -> None:
    made.git("remote", "set-url", "origin", str(made.root / "nowhere.git"))
    with pytest.raises(UsageError, match="ls-remote"):
        Repository(made.root).remote_head("main")


def test_a_branch_that_follows_none_has_no_remote_head(made: GitRepository) -> None:
    made.git("branch", "--unset-upstream")
    assert Repository(made.root).remote_head("main") is None


def test_a_changed_file_and_a_new_one_are_changes_and_an_ignored_one_is_not(made: GitRepository) -> None:
    (made.root / "a b.txt").write_text("1")
    (made.root / ".gitignore").write_text("kept/\n")
    made.commit("files")
    assert Repository(made.root).changed_files(untracked=True) == ()
    (made.root / "kept").mkdir()
    (made.root / "kept" / "x").write_text("")
    (made.root / "a b.txt").write_text("2")
    (made.root / "new").write_text("")
    git = Repository(made.root)
    assert git.changed_files(untracked=True) == ("a b.txt", "new")
    assert git.changed_files(untracked=False) == ("a b.txt",), "in CI only what git knows counts"


def test_where_git_cannot_tell_a_checkout_is_not_taken_for_clean(tmp_path: Path) -> None:
    git = Repository(tmp_path)
    assert (git.head, git.branch) == (None, None)
    with pytest.raises(UsageError, match="git status"):
        git.changed_files(untracked=True)


def test_between_two_commits_are_those_that_were_pushed_to_the_branch(made: GitRepository) -> None:
    first = made.head
    made.git("switch", "-q", "-c", "feature")
    on_branch = made.commit("work on the branch")
    made.git("switch", "-q", "main")
    made.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    merge = made.head
    last = made.commit("straight to main")
    git = Repository(made.root)
    assert git.between(first, last, 10) == (last, merge), "newest first"
    assert on_branch not in git.between(first, last, 10), "it came by the merge"
    assert git.between(first, last, 1) == (last,)
