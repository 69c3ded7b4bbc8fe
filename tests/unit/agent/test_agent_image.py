"""What the agent's image is started with: its entrypoint and its health check, without the image around them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.image.hybrid_agent_health import LOADED, LONGEST_TURN, TURNS, trouble

pytestmark = pytest.mark.unit

IMAGE = Path(__file__).resolve().parents[3] / "agent" / "image"
TOKEN = "agent:acme:" + "6" * 32


def start(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HYBRID_AGENT_TOKEN_FILE": str(folder / "token"),
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": str(folder / "signs of life"),
    }
    return subprocess.run(
        ["/bin/sh", str(IMAGE / "entrypoint.sh"), *command], env=environment, capture_output=True, text=True
    )


def test_the_token_reaches_the_agent_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    done = start(tmp_path, "sh", "-c", 'printf %s "$DAGSTER_CLOUD_AGENT_TOKEN"')
    assert (done.returncode, done.stdout) == (0, TOKEN), "without the line's end that editors add"


def test_the_agents_own_arguments_and_exit_code_are_kept(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    done = start(tmp_path, "sh", "-c", 'echo "$1"; exit 7', "name", "two words; $HOME")
    assert (done.returncode, done.stdout) == (7, "two words; $HOME\n")


@pytest.mark.parametrize("text", [None, "", "\n"], ids=["no file", "empty", "a line's end"])
def test_without_a_token_it_says_where_it_is_missing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)
    done = start(tmp_path, "echo", "started")
    assert done.returncode == 78
    assert str(tmp_path / "token") in done.stderr
    assert "started" not in done.stdout


def test_signs_of_life_of_an_earlier_start_are_removed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    signs = tmp_path / "signs of life"
    signs.mkdir()
    for name in (LOADED, TURNS):
        (signs / name).touch()
    start(tmp_path, "true")
    assert list(signs.iterdir()) == [], "a container that is started again would be healthy at once"


def test_an_agent_is_healthy_while_it_asks_for_work(tmp_path: Path) -> None:
    (tmp_path / LOADED).touch()
    (tmp_path / TURNS).touch()
    last = (tmp_path / TURNS).stat().st_mtime
    assert trouble(str(tmp_path), last + LONGEST_TURN - 1) is None
    assert "has not asked Dagster+ for work for 121 s" in str(trouble(str(tmp_path), last + LONGEST_TURN + 1))


def test_an_agent_that_has_not_loaded_or_not_asked_is_not_healthy_yet(tmp_path: Path) -> None:
    assert "not started its code servers" in str(trouble(str(tmp_path), 0))
    (tmp_path / LOADED).touch()
    assert "not asked Dagster+ for work yet" in str(trouble(str(tmp_path), 0))


def test_the_check_answers_with_exit_codes(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-E", str(IMAGE / "hybrid_agent_health.py")]
    environment = {"DAGSTER_CLOUD_AGENT_SENTINEL_DIR": str(tmp_path)}
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 1
    for name in (LOADED, TURNS):
        (tmp_path / name).touch()
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0
