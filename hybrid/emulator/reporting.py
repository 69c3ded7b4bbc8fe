"""Insights as plain data: which metrics there are, in which spans of time they are told, and how figures come together.

A sample is one run's part in a metric of an asset, a job or a deployment at one time. Figures are functions of samples.

Rests on: ``schema`` for granularities, functions and what an entry has; ``client`` for those that are newer
(dagster_rest_resources/__generated__/enums.py); ``docs`` for what the metrics are (guides/observe/insights), and the
names that Dagster+'s own pages use; ``invented``: spans begin at midnight UTC, weeks on Monday; a function is over
runs, each with what it adds to the span, and for metadata over the events that have it; percentiles are interpolated; a
span without a sample has no value, and who has none in the whole window is left out; a change is told in percent of
the time of the same length just before.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

Scope = Literal["asset", "job", "deployment"]
Entity = tuple[str, ...]

MOST_DAYS: Final = 366
MOST_SPANS: Final = 3_000  # 125 days by the hour
_LATEST_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


class ReportingError(ValueError):
    """What is asked for cannot be told; the text says why and what to ask instead."""


class Sample(NamedTuple):
    """``at`` in seconds since the epoch. ``entity``: an asset's path; job, repository and location; or nothing."""

    entity: Entity
    run_id: str
    at: float
    value: float


class Place(NamedTuple):
    """Where an asset is defined."""

    group: str
    repository: str
    location: str


@dataclass(frozen=True)
class Metric:
    """A metric. ``unit`` is INTEGER, TIME_MS or FLOAT. ``by_run``: a run's samples of a span are one figure."""

    name: str
    display_name: str
    unit: str
    description: str
    scopes: tuple[Scope, ...] = ("asset", "job", "deployment")
    by_run: bool = True


_BUILT_IN: Final = (
    Metric("__dagster_materializations", "Materializations", "INTEGER", "Materializations of assets."),
    Metric(
        "__dagster_failed_to_materialize",
        "Failed to materialize",
        "INTEGER",
        "Assets that a run was to materialize and did not; those that may be skipped are not counted.",
    ),
    Metric("__dagster_observations", "Observations", "INTEGER", "Observations of assets."),
    Metric(
        "__dagster_execution_time_ms",
        "Execution time",
        "TIME_MS",
        "Time that attempts at steps took. A step of several assets counts for each of them.",
    ),
    Metric("__dagster_step_failures", "Step failures", "INTEGER", "Steps that failed for good.", ("job", "deployment")),
    Metric("__dagster_step_retries", "Step retries", "INTEGER", "Attempts at a step after its first."),
    Metric("__dagster_run_successes", "Run success count", "INTEGER", "Runs that succeeded.", ("job", "deployment")),
    Metric("__dagster_run_failures", "Run failure count", "INTEGER", "Runs that failed.", ("job", "deployment")),
    Metric(
        "__dagster_run_duration_ms",
        "Run duration",
        "TIME_MS",
        "Time from the start of a run to its end, whatever the end.",
        ("job", "deployment"),
    ),
    Metric(
        "__dagster_asset_check_errors",
        "Check errors",
        "INTEGER",
        "Asset checks that failed with severity ERROR.",
        ("asset", "deployment"),
    ),
    Metric(
        "__dagster_asset_check_warnings",
        "Check warnings",
        "INTEGER",
        "Asset checks that failed with severity WARN.",
        ("asset", "deployment"),
    ),
)
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _BUILT_IN}


def metrics_of(scope: Scope) -> list[Metric]:
    """The metrics that are always there."""
    return [metric for metric in _BUILT_IN if scope in metric.scopes]


def metadata_metric(key: str) -> Metric:
    """The numbers that assets give under a key of their metadata."""
    return Metric(
        key, key, "FLOAT", f"Numbers that events of assets have under {key!r} in their metadata.", ("asset",), False
    )


def metric_named(name: str, scope: Scope) -> Metric:
    """Raises ``ReportingError`` when the scope has none of that name. What is not built in is a key of metadata."""
    metric = METRICS.get(name)
    if metric is None and scope == "asset" and name and not name.startswith("__"):
        return metadata_metric(name)
    if metric is None or scope not in metric.scopes:
        raise ReportingError(
            f"There is no metric {name[:80]!r} of {scope}s here. There are: "
            f"{', '.join(known.name for known in metrics_of(scope))}."
        )
    return metric


