"""Runs are launched and ended by agents.

Rests on ``client``: dagster_cloud/agent/dagster_cloud_agent.py, LAUNCH_RUN and TERMINATE_RUN. ``invented``: that a
LAUNCH_RUN which the agent answers with an error fails the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from dagster import DagsterRun
from dagster._core.launcher.base import LaunchRunContext, RunLauncher
from dagster._core.storage.dagster_run import RunsFilter
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_cloud.api.dagster_cloud_api import (
    DagsterCloudApi,
    DagsterCloudApiErrorResponse,
    LaunchRunArgs,
    TerminateRunArgs,
)

from hybrid.emulator.runtime.agent_requests import AgentRequests

_ID_PREFIX: Final = "launch"

AgentQueueOf = Callable[[str], str | None]


class AgentRunLauncher(RunLauncher, ConfigurableClass):
    """Hands runs to the agents; ``agent_queue_of(location)`` says to which."""

    def __init__(self, requests: AgentRequests, agent_queue_of: AgentQueueOf) -> None:
        self._requests = requests
        self._agent_queue_of = agent_queue_of
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
