"""Runs are launched, watched and ended by agents.

Rests on ``client``: dagster_cloud/agent/dagster_cloud_agent.py, LAUNCH_RUN and TERMINATE_RUN, and
dagster_cloud/execution/monitoring for what heartbeats say of run workers. ``invented``: that a LAUNCH_RUN which the
agent answers with an error fails the run, and which reports fail one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from dagster import DagsterRun
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.storage.dagster_run import RunsFilter
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster._time import get_current_timestamp
from dagster_cloud.api.dagster_cloud_api import (
    DagsterCloudApi,
    DagsterCloudApiErrorResponse,
    LaunchRunArgs,
    TerminateRunArgs,
)

from hybrid.emulator.runtime.agent_requests import AgentRequests

_ID_PREFIX: Final = "launch"
_AGENT_ID_TAG: Final = "dagster/agent_id"
"""Set by the agent as it launches a run (dagster_cloud/agent/dagster_cloud_agent.py)."""

SETTLED_SECONDS: Final = 75.0
"""A worker that an agent does not find is missed only in a run that began this long ago. Agents look every 30 s and say
it in the heartbeat after, so that one which looked before the worker was there may be heard until then."""

AgentQueueOf = Callable[[str], str | None]
WorkerState = Callable[[str, str | None], tuple[str, str | None] | None]


def run_of_launch(request_id: str) -> str | None:
    """The id of the run that a request launches; None for other requests."""
    prefix, _, rest = request_id.partition(":")
    return rest.partition(":")[0] if prefix == _ID_PREFIX and rest else None


class AgentRunLauncher(RunLauncher, ConfigurableClass):
    """Hands runs to the agents; ``agent_queue_of(location)`` says to which, ``worker_state(run_id, agent_id)`` what the
    agents say of the worker of a run that this agent launched: its status and a message."""

    def __init__(self, requests: AgentRequests, agent_queue_of: AgentQueueOf, worker_state: WorkerState) -> None:
        self._requests = requests
        self._agent_queue_of = agent_queue_of
        self._worker_state = worker_state
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return None

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> AgentRunLauncher:
        raise NotImplementedError("The launcher is made by the emulator, not from a dagster.yaml.")

    def launch_run(self, context: LaunchRunContext) -> None:
        run = self._stored(context.dagster_run.run_id) or context.dagster_run
        self._requests.hand_over(
            DagsterCloudApi.LAUNCH_RUN,
            LaunchRunArgs(dagster_run=run),
            self._queue_of(run),
            request_id=f"{_ID_PREFIX}:{run.run_id}:{uuid4()}",
        )

    def awaits_launch(self, run_id: str) -> bool:
        """Whether an agent may still begin the run."""
        run = self._stored(run_id)
        return run is not None and not run.is_finished

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """What the agents say of the run's worker, for Dagster's own monitoring, which fails runs that lost theirs.

        Where no agent says anything definite (agents whose launcher cannot tell, or none is heard) it is well.
        """
        status, message = self._worker_state(run.run_id, run.tags.get(_AGENT_ID_TAG)) or (
            WorkerStatus.RUNNING.value,
            None,
        )
        found = WorkerStatus(status) if status in WorkerStatus.__members__ else WorkerStatus.UNKNOWN
        if found == WorkerStatus.UNKNOWN or (found == WorkerStatus.NOT_FOUND and not self._has_settled(run)):
            found = WorkerStatus.RUNNING
        return CheckRunHealthResult(found, message)

    def _has_settled(self, run: DagsterRun) -> bool:
        record = self._instance.get_run_record_by_id(run.run_id)
        started = record.start_time if record else None
        return started is not None and get_current_timestamp() - started > SETTLED_SECONDS

    def terminate(self, run_id: str) -> bool:
        run = self._stored(run_id)
        if run is None or run.is_finished:
            return False
        self._requests.hand_over(DagsterCloudApi.TERMINATE_RUN, TerminateRunArgs(dagster_run=run), self._queue_of(run))
        return True

    def refused(self, request_id: str, api: str, answer: DagsterCloudApiErrorResponse) -> None:
        """An agent answered a request with an error: a run that it could not launch has failed."""
        if api != DagsterCloudApi.LAUNCH_RUN.value or not request_id.startswith(f"{_ID_PREFIX}:"):
            return
        run = self._stored(request_id.split(":")[1])
        if run is not None and not run.is_finished:
            reason = answer.error_infos[0].to_string() if answer.error_infos else "It gave no reason."
            self._instance.report_run_failed(run, f"The agent could not launch the run.\n{reason}")

    def _stored(self, run_id: str) -> DagsterRun | None:
        return next(iter(self._instance.run_storage.get_runs(RunsFilter(run_ids=[run_id]))), None)

    def _queue_of(self, run: DagsterRun) -> str | None:
        origin = run.remote_job_origin
        return self._agent_queue_of(origin.repository_origin.code_location_origin.location_name) if origin else None
