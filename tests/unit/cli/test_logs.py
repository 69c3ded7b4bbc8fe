"""``hybrid logs``: which log is meant. The docker client is a script that answers as docker does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid.cli import main

pytestmark = pytest.mark.unit

Call = Callable[..., tuple[int, str, str]]

PLANTED = "agent:acme:" + "c" * 32
ROWS = "\n".join(
    [
        "clever_bohr\thello\t5b1c",
        "hello-prod-def456\thello\t",
        "hello-prod-abc123\thello\t",
        "hybrid-there-agent\t\t",
        "",
    ]
)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run ``hybrid`` in an empty checkout with the stack files `there` (Docker) and `here` (processes)."""
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    (stacks / "Pulumi.there.yaml").write_text(
        "config:\n  hybrid:agent: {kind: docker}\n  hybrid:registry: {address: localhost:1}\n"
    )
    (stacks / "Pulumi.here.yaml").write_text("config: {}\n")
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hybrid", *arguments])
        code: object = None
        try:
            main.run()
        except SystemExit as ended:
            code = ended.code
        out, err = capfd.readouterr()
        return (code if isinstance(code, int) else 0), out, err

    return run


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only docker on PATH. Returns the file in which it keeps the calls for logs."""
    folder, asked = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    version = json.dumps({"Client": {"Version": "27.0.0"}, "Server": {"Version": "27.0.0"}})
    (folder / "docker").write_text(
        f"#!/bin/sh\ncase \"$1\" in\nversion) echo '{version}';;\n"
        f"ps) printf '{ROWS}'; echo \"$*\" > '{asked}.ps';;\n"
        f"logs) echo \"$*\" > '{asked}'; printf '\\033[32msaid\\033[0m\\n'; echo '{PLANTED}' >&2;;\n"
        "*) exit 64;;\nesac\n"
    )
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return asked


def test_a_docker_agent_s_log_is_its_container_s(call: Call, client: Path) -> None:
    code, out, err = call("logs", "there", "-n", "7")

    assert code == 0, err
    assert client.read_text() == "logs --tail 7 hybrid-there-agent\n", "the agent's, and no more than was asked for"
    assert "label=io.dagster-hybrid.stack=there" in Path(f"{client}.ps").read_text(), "no other stack's containers"
    assert out.startswith("said\n"), "what the container printed, without colours where no terminal is"
    assert PLANTED not in out, "a token that code has printed does not reach the terminal"
    assert "[redacted]" in out, "what a container wrote to its error stream is shown, too"


def test_a_location_that_cannot_be_read_does_not_keep_the_agent_s_log(call: Call, client: Path, tmp_path: Path) -> None:
    broken = tmp_path / "locations" / "broken"
    broken.mkdir(parents=True)
    (broken / "build.yaml").write_text("locations: [\n")

    assert call("logs", "there", "hello")[0] == 3, "the location's files are wrong"
    code, out, err = call("logs", "there")
    assert (code, out.startswith("said\n")) == (0, True), err


def test_following_is_docker_s(call: Call, client: Path) -> None:
    assert call("logs", "there", "-f")[0] == 0
    assert "--follow" in client.read_text()


def test_a_code_location_s_log_is_its_newest_code_server_s(call: Call, client: Path) -> None:
    assert call("logs", "there", "hello")[0] == 0
    assert client.read_text().split()[-1] == "hello-prod-def456", "neither the one it replaces, nor a run's container"


def test_what_a_docker_stack_has_not_is_refused_with_what_it_has(call: Call, client: Path) -> None:
    code, _, err = call("logs", "there", "nosuch")

    assert code == 2
    assert "agent, hello" in err, "what can be asked for"
    assert not client.exists(), "no other container of the engine is looked at"


def test_without_an_engine_that_is_said(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = call("logs", "there")

    assert code == 4
    assert "docker" in err


def test_the_emulator_of_a_docker_stack_is_a_process_of_this_machine(call: Call, client: Path, tmp_path: Path) -> None:
    log = tmp_path / ".hybrid/stacks/there/processes/emulator/output.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")

    assert call("logs", "there", "emulator", "-n", "1") == (0, "two\n", ""), "from its file, without asking an engine"


def test_a_stack_that_is_not_up_and_one_that_there_is_not_are_told_apart(call: Call) -> None:
    code, _, err = call("logs", "here")
    assert (code, "hybrid up here" in err) == (2, True), "there is nothing to read yet"
    code, _, err = call("logs", "nosuch")
    assert (code, "There is no stack 'nosuch'." in err) == (3, True), "to stand it up would not help"
