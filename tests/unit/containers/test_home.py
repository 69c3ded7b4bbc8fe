"""The folder of what is stood up: who uses it, what a stale file in it does."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers import packages
from tests.containers.home import FOLDER_VARIABLE, ContainersError, Home, process_of, write

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def _dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_looking_makes_no_folder(home: Home) -> None:
    assert home.notes() == {}, "where nothing stands there are no notes"
    assert not home.has(os.getpid()), "nobody uses what does not stand"
    assert not home.path.exists(), "every run of pytest looks: it must leave nothing"


def test_the_folder_is_for_its_user_alone(home: Home) -> None:
    with home.locked():
        home.note({"password": "x"})
    assert home.path.stat().st_mode & 0o777 == 0o700, "it holds a password"
    assert (home.path / "notes.json").stat().st_mode & 0o777 == 0o600, "it holds a password"


def test_notes_that_are_half_written_count_as_none(home: Home) -> None:
    with home.locked():
        (home.path / "notes.json").write_text('{"engine": ')
    assert home.notes() == {}, "a cut file must not stop the next `up`"


def test_a_pid_file_of_another_program_is_not_believed(home: Home) -> None:
    with home.locked():
        write(home.path / "pid", str(os.getpid()))
    assert process_of(home.path / "pid", "/no/such/daemon.json") is None, "the number was given again to us"
    write(home.path / "pid", str(_dead_process()))
    assert process_of(home.path / "pid", "") is None, "the process is gone"
    write(home.path / "pid", "no number")
    assert process_of(home.path / "pid", "") is None, "a broken file is no process"


def test_a_session_that_died_is_forgotten(home: Home) -> None:
    with home.locked():
        home.join(os.getpid())
        home.join(_dead_process())
        assert home.others() == [os.getpid()], "only the living use it"
        home.leave(os.getpid())
        assert home.others() == [], "who left does not use it"


def test_a_folder_whose_socket_would_be_too_long_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ContainersError, match=FOLDER_VARIABLE):
        Home.of({FOLDER_VARIABLE: str(tmp_path / ("long" * 30))})


def _use(path: Path, alone: bool, inside: multiprocessing.Event, end: multiprocessing.Event) -> None:
    with Home(path).engine_used(alone=alone):
        inside.set()
        end.wait(30)


def test_a_test_that_looks_at_the_whole_engine_waits_for_the_others(home: Home) -> None:
    spawn = multiprocessing.get_context("fork")
    others = [(spawn.Event(), spawn.Event()) for _ in range(2)]
    users = [spawn.Process(target=_use, args=(home.path, False, *events)) for events in others]
    inside, end = spawn.Event(), spawn.Event()
    alone = spawn.Process(target=_use, args=(home.path, True, inside, end))
    for user in users:
        user.start()
    assert all(entered.wait(20) for entered, _ in others), "two that share must be in at once"
    alone.start()
    assert not inside.wait(0.3), "who wants to be alone must wait while others are in"
    for _, go in others:
        go.set()
    assert inside.wait(20), "and gets in when they are out"
    end.set()
    for process in (*users, alone):
        process.join(20)


def test_without_apt_or_root_the_packages_to_install_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "which", lambda command, environ: None)
    with pytest.raises(ContainersError, match=r"apt-get install docker\.io iptables"):
        packages.need(["dockerd", "iptables"], {})


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "which", lambda command, environ: f"/usr/bin/{command}")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing was missing"))
    packages.need(["dockerd", "docker", "iptables"], {})
