"""A context's hash: what changes it, what does not, and what is refused. What Docker makes of the same folder is for
tests/images to show."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.delivery.images.context import folded, read_context
from hybrid.delivery.images.errors import ContextError
from hybrid.delivery.images.ignore import IgnoreRules

pytestmark = pytest.mark.unit

NOTHING = IgnoreRules("")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    (tmp_path / "src" / "deep" / "b.py").write_text("b = 2\n")
    (tmp_path / "link").symlink_to("src/a.py")
    return tmp_path


def hash_of(folder, text=""):
    return read_context(folder, IgnoreRules(text)).hash


def test_each_entry_is_listed_with_its_mode(folder):
    (folder / "src" / "a.py").chmod(0o640)
    (folder / "src").chmod(0o750)
    entries = read_context(folder, NOTHING).entries

    assert list(entries) == ["link", "src/", "src/a.py", "src/deep/", "src/deep/b.py"]
    assert entries["src/"] == "0750 folder"
    assert entries["src/a.py"].startswith("0640 "), "the mode is what the image will have"
    assert entries["link"] == "link src/a.py", "a link is sent as a link"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "src" / "a.py").write_text("a = 2\n"),
        lambda folder: (folder / "src" / "a.py").chmod(0o755),
        lambda folder: (folder / "src").chmod(0o700),
        lambda folder: (folder / "src" / "a.py").rename(folder / "src" / "c.py"),
        lambda folder: (folder / "empty").mkdir(),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("src/deep/b.py")),
        lambda folder: (folder / "src" / "deep" / "b.py").unlink(),
    ],
    ids=["bytes", "mode", "folder's mode", "name", "empty folder", "link's target", "a file gone"],
)
def test_what_docker_would_send_otherwise_changes_the_hash(folder, change):
    before = hash_of(folder)
    change(folder)

    assert hash_of(folder) != before, "the image would be another one"


def test_times_and_what_is_left_out_do_not_change_the_hash(folder):
    before = hash_of(folder, "cache\n*.log")
    os.utime(folder / "src" / "a.py", (1, 1))
    (folder / "cache").mkdir()
    (folder / "cache" / "x").write_text("x")
    (folder / "a.log").write_text("x")

    assert hash_of(folder, "cache\n*.log") == before, "the image would be the same"


def test_a_file_larger_than_one_read_is_hashed_whole(folder):
    large = folder / "large"
    large.write_bytes(b"x" * (2 * 1024 * 1024 + 3))
    before = hash_of(folder)
    with large.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")

    assert hash_of(folder) != before, "its last byte counts"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "src/../../outside"])
def test_a_link_that_leads_out_is_refused(folder, target):
    (folder / "bad").symlink_to(target)

    with pytest.raises(ContextError, match="bad is a link that leads out of the build context"):
        hash_of(folder)
    assert hash_of(folder, "bad"), "one that is not sent harms nobody"


def test_a_socket_and_a_pipe_are_refused(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ContextError, match="pipe is no file, folder or link"):
        hash_of(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        with pytest.raises(ContextError, match="is no file, folder or link"):
            hash_of(folder)


def test_too_many_files_and_too_many_bytes_are_refused_with_the_largest_folder(folder):
    for number in range(20):
        (folder / "src" / f"{number}.txt").write_text("x" * 100)

    with pytest.raises(ContextError, match=r"(?s)more than 10 files.*Most files are in src") as raised:
        read_context(folder, NOTHING, most_entries=10)
    assert ".dockerignore" in raised.value.sentence(), "the way out is named"
    with pytest.raises(ContextError, match="or 0 MB"):
        read_context(folder, NOTHING, most_bytes=500)


def test_a_name_that_is_not_utf_8_is_refused(folder):
    os.mkdir(os.fsencode(folder) + b"/\xff")  # noqa: PTH102 - a name that no Path of text has

    with pytest.raises(ContextError, match="a name that is not UTF-8"):
        hash_of(folder)


def test_a_file_that_vanishes_or_cannot_be_read_is_named(folder, monkeypatch):
    monkeypatch.setattr(os, "readv", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied", "x")))

    with pytest.raises(ContextError, match=r"(?s)x cannot be read.*Permission denied"):
        hash_of(folder)


def test_with_exceptions_the_left_out_files_are_named_one_by_one(folder):
    (folder / "src" / "x y.py ").write_text("")
    (folder / "src" / "[z]").write_text("")
    text = "**\n!src/a.py"
    context = read_context(folder, IgnoreRules(text))

    assert list(context.entries) == ["src/", "src/a.py"]
    assert context.ignore_text.splitlines() == ["link", r"src/\[z\]", "src/deep", r"src/x\ y.py[ ]"]
    assert read_context(folder, IgnoreRules(context.ignore_text)).hash == context.hash, "both say the same"


def test_without_exceptions_the_file_is_handed_on_as_it_is(folder):
    assert read_context(folder, IgnoreRules("# mine\n*.log\n")).ignore_text == "# mine\n*.log\n"


@given(st.integers(1, 60), st.integers(1, 5))
def test_a_fold_is_small_and_still_tells_what_changed(width, depth):
    entries = {
        "/".join([f"d{number % width}", *(f"e{level}" for level in range(depth)), f"{number}"]): f"0644 {number}"
        for number in range(200)
    }
    before = folded(entries, 100)
    changed = next(iter(entries))
    after = folded({**entries, changed: "0644 other"}, 100)

    assert len(before) <= 100, "a state stays small"
    different = {key for key in before if before[key] != after[key]}
    assert len(different) == 1, "one file changes one entry"
    assert changed.startswith(different.pop().removesuffix("…")), "which is of a folder above it"
