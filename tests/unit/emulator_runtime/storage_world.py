"""Two sides that are told the same: the Dagster+ client's storages over the bridge, and Dagster's own on SQLite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    DagsterInstance,
    DagsterRun,
    StaticPartitionsDefinition,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster._core.definitions.events import (
    AssetMaterializationFailure,
    AssetMaterializationFailureReason,
    AssetMaterializationFailureType,
)
from dagster._core.events import (
    AssetFailedToMaterializeData,
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData, StepSuccessData
from dagster._core.instance import InstanceRef, InstanceType
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.loader import LoadingContextForTest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud.storage.schedules.storage import GraphQLScheduleStorage
from dagster_shared.error import SerializableErrorInfo
from dagster_shared.record import as_dict, is_record

from hybrid.emulator.runtime.bridge import Bridge
from hybrid.emulator.runtime.run_queue import RunQueue

A, B, NEVER = AssetKey(["group", "a"]), AssetKey("b"), AssetKey("never")
PARTITIONS = StaticPartitionsDefinition(["p", "q", "r"])
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("place"), "repository")
JOB = RemoteJobOrigin(REPOSITORY, "job")
SENSOR = RemoteInstigatorOrigin(REPOSITORY, "sensor")


@dataclass
class Side:
    """``store`` and ``store_batch`` store events and move runs, as the instance that holds these storages does."""

    runs: Any
    events: Any
    schedules: Any
    store: Callable[[EventLogEntry], None]
    store_batch: Callable[[list[EventLogEntry]], None]
    context: Any
    """What the asset status cache is worked out with."""


class Traced:
    """A storage that remembers which of its methods and properties were used."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(self._storage, name)


def client_side(bridge: Bridge, client: Any) -> Side:
    runs = Traced(GraphQLRunStorage(override_graphql_client=client))
    events = Traced(GraphQLEventLogStorage(override_graphql_client=client))
    schedules = Traced(GraphQLScheduleStorage(override_graphql_client=client))
    return Side(runs, events, schedules, events.store_event, events.store_event_batch, None)


@contextmanager
def bridge_workspace(instance: DagsterInstance) -> Any:
    """For ``Bridge.workspace``: asset A is partitioned, B is not."""
    nodes = {A: SimpleNamespace(partitions_def=PARTITIONS), B: SimpleNamespace(partitions_def=None)}
    context = LoadingContextForTest(instance)
    context.asset_graph = SimpleNamespace(has=lambda key: key in nodes, get=nodes.__getitem__)  # type: ignore[attr-defined]
    yield context


class _TakesFailures(ConsolidatedSqliteEventLogStorage):
    """Without this Dagster's instance drops failed materializations, of which the client says that they are stored."""

    can_store_asset_failure_events = True


def own_side(folder: Path, settings: Mapping[str, Any]) -> Side:
    """Dagster's own storages in ``folder``, as a Dagster instance without Dagster+ has them.

    ``settings`` are the emulator's: pools and retries follow them.
    """
    runs = SqliteRunStorage.from_local(str(folder))
    events = _TakesFailures(str(folder))
    schedules = SqliteScheduleStorage.from_local(str(folder))
    instance = DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(folder)),
        run_storage=runs,
        event_storage=events,
        schedule_storage=schedules,
        run_coordinator=RunQueue(),
        compute_log_manager=NoOpComputeLogManager(),
        run_launcher=DefaultRunLauncher(),
        settings=dict(settings),
        ref=InstanceRef.from_dir(str(folder)),
    )

    def batch(entries: list[EventLogEntry]) -> None:
        for entry in entries:
            instance.handle_new_event(entry)

    return Side(runs, events, schedules, instance.handle_new_event, batch, LoadingContextForTest(instance))


_ERROR = SerializableErrorInfo("boom", ["line\n"], "ValueError")
_OF_STEPS: dict[str | None, Any] = {
    "STEP_SUCCESS": StepSuccessData(duration_ms=5_000.0),
    "STEP_FAILURE": StepFailureData(error=_ERROR, user_failure_data=None),
    "STEP_UP_FOR_RETRY": StepRetryData(error=_ERROR),
}


def event(run_id: str, at: float, kind: str | None = None, text: str = "", **details: Any) -> EventLogEntry:
    step = details.get("step_key")
    if kind in _OF_STEPS:
        details["event_specific_data"] = _OF_STEPS[kind]
    dagster_event = DagsterEvent(kind, "job", message=text, **details) if kind else None
    return EventLogEntry(None, 20, text, run_id, at, step, "job", dagster_event)


def materialized(run_id: str, at: float, key: AssetKey, partition: str | None, version: str) -> EventLogEntry:
    said = AssetMaterialization(key, partition=partition, metadata={"rows": 3}, tags={"dagster/data_version": version})
    return event(run_id, at, "ASSET_MATERIALIZATION", event_specific_data=StepMaterializationData(said), step_key="s")


def planned(run_id: str, at: float, key: AssetKey, partition: str | None) -> EventLogEntry:
    said = AssetMaterializationPlannedData(key, partition=partition)
    return event(run_id, at, "ASSET_MATERIALIZATION_PLANNED", event_specific_data=said)


