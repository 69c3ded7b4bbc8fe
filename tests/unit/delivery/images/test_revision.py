"""Labels that say where an image's sources come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hybrid.delivery.images.revision import REVISION, SOURCE, revision_labels, without_credentials

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://git.example/acme/data.git", "https://git.example/acme/data.git"),
        ("https://me:planted-word@git.example:8443/acme/data", "https://git.example:8443/acme/data"),
        ("https://git.example/acme/data?token=planted-word#x", "https://git.example/acme/data"),
        ("git@git.example:acme/data.git", "git.example:acme/data.git"),
        ("/somebody/at/home", ""),
        ("file:///somebody/at/home", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_credentials_and_never_as_a_path(address: str, shown: str) -> None:
    assert without_credentials(address) == shown, "labels are read by whoever may pull the image"


def test_a_checkout_names_its_commit_and_says_when_it_is_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert revision_labels(tmp_path) == {}, "outside of git nothing is known"
    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    git("tag", "v1")
    git("remote", "add", "origin", "https://me:planted-word@git.example/acme/data")
    commit = git("rev-parse", "HEAD")
    expected = {REVISION: commit, SOURCE: "https://git.example/acme/data"}
    assert revision_labels(tmp_path) == expected, "the commit itself, also where a tag names it"
    (tmp_path / "file").write_text("two")
    assert revision_labels(tmp_path)[REVISION] == f"{commit}-dirty", "what was built is not that commit"
