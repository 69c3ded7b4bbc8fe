"""What agents say of run workers, as Dagster's own monitoring takes it; requests of every kind; their errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._serdes import deserialize_value, serialize_value
from dagster_cloud.api.dagster_cloud_api import (
    DagsterCloudApi,
    DagsterCloudApiErrorResponse,
    DagsterCloudApiGrpcResponse,
    DagsterCloudApiRequest,
    DagsterCloudApiSuccess,
    DagsterCloudApiUnknownCommandResponse,
)
from dagster_shared.error import SerializableErrorInfo

from hybrid.emulator.runtime import launcher as module
from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.heartbeat import worker_state
from hybrid.emulator.runtime.instance import make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.storage import Storages

pytestmark = pytest.mark.unit

RUNTIME = Path(module.__file__).parent
DEPRECATED = {"CHECK_RUN_HEALTH", "LAUNCH_STEP", "CHECK_STEP_HEALTH", "TERMINATE_STEP", "LOAD_REPOSITORIES"}


class Agent:
    """Answers each request with ``answer``; None is silence."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def submit(self, deployment: str, api: str, request_id: str, body: str, queue: str | None = None) -> None:
        self.asked.append(deserialize_value(body, DagsterCloudApiRequest))

    def wait(self, request_id: str, timeout_s: float) -> str:
        if self.answer is None:
            raise TimeoutError(f"No answer to request {request_id}: no agent took it.")
        return serialize_value(self.answer)


class Watched:
    """An instance with one run, of whose worker the agents say ``state``."""

    def __init__(self, storages: Storages, folder: Path) -> None:
        self.state: tuple[str, str | None] | None = None
        self.launcher = AgentRunLauncher(
            AgentRequests(Agent(), "prod"), lambda _location: None, lambda _run, _agent: self.state
        )
        self.instance: DagsterInstance = make_instance(storages, UploadedComputeLogs(str(folder)), self.launcher, {})
        run = DagsterRun(job_name="job", run_id="watched", status=DagsterRunStatus.NOT_STARTED)
        self.instance.run_storage.add_run(run)

    @property
    def run(self) -> DagsterRun:
        found = self.instance.get_run_by_id("watched")
        assert found is not None
        return found

    def monitored(self) -> DagsterRunStatus:
        """The run's status after Dagster's own monitoring has looked once."""

        class Context:
            instance = self.instance

            def create_request_context(self) -> None: ...

        import logging

        outcomes = list(execute_run_monitoring_iteration(Context(), logging.getLogger("test")))  # type: ignore[arg-type]
        assert not any(outcomes), outcomes
        return self.run.status


@pytest.fixture
def watched(storages: Storages, tmp_path: Path, make_event: Callable[..., Any]) -> Watched:
    made = Watched(storages, tmp_path / "logs")
    made.instance.handle_new_event(make_event("watched", kind="PIPELINE_START"))
    assert made.run.status == DagsterRunStatus.STARTED
    return made


def test_a_worker_that_failed_ends_its_run_with_the_agent_s_words(watched: Watched) -> None:
    watched.state = ("FAILED", "process 7 is gone")
    assert watched.monitored() == DagsterRunStatus.FAILURE
    messages = [entry.message for entry in watched.instance.all_logs("watched")]
    assert any("process 7 is gone" in message for message in messages), messages


@pytest.mark.parametrize(
    "state", [None, ("RUNNING", None), ("SUCCESS", None), ("UNKNOWN", "the cluster did not answer"), ("NOVEL", None)]
)
def test_a_run_goes_on_when_no_agent_says_that_its_worker_is_gone(
    watched: Watched, state: tuple[str, str | None] | None
) -> None:
    watched.state = state
    assert watched.monitored() == DagsterRunStatus.STARTED, "a healthy run must never be ended for want of news"