def observed(run_id: str, at: float, key: AssetKey, partition: str | None) -> EventLogEntry:
    said = AssetObservationData(AssetObservation(key, partition=partition, tags={"dagster/data_version": "9"}))
    return event(run_id, at, "ASSET_OBSERVATION", event_specific_data=said, step_key="s")


def failed(run_id: str, at: float, key: AssetKey, partition: str | None) -> EventLogEntry:
    said = AssetFailedToMaterializeData(
        AssetMaterializationFailure(
            asset_key=key,
            partition=partition,
            failure_type=AssetMaterializationFailureType.FAILED,
            reason=AssetMaterializationFailureReason.FAILED_TO_MATERIALIZE,
        )
    )
    return event(run_id, at, "ASSET_FAILED_TO_MATERIALIZE", event_specific_data=said)


def checked(run_id: str, at: float, passed: bool | None, partition: str | None = None) -> EventLogEntry:
    """A check's evaluation; ``passed`` None: it is only planned."""
    said: Any
    if passed is None:
        said = AssetCheckEvaluationPlanned(asset_key=A, check_name="good")
        return event(run_id, at, "ASSET_CHECK_EVALUATION_PLANNED", event_specific_data=said)
    said = AssetCheckEvaluation(A, "good", passed, {}, partition=partition)
    return event(run_id, at, "ASSET_CHECK_EVALUATION", event_specific_data=said, step_key="s")


def fill(side: Side) -> None:
    """Four runs: one that succeeds, one that fails half-way, one of another job that was canceled, one not begun."""
    for number, job in enumerate(["job", "job", "other", "job"]):
        tags = {"team": "data", "number": str(number), "dagster/partition": f"p{number}"}
        side.runs.add_run(DagsterRun(job_name=job, run_id=f"run{number}", tags=tags, remote_job_origin=JOB))
    for entry in _first_run() + _second_run():
        side.store(entry)
    side.store(event("run2", 300.0, "PIPELINE_START")._replace(job_name="other"))
    side.store(event("run2", 301.0, "PIPELINE_CANCELED")._replace(job_name="other"))
    side.events.add_dynamic_partitions("colors", ["red", "green", "blue"])
    side.events.set_concurrency_slots("pool", 2)
    side.events.claim_concurrency_slot("pool", "run1", "first", 1)


def _first_run() -> list[EventLogEntry]:
    run = "run0"
    return [
        event(run, 100.0, "PIPELINE_ENQUEUED"),
        event(run, 101.0, "PIPELINE_STARTING"),
        event(run, 102.0, "PIPELINE_START"),
        planned(run, 103.0, A, "p"),
        planned(run, 103.5, B, None),
        checked(run, 104.0, None),
        event(run, 105.0, "STEP_START", step_key="s"),
        event(run, 105.5, None, "a line of the log"),
        materialized(run, 106.0, A, "p", "1"),
        materialized(run, 106.5, A, "p", "2"),
        materialized(run, 107.0, A, "q", "1"),
        materialized(run, 107.5, B, None, "1"),
        observed(run, 108.0, A, "q"),
        checked(run, 109.0, True),
        event(run, 110.0, "STEP_SUCCESS", step_key="s"),
        event(run, 111.0, "PIPELINE_SUCCESS"),
    ]


def _second_run() -> list[EventLogEntry]:
    run = "run1"
    return [
        event(run, 200.0, "PIPELINE_START"),
        planned(run, 201.0, A, "r"),
        event(run, 202.0, "STEP_START", step_key="s"),
        event(run, 202.5, "STEP_UP_FOR_RETRY", step_key="s"),
        event(run, 203.0, "STEP_RESTARTED", step_key="s"),
        checked(run, 203.5, False),
        event(run, 204.0, "STEP_FAILURE", step_key="s"),
        failed(run, 205.0, A, "r"),
        event(run, 206.0, "PIPELINE_FAILURE"),
    ]


_OF_THE_CLOCK = {"create_timestamp", "update_timestamp", "enqueued_timestamp", "assigned_timestamp", "asset_details"}


def comparable(value: Any) -> Any:
    """``value`` as plain data; moments that the storage takes from its own clock only as being there or not."""
    if isinstance(value, Enum) or value is None or isinstance(value, (str, int, float, datetime, AssetKey)):
        return value
    fields = _fields(value)
    if fields is not None:
        return type(value).__name__, {
            name: part is not None if name in _OF_THE_CLOCK else comparable(part) for name, part in fields.items()
        }
    if isinstance(value, Mapping):
        return {str(key): comparable(part) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return frozenset(map(comparable, value))
    if isinstance(value, Iterable):
        return [comparable(part) for part in value]
    raise TypeError(f"do not know how to compare a {type(value).__name__}")


def _fields(value: Any) -> dict[str, Any] | None:
    if is_record(value):
        return dict(as_dict(value))
    if hasattr(value, "_asdict"):
        return cast("dict[str, Any]", value._asdict())
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
