"""The queue of runs: let go at once when nothing is in their way, held back by the limits of the settings.

The agents' side is a list of what they are asked. Which runs a limit holds back is Dagster's own code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.dagster_run import RunsFilter
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster_shared.error import SerializableErrorInfo

from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.instance import apply_settings, make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher, run_of_launch
from hybrid.emulator.runtime.run_queue import RunQueue, RunQueueDaemon
from hybrid.emulator.runtime.storage import Storages

pytestmark = pytest.mark.unit
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("hello"), "__repository__"), "job")


class Agents:
    """What agents are asked, and when."""

    def __init__(self) -> None:
        self.launched: dict[str, float] = {}

    def submit(self, deployment: str, api: str, request_id: str, body: str, queue: str | None = None) -> None:
        run_id = run_of_launch(request_id)
        assert run_id, "only launches come here"
        assert run_id not in self.launched, "a run is launched once"
        self.launched[run_id] = time.monotonic()

    def wait(self, request_id: str, timeout_s: float) -> str:
        raise AssertionError("nobody waits for a launch")

    def has(self, *run_ids: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not self.launched.keys() >= set(run_ids):
            assert time.monotonic() < deadline, f"{set(run_ids) - set(self.launched)} wait in vain"
            threading.Event().wait(0.005)


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture
def instance(tmp_path: Path, storages: Storages, agents: Agents) -> DagsterInstance:
    launcher = AgentRunLauncher(AgentRequests(agents, "prod"), lambda _location: None, lambda _run: None)
    return make_instance(storages, UploadedComputeLogs(str(tmp_path / "compute_logs")), launcher, {})


@pytest.fixture
def dequeuing(instance: DagsterInstance) -> Iterator[None]:
    """The queue is worked off meanwhile."""
    workspace = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    assert isinstance(instance.run_coordinator, RunQueue)
    daemon, stopping = RunQueueDaemon(instance.run_coordinator), threading.Event()

    def work() -> None:
        for outcome in daemon.core_loop(cast(IWorkspaceProcessContext[Any], workspace), stopping):
            assert not isinstance(outcome, SerializableErrorInfo), outcome
            if stopping.is_set():
                return

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join(10)


@pytest.fixture
def submit(instance: DagsterInstance) -> Callable[..., str]:
    """``submit("one", tag="value")`` puts a run into the queue."""

    def put(run_id: str, **tags: str) -> str:
        run = DagsterRun(
            job_name="job", run_id=run_id, status=DagsterRunStatus.NOT_STARTED, tags=tags, remote_job_origin=ORIGIN
        )
        instance.run_storage.add_run(run)
        instance.run_coordinator.submit_run(SubmitRunContext(run, cast(Any, None)))
        return run_id

    return put


def queued(instance: DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))}


def end(instance: DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)


@pytest.mark.usefixtures("dequeuing")
def test_a_run_that_nothing_holds_back_is_launched_at_once(agents: Agents, submit: Callable[..., str]) -> None:
    agents.has(submit("warm-up"))
    waits = []
    for number in range(5):
        before = time.monotonic()
        run_id = submit(f"run-{number}")
        agents.has(run_id)
        waits.append(agents.launched[run_id] - before)
    assert min(waits) < 0.1, f"the queue is woken, not waited for: {waits}"
    assert max(waits) < 4, f"no run waits for the idle queue's next look: {waits}"


def test_what_was_queued_while_nobody_looked_is_launched(
    agents: Agents, submit: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    waiting = submit("early")
    request.getfixturevalue("dequeuing")
    agents.has(waiting)


def test_limits_of_the_settings_hold_runs_back(
    instance: DagsterInstance, agents: Agents, submit: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    limit = [{"key": "team", "value": "blue", "limit": 1}]
    apply_settings(instance, {"concurrency": {"runs": {"max_concurrent_runs": 2, "tag_concurrency_limits": limit}}})
    first, second, other, fourth = (
        submit("first", team="blue"),
        submit("second", team="blue"),
        submit("other", team="red"),
        submit("fourth", team="red"),
    )
    request.getfixturevalue("dequeuing")
    agents.has(first, other)
    assert queued(instance) == {second, fourth}, "the tag's limit holds one back, the number of runs another"
    end(instance, first)
    agents.has(second)
    assert queued(instance) == {fourth}
    end(instance, other)
    agents.has(fourth)


@pytest.mark.usefixtures("dequeuing")
def test_new_settings_let_waiting_runs_go(
    instance: DagsterInstance, agents: Agents, submit: Callable[..., str]
) -> None:
    apply_settings(instance, {"run_queue": {"max_concurrent_runs": 0}})
    waiting = submit("waiting")
    changed = time.monotonic()
    apply_settings(instance, {"run_queue": {"max_concurrent_runs": 5}})
    agents.has(waiting)
    assert agents.launched[waiting] >= changed, "a limit of 0 had stopped the queue"


def test_a_setting_that_is_gone_has_its_default_again(instance: DagsterInstance) -> None:
    apply_settings(instance, {"run_queue": {"max_concurrent_runs": 3}})
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert config.max_concurrent_runs == 3
    apply_settings(instance, {})
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert config.max_concurrent_runs == 10, "as Dagster+ documents it"


def test_a_queued_run_is_canceled_without_an_agent(
    instance: DagsterInstance, agents: Agents, submit: Callable[..., str]
) -> None:
    waiting = submit("waiting")
    assert instance.run_coordinator.cancel_run(waiting)
    run = instance.get_run_by_id(waiting)
    assert run is not None
    assert run.status == DagsterRunStatus.CANCELED
    assert agents.launched == {}


def test_settings_of_monitoring_and_retries_are_the_instance_s(instance: DagsterInstance) -> None:
    apply_settings(
        instance,
        {
            "run_monitoring": {"start_timeout_seconds": 60, "max_runtime_seconds": 7200},
            "run_retries": {"max_retries": 2},
            "concurrency": {"pools": {"default_limit": 4, "granularity": "run"}},
        },
    )
    assert instance.run_monitoring_start_timeout_seconds == 60
    assert instance.run_monitoring_max_runtime_seconds == 7200
    assert instance.run_monitoring_poll_interval_seconds == 5, "our own interval stays"
    assert instance.run_retries_max_retries == 2
    pools = instance.get_concurrency_config().pool_config
    assert pools.default_pool_limit == 4
    assert pools.pool_granularity is not None
    assert pools.pool_granularity.value == "run"
