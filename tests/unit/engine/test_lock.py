"""Who may update a stack. Processes are real; Pulumi's own lock files are written as its file backend writes them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hybrid.engine.lock import UpdateLock, dead_engine_locks, half_written_notes
from hybrid.errors import StackBusyError

pytestmark = pytest.mark.unit

HOLD = """
import sys
from pathlib import Path
from hybrid.engine.lock import UpdateLock
with UpdateLock(Path(sys.argv[1]), "local"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def engine_lock(folder: Path, pid: int, host: str) -> Path:
    file = folder / f"{pid}.json"
    file.write_text(json.dumps({"pid": pid, "username": "x", "hostname": host, "timestamp": "2026-01-01T00:00:00Z"}))
    return file


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_update_is_refused_and_told_who_holds_the_stack(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        with pytest.raises(StackBusyError, match=str(first.pid)), UpdateLock(tmp_path, "local"):
            pass
    finally:
        first.communicate()


def test_a_killed_update_does_not_hold_the_stack(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.wait()
    with UpdateLock(tmp_path, "local"):
        pass  # entering is the proof: the kernel frees the lock with the process


def test_the_cli_that_a_killed_update_left_is_ended(tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    said: list[str] = []
    UpdateLock(tmp_path, "local").record_child(orphan.pid)
    with UpdateLock(tmp_path, "local") as lock:
        lock.end_orphan(said.append)
    assert not psutil.pid_exists(orphan.pid), "two engines on one state would lose each other's work"
    assert said, "ending a process is said aloud"


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "update.json").write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    with UpdateLock(tmp_path, "local") as lock:
        lock.end_orphan(lambda text: pytest.fail(f"nothing was to be ended: {text}"))


def test_a_lock_of_a_dead_process_here_may_be_cleared(tmp_path: Path) -> None:
    file = engine_lock(tmp_path, ended_pid(), socket.gethostname())
    assert dead_engine_locks(tmp_path) == [file]


def test_a_lock_that_was_cut_off_while_written_may_be_cleared(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"pid": 1')
    assert len(dead_engine_locks(tmp_path)) == 1, "its writer died before it began to work"


@pytest.mark.parametrize("host", ["here", "elsewhere.example"])
def test_a_lock_that_somebody_may_hold_is_never_cleared(tmp_path: Path, host: str) -> None:
    pid = os.getpid() if host == "here" else ended_pid()
    engine_lock(tmp_path, pid, socket.gethostname() if host == "here" else host)
    with pytest.raises(StackBusyError, match="pulumi cancel"):
        dead_engine_locks(tmp_path)


def test_only_notes_that_a_killed_engine_left_empty_are_in_the_way(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi" / "stacks" / "hybrid"
    stacks.mkdir(parents=True)
    for name, text in {"prod.json": "", "prod.json.attrs": "", "dev.json.attrs": '{"md5": "x"}'}.items():
        (stacks / name).write_text(text)
    assert half_written_notes(tmp_path) == [stacks / "prod.json.attrs"], "state itself is never among them"
    assert half_written_notes(tmp_path / "not there yet") == []
