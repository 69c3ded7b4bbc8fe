"""A run's page on a million events: the embedded Dagster+'s webserver beside the stock one, on the same SQLite files.

The stock side is Dagster's own storages and webserver over a copy of the files. Both run in processes of their own,
one at a time, and are asked the queries that the stock UI's run page sends; the fields are a part of the page's.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Figure

EVENTS: Final = 1_000_000
IN_THE_LARGE_RUN: Final = 120_000
RUNS: Final = 200
ROUNDS: Final = 12
LARGE, SMALL = "large", "run0"

RUN = """query RunRootQuery($runId: ID!) { pipelineRunOrError(runId: $runId) { ... on Run {
  id runId status startTime endTime updateTime tags { key value } stepKeysToExecute hasReExecutePermission
  stats { ... on RunStatsSnapshot { stepsSucceeded stepsFailed expectations materializations } }
} } }"""
STEPS = """query RunSteps($runId: ID!) { runOrError(runId: $runId) { ... on Run {
  id stepStats { stepKey status startTime endTime attempts { startTime endTime } markers { startTime endTime } }
} } }"""
LOGS = """query RunLogs($runId: ID!, $cursor: String, $limit: Int) {
  logsForRun(runId: $runId, afterCursor: $cursor, limit: $limit) { ... on EventConnection {
    cursor hasMore events { __typename
      ... on MessageEvent { runId message timestamp level stepKey eventType } } } } }"""
RUNS_LISTED = """query Runs { runsOrError(limit: 25) { ... on Runs { results { runId status startTime endTime
  stats { ... on RunStatsSnapshot { startTime endTime stepsFailed } } } } } }"""
LIVE = """subscription Logs($runId: ID!, $cursor: String) { pipelineRunLogs(runId: $runId, cursor: $cursor) {
  ... on PipelineRunLogsSubscriptionSuccess { hasMorePastEvents cursor
    messages { __typename ... on MessageEvent { runId message timestamp level stepKey eventType } } } } }"""


def measure() -> list[Figure]:
    """Milliseconds of each of the page's queries, the median of ``ROUNDS`` after one that nobody counts.

    The sides take turns at each query, so that both meet the same machine.
    """
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        ours, peer = Path(folder) / "ours", Path(folder) / "peer"
        prepare(ours)
        shutil.copytree(ours, peer)
        return compare(ours, peer)


def compare(ours: Path, peer: Path) -> list[Figure]:
    """The figures of two folders with the same content."""
    sides = [_Side("ours", ours), _Side("peer", peer)]
    figures = []
    for what in QUESTIONS:
        took: dict[_Side, list[float]] = {side: [] for side in sides}
        for number in range(ROUNDS + 1):
            for side in sides if number % 2 else reversed(sides):
                took[side].append(side.seconds(what))
        ours_ms, peer_ms = (1_000 * statistics.median(took[side][1:]) for side in sides)
        figures.append(Figure(f"{what}, {EVENTS:,} events stored", "ms", ours_ms, peer_ms))
    for side in sides:
        side.close()
    return figures


class _Side:
    """A process that holds one side's webserver and asks it what it is told to, in a thread of the same process."""

    def __init__(self, name: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.events", name, str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def seconds(self, what: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# -- the events -------------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Storages with ``RUNS`` runs and ``EVENTS`` events, one of the runs with ``IN_THE_LARGE_RUN`` of them."""
    from dagster import DagsterRun, DagsterRunStatus
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

    from hybrid.emulator.runtime.storage import open_storages

    storages = open_storages(folder)
    each = (EVENTS - IN_THE_LARGE_RUN) // (RUNS - 1)
    for number in range(RUNS):
        run_id = LARGE if number == RUNS - 1 else f"run{number}"
        run = DagsterRun(job_name="job", run_id=run_id, status=DagsterRunStatus.SUCCESS, tags={"number": str(number)})
        storages.runs.add_run(run)
        rows = list(_rows(storages.events, run_id, IN_THE_LARGE_RUN if run_id == LARGE else each))
        with storages.events.database.transaction() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
    storages.dispose()


def _rows(events: Any, run_id: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of one run: its start, steps of about fifty events each with log lines, its end."""
    from dagster._core.events import DagsterEvent
    from dagster._core.events.log import EventLogEntry
    from dagster._core.execution.plan.objects import StepSuccessData

    def row(number: int, kind: str | None, step: str | None, data: Any = None) -> dict[str, Any]:
        event = DagsterEvent(kind, "job", event_specific_data=data, message="m", step_key=step) if kind else None
        entry = EventLogEntry(None, 20, f"event {number} of {run_id}", run_id, 1e9 + number, step, "job", event)
        found: dict[str, Any] = events._event_to_row(entry)
        return found

    yield row(0, "PIPELINE_START", None)
    for number in range(1, count - 1):
        step, place = f"step{number // 50}", number % 50
        if place == 1:
            yield row(number, "STEP_START", step)
        elif place == 49:
            yield row(number, "STEP_SUCCESS", step, StepSuccessData(duration_ms=1.0))
        else:
            yield row(number, None, step)
    yield row(count - 1, "PIPELINE_SUCCESS", None)


# -- one side ---------------------------------------------------------------------------------------------------------


class _Asked:
    """One side's webserver."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.middle: str = self.post(LOGS, runId=LARGE, limit=IN_THE_LARGE_RUN // 2)["logsForRun"]["cursor"]

    def post(self, query: str, **variables: Any) -> Any:
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, str(answer["errors"])[:400]
        return answer["data"]

    def first_chunk(self) -> None:
        with self._client.websocket_connect("/graphql", ["graphql-ws"]) as socket:
            socket.send_json({"type": "connection_init", "payload": {}})
            socket.send_json({"type": "start", "id": "1", "payload": {"query": LIVE, "variables": {"runId": LARGE}}})
            while (message := socket.receive_json())["type"] != "data":
                continue
            assert message["payload"]["data"]["pipelineRunLogs"]["messages"], "events have to come"


QUESTIONS: Final[dict[str, Callable[[_Asked], object]]] = {
    "run page: the run and its counts": lambda asked: asked.post(RUN, runId=LARGE),
    "run page: its steps": lambda asked: asked.post(STEPS, runId=LARGE),
    "run page: first 1,000 events": lambda asked: asked.post(LOGS, runId=LARGE, limit=1_000),
    "run page: 1,000 events from the middle": lambda asked: asked.post(
        LOGS, runId=LARGE, limit=1_000, cursor=asked.middle
    ),
    "run page: first chunk of the live log": lambda asked: asked.first_chunk(),
    "run page of a small run: the run and its counts": lambda asked: asked.post(RUN, runId=SMALL),
    "run page of a small run: 1,000 events": lambda asked: asked.post(LOGS, runId=SMALL, limit=1_000),
    "runs listed": lambda asked: asked.post(RUNS_LISTED),
}


def serve(side: str, folder: Path) -> None:
    """Ask what each line of the standard input names, and print how many seconds that took."""
    with _client(side, folder) as client:
        asked = _Asked(client)
        for line in sys.stdin:
            began = time.perf_counter()
            QUESTIONS[line.strip()](asked)
            print(time.perf_counter() - began, flush=True)


def _client(side: str, folder: Path) -> Any:
    from dagster import DagsterInstance
    from dagster._core.instance import InstanceRef, InstanceType
    from dagster._core.launcher import DefaultRunLauncher
    from dagster._core.run_coordinator import DefaultRunCoordinator
    from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
    from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
    from dagster._core.storage.root import LocalArtifactStorage
    from dagster._core.storage.runs import SqliteRunStorage
    from dagster._core.storage.schedules import SqliteScheduleStorage
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import EmptyWorkspaceTarget
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.testclient import TestClient

    from hybrid.emulator.runtime.storage import open_storages

    runs: Any
    events: Any
    schedules: Any
    if side == "ours":
        storages = open_storages(folder)
        runs, events, schedules = storages.runs, storages.events, storages.schedules
    else:
        runs = SqliteRunStorage.from_local(str(folder))
        events = ConsolidatedSqliteEventLogStorage(str(folder))  # type: ignore[no-untyped-call]
        schedules = SqliteScheduleStorage.from_local(str(folder))
    instance = DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(folder)),
        run_storage=runs,
        event_storage=events,
        schedule_storage=schedules,
        run_coordinator=DefaultRunCoordinator(),
        compute_log_manager=NoOpComputeLogManager(),
        run_launcher=DefaultRunLauncher(),
        settings={"telemetry": {"enabled": False}},
        ref=InstanceRef.from_dir(str(folder)),
    )
    context = WorkspaceProcessContext(instance, EmptyWorkspaceTarget())
    return TestClient(DagsterWebserver(context, app_path_prefix="").create_asgi_app())


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
