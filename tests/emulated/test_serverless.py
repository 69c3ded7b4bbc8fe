"""A Serverless deployment with its real agent: a Python executable is deployed and run, and the switch is made."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.emulated.checkout import HYBRID, until
from tests.ports import free_port
from tests.processes import runs

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

DEFINITIONS = """
import dagster as dg

@dg.asset
def first() -> int:
    return 41

@dg.asset
def second(context: dg.AssetExecutionContext, first: int) -> int:
    context.log.info("the file says %s", open("note.txt").read())
    return first + 1

defs = dg.Definitions(
    assets=[first, second],
    jobs=[dg.define_asset_job("both", selection="*", executor_def=dg.in_process_executor)],
)
"""
PROJECT = """
[project]
name = "quick"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["quick"]
"""


@dataclass
class Plus:
    """An embedded Dagster+ as ``hybrid emulator serve`` makes it, and the stock command line beside it."""

    data: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    def cli(self, *arguments: str, cwd: Path | None = None) -> str:
        result = subprocess.run(
            [str(HYBRID.parent / "dagster-cloud"), *arguments],
            cwd=cwd,
            env=environment(
                DAGSTER_CLOUD_URL=f"{self.url}/prod",
                DAGSTER_CLOUD_API_TOKEN=self.token,
                DAGSTER_CLOUD_ORGANIZATION="local",
                PEX_ROOT=str(self.data.parent / "pex-root"),
            ),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert result.returncode == 0, f"dagster-cloud {arguments[:2]} failed:\n{result.stdout[-3000:]}{result.stderr}"
        return result.stdout

    def ask(self, query: str) -> dict[str, Any]:
        headers = {"Dagster-Cloud-Api-Token": self.token}
        answer = httpx.post(f"{self.url}/graphql", json={"query": query}, headers=headers, timeout=30).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def run_to_its_end(self, *more: str) -> tuple[str, str]:
        """The id and last status of a run of the job."""
        number = self.cli("job", "launch", "--location", "quick", "--job", "both", *more).strip().splitlines()[-1]

        def ended() -> str | None:
            status = self.cli("run", "status", number).strip().splitlines()[-1]
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return number, until(ended, seconds=120, what="the run ended")

    def agents(self) -> list[psutil.Process]:
        """The Serverless agent's processes: its guardian, itself, and what it started."""
        home = str(self.data / "serverless")
        return [process for process in psutil.process_iter() if runs(process.pid) and mentions(process, home)]

    def switch(self, agent_type: str) -> None:
        number = self.ask("{ currentDeployment { deploymentId } }")["currentDeployment"]["deploymentId"]
        changed = self.ask(
            f"mutation {{ updateDeploymentAgentType(deploymentId: {number}, deploymentAgentType: {agent_type}) "
            "{ ... on DagsterCloudDeployment { agentType } } }"
        )
        assert changed["updateDeploymentAgentType"] == {"agentType": agent_type}, "the switch was refused"


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAGSTER_", "PULUMI_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PATH": f"{HYBRID.parent}{os.pathsep}{kept['PATH']}", "NO_COLOR": "1", **more}


def mentions(process: psutil.Process, text: str) -> bool:
    try:
        return text in " ".join(process.cmdline()) or text in process.environ().get("DAGSTER_HOME", "")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plus]:
    root = tmp_path_factory.mktemp("serverless")
    port = free_port()
    serve = [str(HYBRID), "emulator", "serve", "--data", str(root / "data"), "--port", str(port)]
    options = ["--agent-type", "serverless", "--serverless-departure", "0"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen([*serve, *options], env=environment(), stdout=log, stderr=log)
    served = Plus(root / "data", f"http://127.0.0.1:{port}", process)
    try:
        agents = "{ agents { status agentLabel } }"
        until((served.data / "api-token").exists, seconds=60, what=f"it serves: {(root / 'log').read_text()}")
        until(lambda: served.ask(agents)["agents"], seconds=120, what="the Serverless agent sent a heartbeat")
        yield served
    finally:
        process.kill()
        process.wait()
        for left in served.agents():
            left.kill()


@pytest.fixture(scope="module")
def deployed(plus: Plus, tmp_path_factory: pytest.TempPathFactory) -> Plus:
    """With the location ``quick``, built and deployed as a Python executable by the stock command."""
    project = tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "note.txt").write_text("a file beside the code")
    (project / "quick").mkdir()
    (project / "quick" / "__init__.py").write_text("")
    (project / "quick" / "definitions.py").write_text(DEFINITIONS)
    how = ["--location-name", "quick", "--module-name", "quick.definitions", "--build-method", "local"]
    said = plus.cli("serverless", "deploy-python-executable", ".", *how, cwd=project)
    assert "Agent synced changes to quick" in said, said
    return plus


