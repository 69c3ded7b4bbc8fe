"""Insights over runs and events that a test stored, asked with the documents of `dg api`.

The generated client of `dg api` reads the answers, as in the client itself; times are given, so that each figure is
known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
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
from dagster._core.storage.dagster_run import DagsterRun, DagsterRunStatus
from dagster_rest_resources.__generated__.client import Client
from dagster_rest_resources.__generated__.enums import (
    ReportingAggregationFunction,
    ReportingMetricsGranularity,
    ReportingSortDirection,
    ReportingSortTarget,
    ReportingUnitType,
)
from dagster_rest_resources.api.metrics import DgApiMetricsApi
from dagster_rest_resources.schemas.exception import DagsterPlusClientError, DagsterPlusUnauthorizedError
from dagster_shared.error import SerializableErrorInfo

from hybrid.emulator.api.context import Context
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.public import public_api
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization
from hybrid.emulator.reporting import Place
from hybrid.emulator.runtime.insights import DeploymentInsights
from hybrid.emulator.runtime.loaded import LoadedRuntime

DAY = 86_400.0
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday at midnight UTC
NOON = MONDAY + DAY / 2
MADE, RETRIES = "__dagster_materializations", "__dagster_step_retries"
DURATION, EXECUTION = "__dagster_run_duration_ms", "__dagster_execution_time_ms"
DAILY, HOURLY = ReportingMetricsGranularity.DAILY, ReportingMetricsGranularity.HOURLY
WEEK: dict[str, Any] = {"after": MONDAY, "before": MONDAY + 7 * DAY}
A, B = dg.AssetKey("a"), dg.AssetKey(["b", "c"])


class Asking(Client):
    """The generated client, whose questions are answered in this process as the administrator's, or ``caller``'s."""

    def __init__(self, organization: Organization, runtime: LoadedRuntime) -> None:
        loader = RuntimeLoader(lambda: runtime, lambda: None)
        loader.start()
        self.organization = organization
        self.api = public_api(organization, loader)
        self.deployment = organization.deployment
        self.caller = organization.tokens.create("user", "test", user_id=organization.users.administrator.id)[0]

    def execute(self, query: str, operation_name: str | None = None, variables: Any = None, **_more: Any) -> Any:
        operation = parsed(query, operation_name)
        problems = self.api.problems(operation)
        assert not problems, [problem.message for problem in problems]
        sent = self._process_variables(variables)[0] if variables else {}
        context = Context(headers={}, caller=self.caller, deployment=self.deployment)
        return self.api.execute(operation, sent, context)

    def get_data(self, response: Any) -> dict[str, Any]:
        assert not response.errors, response.errors
        return dict(response.data)


class Happening:
    """Stores runs and events at given times."""

    def __init__(self, runtime: LoadedRuntime, deployment: str) -> None:
        self._storages = runtime.of(deployment).storages

    def run(self, run_id: str, start: float, end: float, status: str = "SUCCESS", job: str = "nightly") -> None:
        """A run of the job in ``__repository__@hello`` that ended."""
        tags = {".dagster/repository": "__repository__@hello"}
        self._storages.runs.add_run(DagsterRun(job, run_id, status=DagsterRunStatus.NOT_STARTED, tags=tags))
        self.event(run_id, start, "PIPELINE_START")
        self.event(run_id, end, f"PIPELINE_{status}")

    def event(self, run_id: str, at: float, kind: str, data: Any = None, step: str | None = None) -> None:
        event = DagsterEvent(kind, "nightly", step_key=step, event_specific_data=data, message="said")
        self._storages.events.store_event(EventLogEntry(None, 20, "said", run_id, at, step, "nightly", event))

    def made(self, run_id: str, at: float, key: dg.AssetKey = A, **metadata: Any) -> None:
        data = StepMaterializationData(dg.AssetMaterialization(key, metadata=metadata))
        self.event(run_id, at, "ASSET_MATERIALIZATION", data, "make")


@pytest.fixture
def asking(organization: Organization, runtime: LoadedRuntime, monkeypatch: pytest.MonkeyPatch) -> Asking:
    places = {("a",): Place("first", "__repository__", "hello"), ("b", "c"): Place("second", "__repository__", "hello")}
    whole = DeploymentInsights.assets

    def defined(self: DeploymentInsights, selection: str | None) -> Mapping[Any, Place]:
        return (
            whole(self, selection)
            if selection == "no such ("
            else places
            if selection != "group:first"
            else {("a",): places["a",]}
        )

    monkeypatch.setattr(DeploymentInsights, "assets", defined)
    return Asking(organization, runtime)


@pytest.fixture
def metrics(asking: Asking) -> DgApiMetricsApi:
    return DgApiMetricsApi(asking)


@pytest.fixture
def happening(runtime: LoadedRuntime, organization: Organization) -> Happening:
    return Happening(runtime, organization.deployment.name)


@pytest.fixture
def week(happening: Happening) -> Happening:
    """Two runs on Monday and one on Wednesday, of which the last failed; and one in the week before."""
    happening.run("before", NOON - 7 * DAY, NOON - 7 * DAY + 5)
    happening.run("r1", NOON, NOON + 10)
    happening.run("r2", NOON + 100, NOON + 130)
    happening.run("r3", NOON + 2 * DAY, NOON + 2 * DAY + 20, "FAILURE", job="hourly")
    happening.made("before", NOON - 7 * DAY, rows=1)
    happening.made("r1", NOON + 1, rows=5)
    happening.made("r1", NOON + 2, rows=7)
    happening.made("r2", NOON + 101, B, share=0.5)
    happening.made("r2", NOON + 102, rows=9, words="nine")
    return happening


def test_materializations_of_an_asset_are_told_by_the_day(metrics: DgApiMetricsApi, week: Happening) -> None:
    told = metrics.get_asset_metrics(MADE, **WEEK, asset_keys=[["a"]])
    [entry] = told.items
    assert told.timestamps == [MONDAY + day * DAY for day in range(7)], "a span begins at midnight UTC"
    assert entry.values == [3, None, None, None, None, None, None], "a day without a run has no value"
    assert entry.aggregate_value == 3
    assert entry.entity == {
        "__typename": "ReportingAsset",
        "assetKey": {"path": ["a"]},
        "assetGroup": "first",
        "codeLocationName": "hello",
        "repositoryName": "__repository__",
    }
    assert (entry.aggregate_value_change.change, entry.aggregate_value_change.is_newly_available) == (200.0, False), (
        "one the week before, three now"
    )


def test_a_selection_is_told_as_one(metrics: DgApiMetricsApi, week: Happening) -> None:
    [both] = metrics.get_asset_selection_metrics(MADE, **WEEK, asset_keys=[["a"], ["b", "c"]]).items
    assert (both.aggregate_value, both.entity["selection"]) == (4, 'key:"a" or key:"b/c"')
    [first] = metrics.get_asset_selection_metrics(MADE, **WEEK, asset_selection="group:first").items
    assert (first.aggregate_value, first.entity["selection"]) == (3, "group:first"), "the other asset is left out"


def test_a_selection_that_cannot_be_read_is_refused_in_words(metrics: DgApiMetricsApi) -> None:
    with pytest.raises(DagsterPlusClientError, match="The selection 'no such \\(' cannot be read"):
        metrics.get_asset_selection_metrics(MADE, **WEEK, asset_selection="no such (")


def test_runs_of_jobs_are_told_by_the_hour_and_by_the_function(metrics: DgApiMetricsApi, week: Happening) -> None:
    nightly = [{"job_name": "nightly", "repository_name": "__repository__", "code_location_name": "hello"}]
    day = {"after": MONDAY, "before": MONDAY + DAY, "granularity": HOURLY, "jobs": nightly}

    def duration(function: ReportingAggregationFunction) -> float:
        [entry] = metrics.get_job_metrics(DURATION, **day, aggregation_function=function).items
        return entry.aggregate_value

    [entry] = metrics.get_job_metrics(DURATION, **day).items
    assert entry.entity["jobName"] == "nightly", "the other job was not asked for"
    assert (len(entry.values), entry.values[12], entry.values[11]) == (24, pytest.approx(40_000), None)
    assert duration(ReportingAggregationFunction.AVERAGE) == pytest.approx(20_000), "of 10 s and 30 s"
    assert duration(ReportingAggregationFunction.P75) == pytest.approx(25_000), "percentiles are interpolated"
    assert duration(ReportingAggregationFunction.MIN) == pytest.approx(10_000)
    assert duration(ReportingAggregationFunction.LATEST) == pytest.approx(30_000)


def test_jobs_come_in_the_order_asked_for_and_no_more_than_asked_for(metrics: DgApiMetricsApi, week: Happening) -> None:
    def jobs(direction: ReportingSortDirection, limit: int | None = None) -> list[str]:
        told = metrics.get_job_metrics(
            DURATION,
            **WEEK,
            limit=limit,
            sort_targets=[ReportingSortTarget.AGGREGATION_VALUE],
            sort_directions=[direction],
        )
        return [entry.entity["jobName"] for entry in told.items]

    assert jobs(ReportingSortDirection.DESCENDING) == ["nightly", "hourly"], "40 s before 20 s"
    assert jobs(ReportingSortDirection.ASCENDING, limit=1) == ["hourly"]


def test_runs_are_counted_by_how_they_ended(metrics: DgApiMetricsApi, week: Happening) -> None:
    told = metrics.get_deployment_metrics("__dagster_run_successes", **WEEK)
    assert [entry.aggregate_value for entry in told.items] == [2]
    failures = metrics.get_job_metrics("__dagster_run_failures", **WEEK).items
    assert [(entry.entity["jobName"], entry.aggregate_value) for entry in failures] == [("hourly", 1)]


def test_attempts_at_steps_count_for_the_assets_they_were_planned_for(
    metrics: DgApiMetricsApi, happening: Happening
) -> None:
    happening.run("r1", NOON, NOON + 60)
    for key in (A, B):
        data = AssetMaterializationPlannedData(key, partition=None, partitions_subset=None)
        happening.event("r1", NOON, "ASSET_MATERIALIZATION_PLANNED", data, "make")
    retry, failure = (
        StepRetryData(SerializableErrorInfo("said", [], None)),
        StepFailureData(error=None, user_failure_data=None),
    )
    for at, kind, said in (
        (1, "START", None),
        (4, "UP_FOR_RETRY", retry),
        (10, "RESTARTED", None),
        (12, "FAILURE", failure),
    ):
        happening.event("r1", NOON + at, f"STEP_{kind}", said, step="make")
    happening.event("r1", NOON + 20, "STEP_START", step="unplanned")
    happening.event("r1", NOON + 27, "STEP_SUCCESS", StepSuccessData(duration_ms=1.0), step="unplanned")
    execution = metrics.get_asset_metrics(EXECUTION, **WEEK, asset_selection="*").items
    assert [entry.aggregate_value for entry in execution] == pytest.approx([5_000, 5_000]), "3 s and 2 s, for each"
    [job] = metrics.get_job_metrics(EXECUTION, **WEEK).items
    assert job.aggregate_value == pytest.approx(12_000), "the job has the other step as well"
    assert [
        entry.aggregate_value for entry in metrics.get_asset_metrics(RETRIES, **WEEK, asset_keys=[["a"]]).items
    ] == [1]
    assert metrics.get_job_metrics("__dagster_step_failures", **WEEK).items[0].aggregate_value == 1


def test_checks_observations_and_failures_are_counted_by_asset(metrics: DgApiMetricsApi, happening: Happening) -> None:
    happening.run("r1", NOON, NOON + 60)
    for passed, severity in ((True, "ERROR"), (False, "ERROR"), (False, "WARN"), (False, "WARN")):
        check = AssetCheckEvaluation(
            A, "good", passed=passed, metadata={"share": float("nan")}, severity=dg.AssetCheckSeverity(severity)
        )
        happening.event("r1", NOON, "ASSET_CHECK_EVALUATION", check, "check")
    happening.event("r1", NOON, "ASSET_OBSERVATION", AssetObservationData(dg.AssetObservation(A)), "look")
    for kind in AssetMaterializationFailureType:
        failure = AssetMaterializationFailure(
            A, partition=None, failure_type=kind, reason=AssetMaterializationFailureReason.FAILED_TO_MATERIALIZE
        )
        data = AssetFailedToMaterializeData(failure, None)
        happening.event("r1", NOON, "ASSET_FAILED_TO_MATERIALIZE", data, "make")

    def told(name: str) -> float:
        [entry] = metrics.get_asset_metrics(f"__dagster_{name}", **WEEK, asset_keys=[["a"]]).items
        return entry.aggregate_value

    assert (told("asset_check_errors"), told("asset_check_warnings")) == (1, 2), "what passed is not counted"
    assert told("observations") == 1
    assert told("failed_to_materialize") == 1, "what may be skipped is not counted"


def test_numbers_in_metadata_are_metrics_of_assets(metrics: DgApiMetricsApi, week: Happening) -> None:
    week.made("r1", NOON + 3, rows=float("nan"))
    [entry] = metrics.get_asset_metrics(
        "rows", **WEEK, asset_keys=[["a"]], aggregation_function=ReportingAggregationFunction.AVERAGE
    ).items
    assert entry.aggregate_value == pytest.approx(7), "of 5, 7 and 9: each event counts, what is no number does not"
    listed = metrics.list_asset_metric_types(**WEEK).items
    assert [one.metric_name for one in listed if not one.metric_name.startswith("__")] == ["rows", "share"]
    narrowed = metrics.list_asset_metric_types(**WEEK, asset_keys=[["b", "c"]]).items
    assert [one.metric_name for one in narrowed if not one.metric_name.startswith("__")] == ["share"]


def test_what_cannot_be_computed_is_neither_listed_nor_told(metrics: DgApiMetricsApi) -> None:
    listed = {
        "asset": metrics.list_asset_metric_types(),
        "job": metrics.list_job_metric_types(),
        "some job": metrics.list_job_metric_types(jobs=[{"job_name": "nightly"}]),
        "deployment": metrics.list_deployment_metric_types(),
    }
    names = {scope: {one.metric_name for one in found.items} for scope, found in listed.items()}
    assert all(MADE in found for found in names.values())
    assert names["some job"] == names["job"]
    assert not any("credits" in name or "rate" in name for found in names.values() for name in found)
    [duration] = [one for one in listed["job"].items if one.metric_name == DURATION]
    assert (duration.unit_type, duration.display_name) == (ReportingUnitType.TIME_MS, "Run duration")
    with pytest.raises(DagsterPlusClientError, match="There is no metric '__dagster_dagster_credits' of jobs here"):
        metrics.get_job_metrics("__dagster_dagster_credits", **WEEK)


@pytest.mark.parametrize(
    ("after", "before", "words"),
    [
        (MONDAY, MONDAY, "has to come before"),
        (0, MONDAY, "At most 366 days"),
        (MONDAY, MONDAY + 300 * DAY, "More than 3000 spans"),
        (0, 1e300, "has to come before"),
    ],
)
def test_a_time_that_cannot_be_told_is_refused_in_words(
    metrics: DgApiMetricsApi, after: float, before: float, words: str
) -> None:
    with pytest.raises(DagsterPlusClientError, match=words):
        metrics.get_deployment_metrics(MADE, after, before, granularity=HOURLY)


def test_weeks_begin_on_monday_and_months_on_their_first(metrics: DgApiMetricsApi, week: Happening) -> None:
    weekly = metrics.get_deployment_metrics(
        MADE, MONDAY - 3 * DAY, MONDAY + DAY, granularity=ReportingMetricsGranularity.WEEKLY
    )
    assert weekly.timestamps == [MONDAY - 7 * DAY, MONDAY]
    assert weekly.items[0].values == [None, 4], "what was before the time asked for is not told, within its span either"
    monthly = metrics.get_deployment_metrics(
        MADE, MONDAY, MONDAY + 40 * DAY, granularity=ReportingMetricsGranularity.MONTHLY
    )
    assert monthly.timestamps == [datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (3, 4)]


def test_deployments_are_told_apart_and_only_those_the_caller_sees(
    asking: Asking, metrics: DgApiMetricsApi, runtime: LoadedRuntime, week: Happening
) -> None:
    organization = asking.organization
    other = organization.deployments.create("other", "HYBRID")
    there = Happening(runtime, "other")
    there.run("o1", NOON, NOON + 1)
    there.made("o1", NOON)

    def told(**narrowed: Any) -> dict[str, float]:
        found = metrics.get_deployment_metrics(MADE, **WEEK, granularity=DAILY, **narrowed).items
        return {entry.entity["deploymentName"]: entry.aggregate_value for entry in found}

    assert told() == {"other": 1, "prod": 4}
    assert told(deployment_ids=[other.id]) == {"other": 1}
    user = organization.users.add("one@example.com", [("VIEWER", "DEPLOYMENT", organization.deployment.id)])
    asking.caller = organization.tokens.create("user", "test", user_id=user.id)[0]
    assert told() == {"prod": 4}, "what the caller has no role in is not told"
    asking.deployment = other
    with pytest.raises(DagsterPlusUnauthorizedError, match="VIEWER"):
        metrics.get_job_metrics(MADE, **WEEK)


def test_groups_of_assets_are_told(asking: Asking, week: Happening) -> None:
    query = """query ($filter: AssetGroupReportingMetricsFilter, $selector: ReportingMetricsSelector!) {
      reportingMetricsByAssetGroup(metricsFilter: $filter, metricsSelector: $selector) {
        ... on ReportingMetrics { metrics { aggregateValue entity { ... on ReportingAssetGroup { groupName } } } }
      }
    }"""
    selector = {"metricName": MADE, **WEEK, "granularity": "DAILY"}

    def told(wanted: Mapping[str, Any] | None) -> list[tuple[str, float]]:
        answer = asking.get_data(asking.execute(query, None, {"filter": wanted, "selector": selector}))
        found = answer["reportingMetricsByAssetGroup"]["metrics"]
        return [(entry["entity"]["groupName"], entry["aggregateValue"]) for entry in found]

    assert told(None) == [("first", 3), ("second", 1)]
    assert told({"assetGroups": [{"assetGroupName": "second"}]}) == [("second", 1)]
    assert told({"codeLocations": [{"codeLocationName": "elsewhere"}]}) == []
