"""The lock of a process folder and the folder for locks and sockets. Two updates at once on the real engine, one of
them killed, are the program tests' to show."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hybrid.errors import HybridError
from hybrid.provider import runtime
from hybrid.provider.resource import CancelledError
from hybrid.provider.runtime import DirectoryLock

pytestmark = pytest.mark.unit

DIRECTORY = Path("/srv/stacks/local/processes/agent")


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "folder", lambda: tmp_path)
    return tmp_path


def test_a_socket_path_fits_where_a_checkouts_folder_would_not():
    deep = Path("/home") / "a-long-name" / "/".join(["deeper"] * 30)

    assert len(bytes(runtime.socket_path(deep))) < 104 + len(str(runtime.folder()))
    assert runtime.socket_path(deep) != runtime.socket_path(deep.parent)
    assert len(runtime.socket_path(deep).name) < 30


def test_only_one_holds_the_lock_of_a_folder(call):
    order = []

    def second():
        with DirectoryLock(DIRECTORY, call):
            order.append("second")

    with DirectoryLock(DIRECTORY, call):
        waiting = threading.Thread(target=second)
        waiting.start()
        with DirectoryLock(DIRECTORY.parent, call):
            order.append("first, and another folder's")
        waiting.join(0.2)
        assert waiting.is_alive(), "it waits for the lock"
    waiting.join(5)

    assert order == ["first, and another folder's", "second"]
    assert ("status", "waiting for another update of agent") in call.report.said


def test_a_lock_file_removed_between_opening_and_locking_is_not_what_is_held(call, locks, monkeypatch):
    real = runtime.fcntl.flock
    removals = iter([True])

    def removed_once(descriptor, how):
        for _ in removals:
            next(locks.glob("*.lock")).unlink()
        real(descriptor, how)

    monkeypatch.setattr(runtime.fcntl, "flock", removed_once)

    with DirectoryLock(DIRECTORY, call):
        call.cancelled.set()
        with pytest.raises(CancelledError), DirectoryLock(DIRECTORY, call):
            pytest.fail("two hold what they believe to be the same lock")


def test_a_cancellation_ends_the_wait_for_a_lock(call):
    with DirectoryLock(DIRECTORY, call):
        call.cancelled.set()
        with pytest.raises(CancelledError), DirectoryLock(DIRECTORY, call):
            pass


def test_a_folder_that_others_may_open_is_refused(tmp_path, monkeypatch):
    monkeypatch.undo()
    opened = tmp_path / "opened"
    opened.mkdir()
    opened.chmod(0o755)
    monkeypatch.setattr(runtime, "Path", lambda _: opened)

    with pytest.raises(HybridError, match="cannot be used for sockets"):
        runtime.folder()
