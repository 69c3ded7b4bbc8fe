"""Which locations ``--only`` and ``--changed-since`` mean, with the real git."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from hybrid.delivery.selection import changes_since, concerned
from hybrid.errors import UsageError

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Place:
    name: str


class Repository:
    """A git repository with the locations ``a`` and ``b`` and one commit, tagged ``base``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        for name in ("locations/a/x.py", "locations/b/x.py", "agent/spec.py"):
            self.write(name, "1")
        self.commit("first")
        self.git("tag", "base")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def places(self, *names: str) -> list[tuple[Place, list[Path]]]:
        return [(Place(name), [self.root / "locations" / name]) for name in names or ("a", "b")]

    def concerned(self, reference: str = "base") -> tuple[tuple[str, ...], set[str]]:
        concern = concerned(changes_since(self.root, reference), self.places())
        return concern.names, {str(PurePosixPath(path)) for path in concern.elsewhere}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_nothing_changed_concerns_nobody(repository: Repository) -> None:
    assert repository.concerned() == ((), set())


@pytest.mark.parametrize("name", ["x.py", "new.py", "deep/er/ü ö\n.py"])
def test_a_file_that_is_not_committed_yet_counts(repository: Repository, name: str) -> None:
    repository.write(f"locations/a/{name}", "2")
    assert repository.concerned() == (("a",), set()), "what would be built is what lies there, committed or not"


def test_a_committed_change_counts_and_one_elsewhere_is_named(repository: Repository) -> None:
    repository.write("locations/b/x.py", "2")
    repository.write("agent/spec.py", "2")
    repository.commit("second")
    assert repository.concerned() == (("b",), {"agent/spec.py"})


def test_a_file_that_went_from_one_location_to_another_concerns_both(repository: Repository) -> None:
    repository.git("mv", "locations/a/x.py", "locations/b/y.py")
    repository.commit("moved")
    assert repository.concerned()[0] == ("a", "b"), "the one that lost it changed too"


def test_what_happened_on_the_other_branch_meanwhile_does_not_count(repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "work")
    repository.write("locations/a/x.py", "2")
    repository.commit("mine")
    repository.git("switch", "-q", "main")
    repository.write("locations/b/x.py", "3")
    repository.commit("theirs")
    repository.git("switch", "-q", "work")
    assert repository.concerned("main")[0] == ("a",), "a pull request is about its own changes"


def test_a_location_is_not_another_whose_name_begins_alike(repository: Repository) -> None:
    repository.write("locations/ab/x.py", "1")
    assert repository.concerned() == ((), {"locations/ab/x.py"})


def test_ignored_files_do_not_count(repository: Repository) -> None:
    repository.write(".gitignore", "*.log\n")
    repository.commit("ignore")
    repository.write("locations/a/x.log", "2")
    assert repository.concerned("HEAD") == ((), set())


def test_a_checkout_below_the_repository_s_top_is_seen(repository: Repository) -> None:
    repository.write("locations/a/x.py", "2")
    changes = changes_since(repository.root / "locations", "base")
    assert concerned(changes, repository.places()).names == ("a",)


def test_a_folder_outside_of_the_repository_is_taken_as_changed_and_named(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "away").mkdir()
    concern = concerned(changes_since(repository.root, "base"), [(Place("away"), [tmp_path / "away"])])
    assert (concern.names, concern.unknown) == (("away",), ("away",)), "not deploying it would be a guess"


def test_an_image_built_elsewhere_has_no_files_to_change(repository: Repository) -> None:
    repository.write("locations/a/x.py", "2")
    concern = concerned(changes_since(repository.root, "base"), [(Place("image"), [])])
    assert concern.names == ()


@pytest.mark.parametrize("reference", ["--output=/tmp/x", "-p", "", "a b", "a\n", "base..HEAD", "x" * 300, "\x00"])
def test_what_could_be_an_option_or_a_range_is_refused_before_git_sees_it(
    repository: Repository, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("git was called")

    monkeypatch.setattr(subprocess, "run", asked)
    with pytest.raises(UsageError, match="is not a commit"):
        changes_since(repository.root, reference)


def test_a_reference_that_is_not_there_is_told(repository: Repository) -> None:
    with pytest.raises(UsageError, match="git knows no commit 'origin/main'") as error:
        changes_since(repository.root, "origin/main")
    assert error.value.next_step is not None
    assert "fetch" in error.value.next_step


def test_a_shallow_clone_is_told_how_to_get_deeper(repository: Repository, tmp_path: Path) -> None:
    for number in (2, 3):
        repository.write("locations/a/x.py", str(number))
        repository.commit(f"number {number}")
    repository.git("clone", "-q", "--depth", "1", repository.root.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(UsageError) as error:
        changes_since(tmp_path / "shallow", "HEAD~2")
    assert "unshallow" in error.value.sentence(), "CI clones are shallow: the way out has to be said"


def test_histories_without_a_common_commit_are_told(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "other")
    repository.commit("unrelated")
    with pytest.raises(UsageError, match="no commit in common"):
        changes_since(repository.root, "base")


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="cannot tell what changed") as error:
        changes_since(tmp_path, "base")
    assert "not a git repository" in (error.value.why or "")
    assert "--only" in (error.value.next_step or ""), "there is another way to choose"


def test_a_machine_without_git_is_told(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not on this machine"):
        changes_since(repository.root, "base")
