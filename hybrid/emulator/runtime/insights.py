"""Samples of metrics, out of the runs and events that a deployment's storages have.

Counts come from SQL, an hour of a run at a time. Nothing is kept: what was deleted, wiped or pruned is not told.

Rests on: ``client`` for what events are stored and what they mean (dagster/_core/events, dagster/_core/storage/
event_log/schema.py); ``invented``: an attempt at a step, and its retries, count for the assets that the run planned
for that step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy
from dagster import AssetKey, AssetSelection, DagsterError
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG
from dagster._core.workspace.context import WorkspaceRequestContext
from dagster_shared.check import CheckError

from hybrid.emulator.reporting import Entity, Metric, Place, ReportingError, Sample, Scope
from hybrid.emulator.runtime.storage import Storages

MOST_ROWS: Final = 500_000
"""Of one question: about 200 MB while it is answered."""
MOST_KEYS: Final = 500
_AT_ONCE: Final = 500  # runs named in one statement
_DATA: Final = "$.dagster_event.event_specific_data"
_ENTRIES: Final = {
    "ASSET_MATERIALIZATION": f"{_DATA}.materialization.metadata_entries",
    "ASSET_OBSERVATION": f"{_DATA}.asset_observation.metadata_entries",
}
_BEGINNINGS: Final = ("STEP_START", "STEP_RESTARTED")
_ENDS: Final = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_UP_FOR_RETRY")

Row = Any
Query = sqlalchemy.Select[Any]
_events = SqlEventLogStorageTable.c


def _readable(event: Any) -> Any:
    """The event as SQLite reads it: Python writes numbers that JSON does not have, which become null."""
    mended = event
    for before in (":", ": ", ",", ", ", "["):
        for number in ("NaN", "-Infinity", "Infinity"):
            mended = sqlalchemy.func.replace(mended, before + number, before + "null")
    valid = sqlalchemy.func.json_valid
    return sqlalchemy.case((valid(event) == 1, event), (valid(mended) == 1, mended), else_="{}")


_document = _readable(_events.event)
# Where runs are named: as an expression, so that SQLite goes by the index of runs, not by that of all events of a kind.
_kind_of_few = _events.dagster_event_type.concat("")


class DeploymentInsights:
    """See ``hybrid.emulator.seam.InsightsView``."""

    def __init__(self, storages: Storages, request_context: Callable[[], WorkspaceRequestContext]) -> None:
        self._runs = storages.runs.database
        self._events = storages.events.database
        self._request_context = request_context

    def samples(self, metric: Metric, scope: Scope, after: float, before: float) -> list[Sample]:
        if not metric.by_run:
            return self._metadata(metric.name, after, before)
        short = metric.name.removeprefix("__dagster_")
        if short in _RUN_METRICS:
            return self._of_runs(short, scope, after, before)
        if short == "execution_time_ms":
            return self._of_steps(self._attempts(after, before), scope)
        if short in ("step_failures", "step_retries"):
            return self._of_steps(self._step_events(short, after, before), scope)
        return self._counted(short, scope, after, before)

    def numeric_metadata(self, after: float, before: float, assets: Sequence[Entity] | None) -> list[str]:
        keys: set[str] = set()
        wanted = None if assets is None else set(assets)
        for kind, entry in _numbers():
            query = (
                sqlalchemy.select(entry.label, _events.asset_key)
                .select_from(SqlEventLogStorageTable, entry.table)
                .where(_events.dagster_event_type == kind, entry.is_number, _within(after, before))
                .distinct()
            )
            with self._events.connect() as connection:
                keys |= {key for key, asset in _rows(connection, query) if wanted is None or _path(asset) in wanted}
        return sorted(keys)[:MOST_KEYS]

    def assets(self, selection: str | None) -> dict[Entity, Place]:
        graph = self._request_context().asset_graph
        keys = graph.get_all_asset_keys()
        if selection is not None:
            try:
                keys = AssetSelection.from_string(selection).resolve(graph)
            except (DagsterError, CheckError, ValueError) as error:
                words = str(error).strip() or type(error).__name__
                raise ReportingError(f"The selection {selection[:200]!r} cannot be read: {words[:500]}") from error
        found: dict[Entity, Place] = {}
        for key in keys:
            node = graph.get(key)
            handle = graph.get_repository_handle(key)
            found[tuple(key.path)] = Place(node.group_name, handle.repository_name, handle.location_name)
        return found

    # -- runs -------------------------------------------------------------------------------------------------------

    def _of_runs(self, short: str, scope: Scope, after: float, before: float) -> list[Sample]:
        runs = RunsTable.c
        query = sqlalchemy.select(runs.run_id, runs.start_time, runs.end_time).where(
            runs.end_time >= after, runs.end_time < before, runs.status.in_(_RUN_METRICS[short])
        )
        duration = short == "run_duration_ms"
        if duration:
            query = query.where(runs.start_time.is_not(None))
        with self._runs.connect() as connection:
            found = _rows(connection, query)
        of = self._entities([row.run_id for row in found], scope)
        return [
            Sample(
                of[row.run_id], row.run_id, row.end_time, _milliseconds(row.end_time, row.start_time) if duration else 1
            )
            for row in found
            if row.run_id in of
        ]

    def _entities(self, run_ids: Sequence[str], scope: Scope) -> Mapping[str, Entity]:
        """The job of each run, or nothing for the deployment as a whole."""
        if scope == "deployment":
            return dict.fromkeys(run_ids, ())
        runs, tags = RunsTable.c, RunTagsTable.c
        found: dict[str, Entity] = {}
        for some in _parts(run_ids):
            labels = sqlalchemy.and_(tags.run_id == runs.run_id, tags.key == REPOSITORY_LABEL_TAG)
            query = (
                sqlalchemy.select(runs.run_id, runs.pipeline_name, tags.value)
                .select_from(RunsTable.outerjoin(RunTagsTable, labels))
                .where(runs.run_id.in_(some))
            )
            with self._runs.connect() as connection:
                for run_id, job, label in connection.execute(query):
                    repository, _, location = (label or "").partition("@")
                    found[run_id] = (job, repository, location)
        return found

    # -- events -----------------------------------------------------------------------------------------------------

    def _counted(self, short: str, scope: Scope, after: float, before: float) -> list[Sample]:
        kind, condition, asset_key = _COUNTED[short]
        hour = sqlalchemy.func.strftime("%Y-%m-%d %H", _events.timestamp)
        newest, count = sqlalchemy.func.max(_events.timestamp), sqlalchemy.func.count()
        query: Query = sqlalchemy.select(
            _events.run_id,
            asset_key.label("asset"),
            sqlalchemy.type_coerce(newest, sqlalchemy.DateTime()).label("at"),
            count.label("count"),
        ).where(_events.dagster_event_type == kind, _within(after, before))
        if condition is not None:
            query = query.where(condition)
        with self._events.connect() as connection:
            found = _rows(connection, query.group_by(_events.run_id, asset_key, hour))
        if scope == "asset":
            paths = ((_path(row.asset), row) for row in found)
            return [Sample(path, row.run_id, _seconds(row.at), row.count) for path, row in paths if path]
        of = self._entities(list({row.run_id for row in found}), scope)
        if scope == "deployment":  # also what was reported without a run
            return [Sample((), row.run_id, _seconds(row.at), row.count) for row in found]
        return [Sample(of[row.run_id], row.run_id, _seconds(row.at), row.count) for row in found if row.run_id in of]

    def _metadata(self, key: str, after: float, before: float) -> list[Sample]:
        found: list[Sample] = []
        for kind, entry in _numbers():
            query = (
                sqlalchemy.select(_events.run_id, _events.asset_key, _events.timestamp, entry.number)
                .select_from(SqlEventLogStorageTable, entry.table)
                .where(_events.dagster_event_type == kind, _within(after, before))
                .where(entry.is_number, entry.label == key)
            )
            with self._events.connect() as connection:
                for run_id, asset, at, value in _rows(connection, query):
                    path = _path(asset)
                    if path and isinstance(value, (int, float)) and math.isfinite(value):
                        found.append(Sample(path, run_id, _seconds(at), float(value)))
        return found

    # -- steps ------------------------------------------------------------------------------------------------------

    def _step_events(self, short: str, after: float, before: float) -> list[tuple[str, str, float, float]]:
        kind = "STEP_FAILURE" if short == "step_failures" else "STEP_RESTARTED"
        return [(run, step, at, 1.0) for run, step, at in self._steps([kind], after, before)]

    def _attempts(self, after: float, before: float) -> Iterator[tuple[str, str, float, float]]:
        """Run, step, end and milliseconds of each attempt that ended in the time."""
        ends = self._steps(_ENDS, after, before)
        begun: dict[tuple[str, str], list[float]] = {}
        for some in _parts(sorted({run for run, _, _ in ends})):
            for run, step, at in self._steps(_BEGINNINGS, 0, before, some):
                begun.setdefault((run, step), []).append(at)
        for run, step, at in ends:
            earlier = [start for start in begun.get((run, step), ()) if start <= at]
            if earlier:
                yield run, step, at, _milliseconds(at, max(earlier))

    def _steps(
        self, kinds: Sequence[str], after: float, before: float, run_ids: Sequence[str] | None = None
    ) -> list[tuple[str, str, float]]:
        kind = _events.dagster_event_type if run_ids is None else _kind_of_few
        query = sqlalchemy.select(_events.run_id, _events.step_key, _events.timestamp).where(
            kind.in_(kinds), _events.step_key.is_not(None), _within(after, before)
        )
        if run_ids is not None:
            query = query.where(_events.run_id.in_(run_ids))
        with self._events.connect() as connection:
            return [(run, step, _seconds(at)) for run, step, at in _rows(connection, query)]

    def _of_steps(self, found: Iterator[Any] | list[Any], scope: Scope) -> list[Sample]:
        found = list(found)
        runs = sorted({run for run, _, _, _ in found})
        if scope == "asset":
            planned = self._planned(runs)
            return [
                Sample(path, run, at, value) for run, step, at, value in found for path in planned.get((run, step), ())
            ]
        of = self._entities(runs, scope)
        return [Sample(of[run], run, at, value) for run, _, at, value in found if run in of]

    def _planned(self, run_ids: Sequence[str]) -> dict[tuple[str, str], set[Entity]]:
        """The assets of the steps of runs."""
        planned: dict[tuple[str, str], set[Entity]] = {}
        for some in _parts(run_ids):
            query = (
                sqlalchemy.select(_events.run_id, _events.step_key, _events.asset_key)
                .where(_events.run_id.in_(some), _kind_of_few == "ASSET_MATERIALIZATION_PLANNED")
                .distinct()
            )
            with self._events.connect() as connection:
                for run, step, asset in _rows(connection, query):
                    path = _path(asset)
                    if step and path:
                        planned.setdefault((run, step), set()).add(path)
        return planned


class _Numbers:
    """The numeric metadata entries of an event: their ``label`` and ``number``, and the condition that picks them."""

    def __init__(self, where: str) -> None:
        self.table = sqlalchemy.func.json_each(_document, where).table_valued("value", joins_implicitly=True)
        value = self.table.c.value
        self.label = sqlalchemy.func.json_extract(value, "$.label")
        self.number = sqlalchemy.func.json_extract(value, "$.entry_data.value")
        kind = sqlalchemy.func.json_extract(value, "$.entry_data.__class__")
        self.is_number = kind.in_(["IntMetadataEntryData", "FloatMetadataEntryData"])


def _numbers() -> Iterator[tuple[str, _Numbers]]:
    for kind, where in _ENTRIES.items():
        yield kind, _Numbers(where)


def _said(where: str) -> Any:
    return sqlalchemy.func.json_extract(_document, f"{_DATA}.{where}")


def _check(severity: str) -> Any:
    severe = _said("severity.__enum__") == f"AssetCheckSeverity.{severity}"
    return sqlalchemy.and_(_said("success") == 0, severe)


_RUN_METRICS: Final = {
    "run_successes": ("SUCCESS",),
    "run_failures": ("FAILURE",),
    "run_duration_ms": ("SUCCESS", "FAILURE", "CANCELED"),
}
_FAILED: Final = (
    _said("asset_materialization_failure.failure_type.__enum__") == "AssetMaterializationFailureType.FAILED"
)
_COUNTED: Final[Mapping[str, tuple[str, Any, Any]]] = {
    "materializations": ("ASSET_MATERIALIZATION", None, _events.asset_key),
    "observations": ("ASSET_OBSERVATION", None, _events.asset_key),
    "failed_to_materialize": ("ASSET_FAILED_TO_MATERIALIZE", _FAILED, _events.asset_key),
    "asset_check_errors": ("ASSET_CHECK_EVALUATION", _check("ERROR"), _said("asset_key.path")),
    "asset_check_warnings": ("ASSET_CHECK_EVALUATION", _check("WARN"), _said("asset_key.path")),
}


def _within(after: float, before: float) -> Any:
    return sqlalchemy.and_(_events.timestamp >= _moment(after), _events.timestamp < _moment(before))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def _milliseconds(end: float, start: float) -> float:
    return max(0.0, (end - start) * 1_000)


def _path(key: str | None) -> Entity:
    found = AssetKey.from_db_string(key) if key else None
    return tuple(found.path) if found else ()


def _parts(run_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(run_ids), _AT_ONCE):
        yield run_ids[first : first + _AT_ONCE]


def _rows(connection: Any, query: Any) -> list[Row]:
    found = connection.execute(query.limit(MOST_ROWS + 1)).all()
    if len(found) > MOST_ROWS:
        raise ReportingError(f"More than {MOST_ROWS} events in that time: move `after` and `before` together.")
    return list(found)
