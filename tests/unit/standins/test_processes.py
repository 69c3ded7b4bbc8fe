"""Processes that tests start, as they end them and read what they write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import end, whole_lines

pytestmark = pytest.mark.unit

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"


def test_a_process_that_does_not_end_when_asked_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # from here on it does not end when asked
        end(process, 0.1)
        assert process.returncode == -9, "it would outlive the tests"


def test_one_that_has_ended_and_none_at_all_are_left() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
        end(process, 0.1)
        end(None, 0.1)
    assert process.returncode == 3


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert whole_lines(file) == [], "nothing was written yet"
    file.write_text("one\ntwo\nthr")
    assert whole_lines(file) == ["one", "two"], "the third is not whole"
