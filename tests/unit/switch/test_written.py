"""Proposed files beside those that are there: what somebody wrote is never replaced."""

from __future__ import annotations

import os
import stat

import pytest

from hybrid.errors import SettingsError
from hybrid.switch.fixes.fix import ProposedFile
from hybrid.switch.fixes.mark import marked
from hybrid.switch.written import beside, write

pytestmark = pytest.mark.unit

WHOLE = ProposedFile("a/Dockerfile", marked("FROM x\n"))
EDIT = ProposedFile("a/defs.py", "x = 2\r\n", "x = 1\r\n")


def standings(root, *files):
    return [each.standing for each in beside(root, files)]


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_new_files_and_edits_are_written_once_and_then_there_is_nothing_to_write(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/defs.py").write_bytes(b"x = 1\r\n")
    (tmp_path / "a/defs.py").chmod(0o775)

    found = beside(tmp_path, [WHOLE, EDIT])
    assert [each.standing for each in found] == ["new", "edit"]
    assert write(tmp_path, found) == ("a/Dockerfile", "a/defs.py")
    assert tree(tmp_path) == {"a/Dockerfile": WHOLE.text.encode(), "a/defs.py": b"x = 2\r\n"}, "and nothing beside them"
    assert stat.S_IMODE((tmp_path / "a/defs.py").stat().st_mode) == 0o775, "whatever the umask is"

    again = beside(tmp_path, [WHOLE, EDIT])
    assert [each.standing for each in again] == ["same", "same"]
    assert [each.difference for each in again] == ["", ""]
    assert write(tmp_path, again) == ()


def test_what_somebody_edited_is_left_and_what_was_once_written_is_brought_up_to_date(tmp_path):
    (tmp_path / "a").mkdir()
    place = tmp_path / "a/Dockerfile"
    place.write_text(marked("FROM old\n"))
    assert standings(tmp_path, WHOLE) == ["outdated"]

    for text in (marked("FROM old\n") + "RUN mine\n", "FROM mine\n", ""):
        place.write_text(text)
        found = beside(tmp_path, [WHOLE])
        assert found[0].standing == "edited", "it is not ours any more, or never was"
        assert "+FROM x" in found[0].difference
        assert write(tmp_path, found) == ()
        assert place.read_text() == text


def test_an_edit_of_a_file_that_is_another_one_by_now_is_not_written(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/defs.py").write_bytes(b"x = 1  # mine\n")
    assert standings(tmp_path, EDIT) == ["edited"]


def test_a_file_that_changes_while_it_is_looked_at_is_left_and_nothing_half_made_stays(tmp_path):
    (tmp_path / "a").mkdir()
    place = tmp_path / "a/defs.py"
    place.write_bytes(b"x = 1\r\n")
    found = beside(tmp_path, [EDIT])
    place.write_bytes(b"x = 3\n")

    with pytest.raises(SettingsError, match="changed while"):
        write(tmp_path, found)
    assert tree(tmp_path) == {"a/defs.py": b"x = 3\n"}


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../out", "", "link/f", "link"])
def test_nothing_is_read_or_written_outside_or_through_a_link(tmp_path, path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="plain"):
        beside(root, [ProposedFile(path, "x")])
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "a").mkdir()
    if content is None:
        (tmp_path / "a/Dockerfile").mkdir()
    else:
        (tmp_path / "a/Dockerfile").write_bytes(content)
    with pytest.raises(SettingsError, match="plain text"):
        beside(tmp_path, [WHOLE])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o500)
    with pytest.raises(SettingsError, match="cannot be written"):
        write(tmp_path, beside(tmp_path, [WHOLE]))


def test_a_full_disk_leaves_everything_as_it_was(tmp_path, monkeypatch):
    found = beside(tmp_path, [WHOLE, ProposedFile("b", "x")])
    synced = []

    def full(number):
        synced.append(number)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="cannot be written"):
        write(tmp_path, found)
    assert tree(tmp_path) == {}