def test_the_deployment_is_serverless_and_its_agent_runs(plus: Plus) -> None:
    said = plus.ask(
        "{ currentDeployment { agentType } serverless { status } agents { status agentLabel metadata { key value } } }"
    )
    assert said["currentDeployment"]["agentType"] == "SERVERLESS"
    assert said["serverless"]["status"] == "ACTIVE"
    [agent] = said["agents"]
    assert agent["status"] == "RUNNING"
    assert "Serverless agent" in agent["agentLabel"], "nobody could tell it from a Hybrid agent"


def test_a_run_of_a_python_executable_succeeds_and_its_values_are_stored(deployed: Plus) -> None:
    _, status = deployed.run_to_its_end()
    assert status == "SUCCESS", (deployed.data / "serverless/1/agent.log").read_text()[-4000:]
    stored = {path.name: path for path in (deployed.data / "io_storage" / "prod").iterdir()}
    assert set(stored) == {"@first", "@second"}, "the values did not go where Serverless keeps them"
    assert pickle.loads(stored["@second"].read_bytes()) == 42, "the second asset read another value"  # noqa: S301


def test_a_run_without_isolation_is_run_by_the_code_server(deployed: Plus) -> None:
    number, status = deployed.run_to_its_end("--tags", '{"dagster/isolation": "disabled"}')
    assert status == "SUCCESS"
    run = deployed.ask(f'{{ runOrError(runId: "{number}") {{ ... on Run {{ tags {{ key value }} }} }} }}')["runOrError"]
    keys = {tag["key"] for tag in run["tags"]}
    assert "process/pid" not in keys, "it got a process of its own"


def test_the_agents_token_is_in_no_command_line(deployed: Plus) -> None:
    token = (deployed.data / "serverless" / "1" / "token").read_text().strip()
    processes = deployed.agents()
    assert len(processes) >= 3, "guardian, agent and code server are there"
    assert not any(mentions(process, token) for process in processes), "everybody on the machine can read the token"


def test_a_killed_agent_comes_back(deployed: Plus) -> None:
    def agent() -> psutil.Process | None:
        found = [process for process in deployed.agents() if mentions(process, "agent run")]
        return next((process for process in found if not mentions(process, "guardian")), None)

    before = until(agent, seconds=30, what="the agent runs")
    known = {one["id"] for one in deployed.ask("{ agents { id } }")["agents"]}
    before.kill()

    def anew() -> bool:
        now = agent()
        return now is not None and now.pid != before.pid

    until(anew, seconds=60, what="the agent was started anew")
    asked = "{ agents { id codeServerStates { locationName status } } }"

    def loaded() -> bool:
        new = [one for one in deployed.ask(asked)["agents"] if one["id"] not in known]
        return any({"locationName": "quick", "status": "RUNNING"} in one["codeServerStates"] for one in new)

    until(loaded, seconds=180, what="the new agent has loaded the location")


def test_the_agent_goes_with_the_switch_and_comes_back(deployed: Plus) -> None:
    token = (deployed.data / "serverless" / "1" / "token").read_text().strip()
    deployed.switch("HYBRID")
    until(lambda: not deployed.agents(), seconds=60, what="all of the Serverless agent is gone")

    def refused() -> bool:
        headers, body = {"Dagster-Cloud-Api-Token": token}, {"query": "{ __typename }"}
        return httpx.post(f"{deployed.url}/graphql", json=body, headers=headers).status_code == 401

    until(refused, seconds=10, what="its token is refused")
    deployed.switch("SERVERLESS")
    until(deployed.agents, seconds=60, what="the Serverless agent is back")


def test_nobody_outlives_a_killed_emulator(deployed: Plus) -> None:
    until(lambda: len(deployed.agents()) >= 2, seconds=60, what="the agent runs")
    deployed.process.send_signal(signal.SIGKILL)
    deployed.process.wait()
    until(lambda: not deployed.agents(), seconds=20, what="the agent and what it started are gone")