@dataclass(frozen=True)
class Window:
    """From ``after`` until just before ``before``, in seconds since the epoch, cut into spans.

    Raises ``ReportingError`` when it is empty, longer than ``MOST_DAYS``, or has more than ``MOST_SPANS``.
    """

    after: float
    before: float
    granularity: str
    starts: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.after < self.before <= _LATEST_TIME:
            raise ReportingError("`after` has to come before `before`; both are seconds since the epoch.")
        if self.before - self.after > MOST_DAYS * _DAY.total_seconds():
            raise ReportingError(f"At most {MOST_DAYS} days are told at once: move `after` and `before` together.")
        object.__setattr__(self, "starts", tuple(_starts(self.after, self.before, self.granularity)))

    @property
    def former(self) -> float:
        """When the time of the same length just before begins."""
        return max(0.0, 2 * self.after - self.before)

    def span(self, at: float) -> int:
        """Which span a time within the window is in."""
        return bisect.bisect_right(self.starts, at) - 1


def _starts(after: float, before: float, granularity: str) -> list[float]:
    moment = datetime.fromtimestamp(after, UTC).replace(minute=0, second=0, microsecond=0)
    if granularity != "HOURLY":
        moment = moment.replace(hour=0)
    if granularity == "WEEKLY":
        moment -= timedelta(days=moment.weekday())
    elif granularity == "MONTHLY":
        moment = moment.replace(day=1)
    starts: list[float] = []
    while moment.timestamp() < before:
        starts.append(moment.timestamp())
        if len(starts) > MOST_SPANS:
            raise ReportingError(f"More than {MOST_SPANS} spans: ask for less time, or a coarser granularity.")
        moment = _next(moment, granularity)
    return starts


def _next(moment: datetime, granularity: str) -> datetime:
    if granularity == "MONTHLY":
        return (moment.replace(day=1) + timedelta(days=32)).replace(day=1)
    return moment + {"HOURLY": _HOUR, "DAILY": _DAY, "WEEKLY": _WEEK}[granularity]


@dataclass(frozen=True)
class Figures:
    """What is told of one entity. ``change`` in percent; ``newly``: there was nothing in the time just before."""

    entity: Entity
    aggregate: float
    change: float
    newly: bool
    values: tuple[float | None, ...]


def figures(samples: Iterable[Sample], window: Window, metric: Metric, function: str) -> list[Figures]:
    """Of each entity with samples in the window, by name. ``samples`` are from ``window.former`` on."""
    by_entity: dict[Entity, list[Sample]] = {}
    for sample in samples:
        by_entity.setdefault(sample.entity, []).append(sample)
    told = [_told(entity, found, window, metric, function) for entity, found in sorted(by_entity.items())]
    return [one for one in told if one is not None]


def _told(entity: Entity, samples: Sequence[Sample], window: Window, metric: Metric, function: str) -> Figures | None:
    now = [sample for sample in samples if window.after <= sample.at < window.before]
    former = [sample for sample in samples if window.former <= sample.at < window.after]
    aggregate, before = _figure(now, metric, function), _figure(former, metric, function)
    if aggregate is None:
        return None
    spans: list[list[Sample]] = [[] for _ in window.starts]
    for sample in now:
        spans[window.span(sample.at)].append(sample)
    values = tuple(_figure(span, metric, function) for span in spans)
    change = (aggregate - before) / abs(before) * 100 if before else 0.0
    return Figures(entity, aggregate, change, before is None, values)


def _figure(samples: Sequence[Sample], metric: Metric, function: str) -> float | None:
    if not samples:
        return None
    ordered = sorted(samples, key=lambda sample: sample.at)
    if not metric.by_run:
        return FUNCTIONS[function]([sample.value for sample in ordered])
    runs: dict[str, float] = {}
    for sample in ordered:
        total = runs.pop(sample.run_id, 0.0)
        runs[sample.run_id] = total + sample.value
    return FUNCTIONS[function](list(runs.values()))


def _percentile(share: float) -> Callable[[Sequence[float]], float]:
    def among(values: Sequence[float]) -> float:
        ordered = sorted(values)
        place = share * (len(ordered) - 1)
        low, high = math.floor(place), math.ceil(place)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    return among


FUNCTIONS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "SUM": math.fsum,
    "AVERAGE": lambda values: math.fsum(values) / len(values),
    "P75": _percentile(0.75),
    "P90": _percentile(0.90),
    "P95": _percentile(0.95),
    "P99": _percentile(0.99),
    "LATEST": lambda values: values[-1],
    "MAX": max,
    "MIN": min,
}
"""By name, over the figures of runs in the order of their last samples."""