def test_a_worker_that_is_not_found_is_missed_once_the_agents_must_have_seen_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.state = ("NOT_FOUND", "no container")
    assert watched.monitored() == DagsterRunStatus.STARTED, "the report may be from before the worker was there"
    later = time.time() + module.SETTLED_SECONDS + 1
    monkeypatch.setattr(module, "get_current_timestamp", lambda: later)
    assert watched.monitored() == DagsterRunStatus.FAILURE


def test_an_agent_that_sees_a_worker_at_work_is_believed() -> None:
    lost = {"run_id": "watched", "status": "NOT_FOUND", "message": "no container"}
    working = {"run_id": "watched", "status": "RUNNING", "message": None}
    assert worker_state([[lost], [working]], "watched") == ("RUNNING", None), "the other is on another machine"
    assert worker_state([[], [lost]], "watched") == ("NOT_FOUND", "no container")
    assert worker_state([[working]], "another") is None


def test_an_agent_that_did_not_launch_a_run_is_not_heard_before_the_one_that_did() -> None:
    """Each agent looks for the workers of all runs: a Hybrid one finds none of those on Serverless."""
    lost = {"run_id": "watched", "status": "NOT_FOUND", "message": "no container"}
    assert worker_state([[lost], []], "watched", []) is None, "a run in flight would be failed"
    assert worker_state([[lost]], "watched", [lost]) == ("NOT_FOUND", "no container"), "that one has lost it"
    assert worker_state([[lost]], "watched", None) == ("NOT_FOUND", "no container"), "that one is gone, and its runs"


def test_runs_are_not_resumed(watched: Watched) -> None:
    assert watched.launcher.supports_check_run_worker_health
    assert not watched.launcher.supports_resume_run


def ask(answer: Any) -> str:
    return AgentRequests(Agent(answer), "prod").ask(DagsterCloudApi.GET_EXTERNAL_PARTITION_NAMES, None, None)


def test_what_the_code_server_answered_is_handed_on() -> None:
    assert ask(DagsterCloudApiGrpcResponse(serialized_response_or_error="answer")) == "answer"


def test_an_agent_s_error_is_raised_as_what_it_was() -> None:
    error = SerializableErrorInfo("boom", [], "ValueError")
    with pytest.raises(DagsterUserCodeProcessError, match="boom"):
        ask(DagsterCloudApiErrorResponse(error_infos=[error]))


def test_an_unanswered_request_says_which_and_why() -> None:
    with pytest.raises(DagsterUserCodeUnreachableError, match=r"GET_EXTERNAL_PARTITION_NAMES.*no agent took it"):
        ask(None)


def test_an_agent_that_is_too_old_is_told_to_be_upgraded() -> None:
    with pytest.raises(DagsterUserCodeUnreachableError, match="Upgrade dagster-cloud"):
        ask(DagsterCloudApiUnknownCommandResponse(request_api="GET_EXTERNAL_PARTITION_NAMES"))


def test_an_answer_of_the_wrong_kind_is_not_taken_for_one() -> None:
    with pytest.raises(DagsterUserCodeUnreachableError, match="DagsterCloudApiSuccess"):
        ask(DagsterCloudApiSuccess())


def test_a_ping_is_answered_without_content() -> None:
    agent = Agent(DagsterCloudApiSuccess())
    AgentRequests(agent, "prod").ping("hello", "special")
    (request,) = agent.asked
    assert request.request_api == DagsterCloudApi.PING_LOCATION
    assert request.request_args.location_name == "hello"
    with pytest.raises(DagsterUserCodeUnreachableError, match="PING_LOCATION"):
        AgentRequests(Agent(), "prod").ping("hello", None)


def test_every_live_request_is_sent_and_no_deprecated_one() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in RUNTIME.rglob("*.py"))
    sent = set(re.findall(r"DagsterCloudApi\.([A-Z_]+)", source))
    assert sent == {api.name for api in DagsterCloudApi} - DEPRECATED
