"""`AgentDrain` on the real engine, against a stand-in for Dagster+ that has the runs that the test wants."""

from __future__ import annotations

import http.server
import json
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.program


class Runs:
    """A Dagster+ that knows only runs in progress."""

    def __init__(self) -> None:
        self.running = ["r1"]
        self.terminated: list[str] = []
        self.asked = 0

    def answer(self, body: dict) -> dict:
        if body["operationName"] == "HybridTerminateRun":
            self.terminated.append(body["variables"]["runId"])
            self.running.remove(body["variables"]["runId"])
            return {"terminateRun": {"__typename": "TerminateRunSuccess", "run": {"runId": "r1"}}}
        assert body["operationName"] == "HybridRunsInProgress"
        self.asked += 1
        runs = [
            {
                "runId": id, "jobName": "nightly", "status": "STARTED", "startTime": 1.0, "endTime": None, "tags": [],
                "repositoryOrigin": {"repositoryLocationName": "hello"},
            }
            for id in self.running
        ]  # fmt: skip
        return {"runsOrError": {"__typename": "Runs", "results": runs}}


@contextmanager
def _served(answer: Callable[[dict], dict]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps({"data": answer(body)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing: the test's output is for the test."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def runs(project):
    made = Runs()
    with _served(made.answer) as port:
        token_file = project.run_folder / "api-token"
        token_file.touch(mode=0o600)
        token_file.write_text(f"user:local:{secrets.token_hex(16)}")
        project.declare(f"""
AGENT = Process("agent", ProcessArgs(name="agent", directory=str(RUN / "agent"),
                command=[PYTHON, "-c", "import time; time.sleep(600)"], remove_on_delete=[]))
AgentDrain("drain", AgentDrainArgs(
    connection=Connection(url="http://127.0.0.1:{port}", organization="local", deployment="prod",
                          token_file=str(RUN / "api-token")),
    locations=["hello"], timeout_seconds=60,
), pulumi.ResourceOptions(depends_on=[AGENT]))
""")
        project.up()
        assert made.asked == 0, "it does nothing until it is deleted"
        yield made


def test_an_agent_stays_up_until_the_last_run_has_ended(project, runs):
    engine = project.start("destroy", "--yes", "--skip-preview")
    said = _read_until(engine, "waiting for 1 run (1 STARTED): nightly r1")
    assert project.processes("agent"), "the run needs it"

    runs.running.clear()
    rest, _ = engine.communicate(timeout=30)

    assert engine.returncode == 0, said + rest
    assert "no run is in progress any more" in rest
    assert not project.processes("agent")
    assert runs.terminated == []


def test_ctrl_c_while_runs_are_waited_for_keeps_agent_and_state(project, runs):
    engine = project.start("destroy", "--yes", "--skip-preview")
    _read_until(engine, "waiting for 1 run")

    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=30)

    assert project.processes("agent"), "it still has the run"
    assert project.resource("drain") is not None
    runs.running.clear()
    project.destroy()
    assert not project.processes("agent")


def test_runs_are_terminated_when_the_command_says_so(project, runs):
    project.environment["HYBRID_RUNS_ON_DOWN"] = "terminate"

    project.destroy()

    assert runs.terminated == ["r1"]
    assert not project.processes("agent")


def _read_until(engine, text):
    said = ""
    while text not in said:
        line = engine.stdout.readline()
        assert line, f"the engine ended before '{text}':\n{said}"
        said += line
    return said
