"""What git tells of a checkout: real repositories, also detached, shallow, merged as GitHub does, and hostile ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hybrid.pipeline.checkout import GitCheckout

pytestmark = pytest.mark.unit


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str, moment: int = 1_763_722_800, name: str = "author") -> str:
        who = {
            **os.environ,
            **{f"GIT_{role}_NAME": name for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": "a@example.com" for role in ("AUTHOR", "COMMITTER")},
            "GIT_AUTHOR_DATE": "@1000 +0000",
            "GIT_COMMITTER_DATE": f"@{moment} +0000",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=who, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, message: str = "one", **how: object) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", message, **how)  # type: ignore[arg-type]
        return self.git("rev-parse", "HEAD")

    @property
    def checkout(self) -> GitCheckout:
        return GitCheckout(self.root)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_a_commit_has_the_committers_time_and_the_authors_name(repository: Repository) -> None:
    sha = repository.commit("Add an asset\n\nand more", moment=1_763_722_800)
    found = repository.checkout.commit(sha)
    assert found is not None
    assert (found.hash, found.timestamp) == (sha, 1_763_722_800), "the author's stays the same when it is amended"
    assert (found.message, found.author_name, found.author_email) == ("Add an asset", "author", "a@example.com")


def test_words_of_strangers_are_one_line_without_secrets(repository: Repository) -> None:
    token = "user:acme:" + "d" * 32
    sha = repository.commit(f"\x1b[31mred {token}\x07 " + "x" * 900, name="a\x1b]0;title\x07b")
    found = repository.checkout.commit(sha)
    assert found is not None
    said = f"{found.message}{found.author_name}"
    assert token not in said
    assert not any(character < " " for character in said), "a terminal would obey them"
    assert len(found.message or "") <= 500


def test_bytes_that_are_no_text_can_still_be_sent_on(repository: Repository) -> None:
    message = repository.root / "message"
    message.write_bytes(b"caf\xe9")
    repository.git("commit", "--quiet", "--allow-empty", "--file", str(message))
    found = repository.checkout.commit(repository.git("rev-parse", "HEAD"))
    assert found is not None
    assert (found.message or "").encode("utf-8"), "surrogates would end the request"


@pytest.mark.parametrize("sha", ["HEAD", "--all", "main", "a" * 39, "A" * 40, "a" * 40 + "\n", ""])
def test_what_is_no_whole_commit_is_not_asked_about(repository: Repository, sha: str) -> None:
    repository.commit()
    assert repository.checkout.commit(sha) is None
    assert not repository.checkout.contains(sha, sha)


def test_the_branch_is_known_until_head_is_detached(repository: Repository) -> None:
    sha = repository.commit()
    assert repository.checkout.branch == "main"
    repository.git("checkout", "--quiet", "--detach")
    assert repository.checkout.branch is None
    assert repository.checkout.head == sha


def test_history_tells_which_commit_is_in_which(repository: Repository) -> None:
    first, second = repository.commit(), repository.commit("two")
    assert repository.checkout.contains(second, first)
    assert not repository.checkout.contains(first, second)


def test_a_merge_of_the_head_is_seen_in_a_clone_without_history(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "feature")
    feature = repository.commit("on the feature")
    repository.git("checkout", "--quiet", "main")
    repository.commit("on main")
    repository.git("merge", "--quiet", "--no-edit", "feature")
    assert repository.checkout.is_merge_of(feature)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{repository.root}", str(shallow)], check=True)
    assert GitCheckout(shallow).is_merge_of(feature), "this is what a job on a pull request has"
    assert GitCheckout(shallow).commit(feature) is None, "but it does not have the commit itself"
    repository.git("checkout", "--quiet", "feature")
    assert not repository.checkout.is_merge_of(feature), "the head itself is no merge"


@pytest.mark.parametrize(
    ("address", "repository_name"),
    [
        ("https://user:secret-of-a-remote@github.com/acme/data.git", "acme/data"),
        ("git@github.com:acme/data.git", "acme/data"),
        ("ssh://git@gitlab.example.com:2222/group/sub/data.git", "group/sub/data"),
        ("/somewhere/data.git", None),
        ("file:///somewhere/data.git", None),
    ],
)
def test_the_repository_is_named_by_its_remote(repository: Repository, address: str, repository_name: str) -> None:
    repository.git("remote", "add", "origin", address)
    assert repository.checkout.repository == repository_name
    assert "secret" not in (repository.checkout.remote or "")


def test_the_remotes_branches_are_told_or_nothing_is(repository: Repository, tmp_path: Path) -> None:
    assert repository.checkout.remote_branches() is None, "there is no remote"
    bare = tmp_path / "bare"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    repository.git("remote", "add", "origin", str(bare))
    repository.commit()
    repository.git("push", "--quiet", "origin", "HEAD:main", "HEAD:feature/x")
    assert repository.checkout.remote_branches() == {"main", "feature/x"}


def test_outside_of_git_nothing_is_known(tmp_path: Path) -> None:
    there = GitCheckout(tmp_path)
    assert (there.head, there.branch, there.remote, there.repository, there.is_changed) == (
        None,
        None,
        None,
        None,
        False,
    )
