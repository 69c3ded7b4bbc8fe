"""The processes of Serverless's agents and their guardian: who is kept running, with what, and who goes when. A
stand-in that waits is what runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hybrid.emulator.organization import Organization
from hybrid.emulator.serverless.agents import ServerlessAgents
from hybrid.emulator.serverless.home import AgentHome
from hybrid.emulator.serverless.options import ServerlessOptions
from tests.processes import arguments, runs

pytestmark = pytest.mark.unit

Poll = Callable[..., Any]


@pytest.fixture
def agents(
    organization: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ServerlessAgents]]:
    """Serverless agents whose processes write their own and their child's number, and wait."""
    script = tmp_path / "agent.py"
    script.write_text(
        "import json, os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "told = pathlib.Path(os.environ['DAGSTER_HOME'], 'told.json')\n"
        "told.with_suffix('.draft').write_text(json.dumps([os.getpid(), child.pid, dict(os.environ), sys.argv]))\n"
        "told.with_suffix('.draft').rename(told)\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(AgentHome, "command", lambda home: [sys.executable, str(script), str(home.folder)])
    made: list[ServerlessAgents] = []

    def make(**options: Any) -> ServerlessAgents:
        organization.serverless = ServerlessOptions(**options)
        made.append(ServerlessAgents(organization, tmp_path, "http://127.0.0.1:9"))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.close()


def told(tmp_path: Path, poll: Poll, number: int = 1) -> tuple[int, int, dict[str, str], list[str]]:
    """What the process said of itself, once."""
    file = tmp_path / "serverless" / str(number) / "told.json"
    poll(file.exists)
    said = json.loads(file.read_text())
    file.unlink()
    return said[0], said[1], said[2], said[3]


def test_a_serverless_deployment_has_an_agent_with_a_token_of_its_own(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    agents()
    process, _, environment, words = told(tmp_path, poll)
    token = environment["DAGSTER_CLOUD_AGENT_TOKEN"]
    record = organization.tokens.verify(token)
    assert record is not None
    assert (record.kind, record.description) == ("agent", "Serverless agent (prod)")
    lines = [" ".join(arguments(one)) for one in psutil.process_iter()]
    assert words, "the test's process has arguments"
    assert not any(token in line for line in lines), "the token is in a command line, for everybody to read"
    home = tmp_path / "serverless" / "1"
    assert token not in (home / "dagster.yaml").read_text(), "the token is in the configuration"
    assert (home / "token").stat().st_mode & 0o077 == 0, "others may read the token"
    assert runs(process)


def test_the_agent_gets_what_serverless_tasks_have_and_nothing_else_of_this_machine(
    agents: Any, tmp_path: Path, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "AWS_SECRET_ACCESS_KEY", "DAGSTER_CLOUD_API_TOKEN", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.setenv(name, "leaked")
    agents()
    environment = told(tmp_path, poll)[2]
    assert "leaked" not in environment.values(), "user code would see what is this machine's"
    assert environment["DAGSTER_DEFAULT_IO_MANAGER_MODULE"] == "dagster_cloud.serverless.io_manager"
    assert environment["DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE"] == "serverless_io_manager"
    assert environment["SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL"] == "1"


def test_the_agent_goes_after_the_switch_with_its_children_and_its_token_and_comes_back(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    agents(departure_seconds=1)
    process, child, environment, _ = told(tmp_path, poll)
    organization.deployments.set_agent_type(1, "HYBRID")
    assert runs(process), "it goes at once, and was told to stay for a second"
    poll(lambda: not runs(process) and not runs(child))
    poll(lambda: organization.tokens.verify(environment["DAGSTER_CLOUD_AGENT_TOKEN"]) is None)
    organization.deployments.set_agent_type(1, "SERVERLESS")
    again = told(tmp_path, poll)
    assert runs(again[0]), "after the way back there is no agent"
    assert organization.tokens.verify(again[2]["DAGSTER_CLOUD_AGENT_TOKEN"]) is not None, "its token is refused"


def test_an_agent_that_dies_takes_its_children_along_and_is_started_anew(
    agents: Any, tmp_path: Path, poll: Poll
) -> None:
    agents()
    process, child, environment, _ = told(tmp_path, poll)
    os.kill(process, signal.SIGKILL)
    poll(lambda: not runs(child))
    again = told(tmp_path, poll)
    assert again[0] != process
    assert again[2]["DAGSTER_CLOUD_AGENT_TOKEN"] == environment["DAGSTER_CLOUD_AGENT_TOKEN"], (
        "each death would leave a token behind"
    )


def test_a_killed_guardian_leaves_nobody_behind(agents: Any, tmp_path: Path, poll: Poll) -> None:
    agents()
    process, child, _, _ = told(tmp_path, poll)
    os.kill(psutil.Process(process).ppid(), signal.SIGKILL)
    poll(lambda: not runs(process) and not runs(child))
    assert told(tmp_path, poll)[0] != process, "nobody is started in its place"


def test_a_hybrid_deployment_has_no_serverless_agent(agents: Any, organization: Organization, tmp_path: Path) -> None:
    organization.deployments.set_agent_type(1, "HYBRID")
    keeper = agents(departure_seconds=0)
    organization.deployments.create("other", "HYBRID")
    assert not any(keeper.wants_agent(one) for one in organization.deployments.all()), "HYBRID ones have no such agent"
    assert not (tmp_path / "serverless").exists(), "an agent was prepared for a HYBRID deployment"


def test_a_token_whose_time_ended_while_we_were_away_is_revoked(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    keeper = agents(departure_seconds=0)
    token = told(tmp_path, poll)[2]["DAGSTER_CLOUD_AGENT_TOKEN"]
    keeper.close()
    assert organization.tokens.verify(token) is not None, "an end of the emulator is no switch"
    organization.deployments.set_agent_type(1, "HYBRID")
    agents(departure_seconds=0)
    poll(lambda: organization.tokens.verify(token) is None)


def test_the_guardians_command_dies_with_whoever_started_it(tmp_path: Path, poll: Poll) -> None:
    """As when the emulator is killed with SIGKILL: nobody can say anything to anybody any more."""
    numbers = tmp_path / "numbers"
    command = f"import os, time; open({str(numbers)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    guardian = [sys.executable, "-m", "hybrid.emulator.serverless.guardian", sys.executable, "-c", command]
    emulator = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen({guardian!r}, stdin=subprocess.PIPE, start_new_session=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", emulator], cwd=Path(__file__).parents[4])
    poll(lambda: numbers.exists() and numbers.read_text())
    agent = int(numbers.read_text())
    guardians_number = psutil.Process(agent).ppid()
    parent.kill()
    parent.wait()
    poll(lambda: not runs(agent) and not runs(guardians_number))


def test_a_gentle_end_lets_the_agent_finish(tmp_path: Path, poll: Poll) -> None:
    mark = tmp_path / "mark"
    command = (
        "import pathlib, signal, sys, time\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (mark.write_text('finished'), sys.exit(0)))\n"
        "mark.write_text('ready')\n"
        "time.sleep(600)"
    )
    guardian = subprocess.Popen(
        [sys.executable, "-m", "hybrid.emulator.serverless.guardian", sys.executable, "-c", command],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).parents[4],
    )
    poll(lambda: mark.exists() and mark.read_text() == "ready")
    assert guardian.stdin is not None
    guardian.stdin.write(b"e")
    guardian.stdin.flush()
    guardian.wait(20)
    assert mark.read_text() == "finished", "the agent was not asked to end before it was killed"


def test_a_guardian_without_a_group_of_its_own_refuses() -> None:
    """Or it would kill whoever is in its caller's group."""
    result = subprocess.run(
        [sys.executable, "-m", "hybrid.emulator.serverless.guardian", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[4],
    )
    assert b"process group" in result.stderr, "it went on in somebody else's group"
    assert result.returncode == 1
