"""An embedded Dagster+ by itself, with as many real agents as a test wants, and no stack around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psutil
import yaml

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.launchers import stock_process_launcher
from agent.spec import LocalAgentSpec
from tests.emulated.checkout import HYBRID, until
from tests.ports import free_port

AGENT = Path(sys.executable).with_name("dagster-cloud")
LOADED_SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would lead Dagster elsewhere or make it slow."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("DAGSTER_", "PULUMI_")) and key != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, **more}


@dataclass
class RunningAgent:
    """A real ``dagster-cloud agent run`` with its home."""

    process: subprocess.Popen[bytes]
    home: Path
    label: str

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8", errors="replace")

    def code_servers(self) -> list[psutil.Process]:
        """The code servers that it started and that are up."""
        return [one for one in psutil.process_iter() if self._is_code_server(one)]

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            self.process.wait(20)

    def destroy(self) -> None:
        """It and all that it started."""
        self.stop(signal.SIGKILL)
        for process in psutil.process_iter():
            if self._is_mine(process):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("DAGSTER_HOME") == str(self.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False

    def _is_code_server(self, process: psutil.Process) -> bool:
        try:
            return self._is_mine(process) and "grpc" in process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False


class ServedOrganization:
    """``with ServedOrganization(folder) as plus:`` serves one until the block ends, and ends its agents too."""

    COMMAND: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "hybrid.emulator")

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.agents: list[RunningAgent] = []
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> ServedOrganization:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self.agents:
            agent.destroy()
        self.kill()

    def start(self) -> None:
        """Serve; ends when Dagster is loaded."""
        with (self.folder / "emulator.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.COMMAND, "--data", str(self.data), "--port", str(self.port), *self._arguments],
                env=environment(),
                stderr=log,
                stdout=log,
            )
        until(self._is_loaded, seconds=60, what="the embedded Dagster+ answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text(encoding="utf-8").strip()

    def ask(self, text: str, /, *, deployment: str = "prod", token: str | None = None, **variables: Any) -> Any:
        """The data that the document ``text`` is answered with; an error fails the test."""
        answer = httpx.post(
            f"{self.url}/graphql",
            headers={"Dagster-Cloud-Api-Token": token or self.token, "Dagster-Cloud-Deployment": deployment},
            json={"query": text, "variables": variables},
            timeout=100,
        )
        body = answer.json()
        assert "data" in body, f"HTTP {answer.status_code}: {str(body)[:2000]}"
        assert not body.get("errors"), str(body["errors"])[:2000]
        return body["data"]

    def full_deployment(self, name: str) -> str:
        answer = self.ask(
            "mutation($name: String!) { created: createDeployment(deploymentName: $name) { __typename "
            "... on DagsterCloudDeployment { deploymentName } ... on Error { message } } }",
            name=name,
        )
        assert answer["created"]["__typename"] == "DagsterCloudDeployment", answer
        return name

    def branch_deployment(self, branch: str) -> str:
        """The name of the branch deployment of that branch, made if it is not there."""
        answer = self.ask(
            "mutation($branch: CreateOrUpdateBranchDeploymentInput!, $commit: DeploymentCommitInput!) { put: "
            "createOrUpdateBranchDeployment(branchData: $branch, commit: $commit) { __typename "
            "... on DagsterCloudDeployment { deploymentName } ... on Error { message } } }",
            branch={"repoName": "data", "branchName": branch},
            commit={"commitHash": "0" * 40, "timestamp": 1.0, "authorName": "author"},
        )
        assert answer["put"]["__typename"] == "DagsterCloudDeployment", answer
        return str(answer["put"]["deploymentName"])

    def agent_token(self) -> str:
        answer = self.ask(
            'mutation { made: createAgentToken(description: "test") { ... on DagsterCloudAgentToken { token } } }'
        )
        return str(answer["made"]["token"])

    def start_agent(
        self,
        label: str,
        spec: LocalAgentSpec | None = None,
        *,
        deployment: str = "prod",
        token: str | None = None,
        changes: Mapping[str, Any] | None = None,
        **more_environment: str,
    ) -> RunningAgent:
        """A real agent; ``changes`` are laid over its rendered ``dagster.yaml``, key by key."""
        home = self.folder / label
        home.mkdir(exist_ok=True)
        spec = spec or LocalAgentSpec()
        text = render(spec, stock_process_launcher(spec), label=label, deployment=deployment, url=self.url)
        document = _laid_over(yaml.safe_load(text), changes or {})
        (home / "dagster.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        variables = {AGENT_TOKEN_VARIABLE: token or self.agent_token(), "DAGSTER_HOME": str(home), **more_environment}
        with (home / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(AGENT), "agent", "run", str(home)], env=environment(**variables), stdout=log, stderr=log
            )
        self.agents.append(RunningAgent(process, home, label))
        return self.agents[-1]

    def location(self, name: str, code: str, *, deployment: str = "prod", queue: str | None = None) -> None:
        """Deploy ``code`` as a location whose code server runs in this environment."""
        file = self.folder / "code" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(code, encoding="utf-8")
        source = {"python_file": str(file)}
        document: dict[str, Any] = {
            "location_name": name,
            "code_source": source,
            "executable_path": sys.executable,
        }
        if queue is not None:
            document["agent_queue"] = queue
        answer = self.ask(
            "mutation($document: GenericScalar!) { put: addOrUpdateLocationFromDocument(document: $document) "
            "{ __typename ... on Error { message } } }",
            deployment=deployment,
            document=document,
        )
        assert answer["put"]["__typename"] == "WorkspaceEntry", answer

    def load_states(self, deployment: str = "prod") -> dict[str, str]:
        """``LOADED`` (with definitions), ``LOADING``, or ``ERROR`` and the error, by location."""
        entries = self.ask(
            "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus "
            "locationOrLoadError { __typename ... on PythonError { message } } } } } }",
            deployment=deployment,
        )["workspaceOrError"]["locationEntries"]
        return {entry["name"]: _load_state(entry) for entry in entries}

    def until_loaded(self, *names: str, deployment: str = "prod") -> None:
        def loaded() -> bool:
            states = self.load_states(deployment)
            assert not any(state.startswith("ERROR") for state in states.values()), (
                f"a location does not load: {states}"
            )
            return all(states.get(name) == "LOADED" for name in names)

        until(loaded, seconds=LOADED_SECONDS, what=f"{', '.join(names)} of {deployment} load")

    def agent_states(self, deployment: str = "prod") -> dict[str, str]:
        found = self.ask("{ agents { agentLabel status } }", deployment=deployment)["agents"]
        return {agent["agentLabel"]: agent["status"] for agent in found}

    def agent_ids(self, deployment: str = "prod") -> dict[str, str]:
        """By label."""
        found = self.ask("{ agents { agentLabel id } }", deployment=deployment)["agents"]
        return {agent["agentLabel"]: agent["id"] for agent in found}

    def launch(self, location: str, job: str, *, deployment: str = "prod") -> str:
        """The id of the run."""
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "jobName": job}
        answer = self.ask(
            "mutation($run: ExecutionParams!) { launchRun(executionParams: $run) { __typename "
            "... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            deployment=deployment,
            run={"selector": selector, "runConfigData": {}},
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def run(self, run_id: str, *, deployment: str = "prod") -> dict[str, Any]:
        """``status``, ``tags`` (a dict) and ``events`` (their types, in order)."""
        answer = self.ask(
            "query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status tags { key value } "
            "eventConnection { events { ... on MessageEvent { eventType message } } } } } }",
            deployment=deployment,
            id=run_id,
        )["runOrError"]
        if answer["__typename"] != "Run":
            return {"status": None, "tags": {}, "events": []}
        return {
            "status": answer["status"],
            "tags": {tag["key"]: tag["value"] for tag in answer["tags"]},
            "events": [event.get("eventType") for event in answer["eventConnection"]["events"]],
        }

    def until_status(self, run_id: str, *wanted: str, deployment: str = "prod", seconds: float = 60) -> dict[str, Any]:
        until(
            lambda: self.run(run_id, deployment=deployment)["status"] in wanted,
            seconds=seconds,
            what=f"the run is {' or '.join(wanted)}",
        )
        return self.run(run_id, deployment=deployment)

    def pending_requests(self) -> int:
        """How many requests wait for an agent."""
        return int(httpx.get(f"{self.url}/hybrid/state", timeout=10).json()["pending_requests"])

    def _is_loaded(self) -> bool:
        assert self._process is not None
        log = (self.folder / "emulator.log").read_text(encoding="utf-8")
        assert self._process.poll() is None, f"the embedded Dagster+ ended: {log[-2000:]}"
        try:
            return bool(httpx.get(f"{self.url}/hybrid/state", timeout=5).json()["dagster"] == "loaded")
        except httpx.TransportError:
            return False


class ServerlessOrganization(ServedOrganization):
    """One that a real Serverless agent serves, which goes at once when the deployment is handed over."""

    COMMAND = (str(HYBRID), "emulator", "serve")

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__(folder, *arguments, "--agent-type", "serverless", "--serverless-departure", "0")


def _load_state(entry: dict[str, Any]) -> str:
    found = entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or found is None:
        return "LOADING"
    return "LOADED" if found["__typename"] == "RepositoryLocation" else f"ERROR {found['message'][:2000]}"


def _laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}
