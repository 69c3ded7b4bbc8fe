"""Running commands and asking the network, for real, against this machine's shell and a name that never resolves."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from hybrid.redaction import register
from hybrid.toolchain import machine
from hybrid.toolchain.machine import Answer, Machine, run_to_its_end
from tests.processes import runs

pytestmark = pytest.mark.unit

ENVIRON = {"PATH": os.defpath}


def test_output_and_code_are_the_answer() -> None:
    answer = run_to_its_end(["sh", "-c", "echo out; echo err >&2; exit 3"], ENVIRON, seconds=20)
    assert answer == Answer(3, "out\nerr\n"), "both streams matter: tools put reasons on either"


def test_a_command_that_is_not_there_is_an_answer_too() -> None:
    answer = run_to_its_end(["hybrid-has-no-such-tool"], ENVIRON, seconds=20)
    assert answer.code == 127, "as shells say it"
    assert "hybrid-has-no-such-tool" in answer.output, "the reader learns what is missing"


def test_what_runs_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    answer = run_to_its_end(["sh", "-c", script], ENVIRON, seconds=1)
    assert answer.code == 124, "the caller can tell it from a failure"
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 20
    while runs(child):
        assert time.monotonic() < deadline, "a grandchild must not go on behind the person's back"
        threading.Event().wait(0.02)


def test_secrets_in_a_tools_words_are_hidden() -> None:
    register("proxy-passw0rd-1")
    answer = run_to_its_end(["sh", "-c", "echo https://me:proxy-passw0rd-1@proxy"], ENVIRON, seconds=20)
    assert "proxy-passw0rd-1" not in answer.output, "a module proxy's address may hold a password"


def test_a_lookup_that_hangs_does_not_hold_the_command_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hang, asked = threading.Event(), threading.Event()

    def refusal(_url: str, _seconds: float) -> None:
        asked.set()
        hang.wait(60)

    monkeypatch.setattr(machine, "_refusal", refusal)
    reason = machine.unreachable("https://get.pulumi.com", 0.05)
    hang.set()
    assert asked.wait(20), "it was asked"
    assert reason == "no answer within 0 s", "name servers may take half a minute; nobody waits for that"


def test_a_name_that_does_not_exist_is_unreachable_with_the_systems_reason() -> None:
    reason = machine.unreachable("https://nowhere.invalid/", 20)
    assert reason, "RFC 6761 keeps .invalid from ever resolving"


def test_the_last_words_are_the_last_lines_that_say_something() -> None:
    answer = Answer(1, "a\nb\n\nc\nd\n  e\n\n")
    assert answer.last_words == "b\nc\nd\ne", "tools end with the reason"
    assert "code 7" in Answer(7, " \n").last_words, "silence is said too"


def test_a_tool_is_found_where_its_installer_put_it_though_not_on_path(tmp_path: Path) -> None:
    tool = tmp_path / "go"
    tool.write_text("")
    tool.chmod(0o755)
    found = Machine(environ={"PATH": ""}, tools=tmp_path, more_folders=(tmp_path,)).which("go")
    assert found == tool, "Go's installer leaves PATH to the person"
