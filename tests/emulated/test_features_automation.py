"""What Dagster's daemons do by themselves through the real agent: schedules, sensors, automation; and asset checks,
notebooks and the other things that only a code server can answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulated.checkout import Checkout, until
from tests.emulated.dagster_api import DagsterApi, location_code

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

LOCATION = "automated"
REPOSITORY = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "one", "metadata": {}, "source": ["# Told by a notebook"]}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}

_SENSOR = """query Sensor($sensorSelector: SensorSelector!) { sensorOrError(sensorSelector: $sensorSelector) {
  __typename ... on Error { message } ... on Sensor { id sensorState { id status
    typeSpecificData { __typename ... on SensorData { lastCursor } }
    ticks(limit: 20) { status cursor runIds skipReason error { message } } } } } }"""
_SET_CURSOR = """mutation SetCursor($sensorSelector: SensorSelector!, $cursor: String) {
  setSensorCursor(sensorSelector: $sensorSelector, cursor: $cursor) { __typename ... on Error { message } } }"""
_SENSOR_DRY_RUN = """mutation SensorDryRun($selectorData: SensorSelector!, $cursor: String) {
  sensorDryRun(selectorData: $selectorData, cursor: $cursor) { __typename ... on Error { message }
    ... on DryRunInstigationTick { evaluationResult { cursor error { message } runRequests { runKey } } } } }"""
_SCHEDULE = """query Schedule($scheduleSelector: ScheduleSelector!) {
  scheduleOrError(scheduleSelector: $scheduleSelector) { __typename ... on Error { message }
    ... on Schedule { scheduleState { status ticks(limit: 5) { status timestamp runIds error { message } } } } } }"""
_SCHEDULE_DRY_RUN = """mutation ScheduleDryRun($selectorData: ScheduleSelector!, $timestamp: Float) {
  scheduleDryRun(selectorData: $selectorData, timestamp: $timestamp) { __typename ... on Error { message }
    ... on DryRunInstigationTick { evaluationResult { error { message }
      runRequests { runKey tags { key value } } } } } }"""
_CHECKS = """query Checks($assetKey: AssetKeyInput!, $checkName: String!) {
  assetCheckExecutions(assetKey: $assetKey, checkName: $checkName, limit: 5) { status runId
    evaluation { severity success description } } }"""
_EVALUATIONS = """query Evaluations($assetKey: AssetKeyInput!) {
  assetConditionEvaluationRecordsOrError(assetKey: $assetKey, limit: 10) { __typename
    ... on AssetConditionEvaluationRecords { records { evaluationId numRequested runIds } } } }"""
_REFRESH = """mutation Refresh($locationName: String!, $defsStateKey: String!) {
  refreshComponentState(locationName: $locationName, defsStateKey: $defsStateKey) { __typename
    ... on RefreshComponentStateError { message } } }"""


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[DagsterApi]:
    place = Checkout(tmp_path_factory.mktemp("automated") / "checkout", shared=environments)
    place.location(LOCATION, location_code(LOCATION))
    place.up()
    yield DagsterApi(place)
    place.destroy()


@pytest.fixture(scope="module")
def materialized(dagster: DagsterApi) -> str:
    """The run that has tried to make ``source`` and what stands behind ``guarded``.

    What happened before the automation's first tick is history to it, and nothing to follow.
    """
    until(lambda: sensor(dagster, "automation")["ticks"], seconds=60, what="the automation has ticked")
    run_id = dagster.materialize(LOCATION, "source", "guarded", "behind_the_guard")
    assert dagster.ended(run_id) == "FAILURE", "a blocking check has failed"
    return run_id


def sensor(dagster: DagsterApi, name: str) -> Any:
    """The sensor's state, with ``id`` of the sensor."""
    found = dagster.one(_SENSOR, sensorSelector={**REPOSITORY, "sensorName": name})
    assert found["__typename"] == "Sensor", found
    ticks = found["sensorState"]["ticks"]
    assert not [tick["error"] for tick in ticks if tick["error"]], "no tick has failed"
    return {**found["sensorState"], "id": found["id"]}


def launched(dagster: DagsterApi, name: str, *, seconds: float) -> list[str]:
    """The runs of a sensor's first tick that launched some; waited for."""

    def runs() -> list[str]:
        return [run for tick in sensor(dagster, name)["ticks"] for run in tick["runIds"]]

    return list(until(runs, seconds=seconds, what=f"the sensor {name} has launched a run"))


def executions(dagster: DagsterApi, asset: str, check: str) -> list[Any]:
    return list(dagster.one(_CHECKS, assetKey={"path": [asset]}, checkName=check))


def test_checks_are_recorded_with_result_and_severity(dagster: DagsterApi, materialized: str) -> None:
    (passed,) = executions(dagster, "source", "is_one")
    assert (passed["status"], passed["runId"]) == ("SUCCEEDED", materialized)
    (failed,) = executions(dagster, "source", "is_large")
    assert failed["status"] == "FAILED"
    assert failed["evaluation"] == {"severity": "WARN", "success": False, "description": "it is small"}


def test_a_blocking_check_that_fails_keeps_what_is_behind_it_from_running(
    dagster: DagsterApi, materialized: str
) -> None:
    (failed,) = executions(dagster, "guarded", "is_even")
    assert (failed["status"], failed["runId"]) == ("FAILED", materialized)
    assert dagster.materializations("guarded"), "the asset itself was made"
    assert dagster.materializations("behind_the_guard") == []


@pytest.mark.usefixtures("materialized")
def test_an_eager_asset_follows_by_itself(dagster: DagsterApi) -> None:
    until(lambda: dagster.materializations("follower"), seconds=90, what="the eager asset was materialized")
    (follower,) = dagster.materializations("follower")
    assert dagster.run(follower["runId"])["tags"]["dagster/from_automation_condition"] == "true"
    records = dagster.one(_EVALUATIONS, assetKey={"path": ["follower"]})["records"]
    assert sum(record["numRequested"] for record in records) == 1, "requested once, and recorded why"


@pytest.mark.usefixtures("materialized")
def test_a_sensor_of_several_assets_runs_when_all_are_there(dagster: DagsterApi) -> None:
    (run_id,) = launched(dagster, "watching", seconds=60)
    dagster.succeed(run_id)
    assert dagster.run(run_id)["tags"]["watched"] == "source,guarded"
    cursor = json.loads(sensor(dagster, "watching")["typeSpecificData"]["lastCursor"])
    assert len(cursor) == 2, "it remembers how far it has seen each of them"


def test_a_sensor_s_cursor_advances_and_can_be_set(dagster: DagsterApi) -> None:
    (run_id,) = launched(dagster, "counting", seconds=60)
    dagster.succeed(run_id)

    def cursor() -> int:
        return int(sensor(dagster, "counting")["typeSpecificData"]["lastCursor"] or 0)

    until(lambda: cursor() >= 2, seconds=45, what="the next tick has got the cursor of the one before")
    selector = {**REPOSITORY, "sensorName": "counting"}

    def goes_on_from_there() -> bool:
        # a tick that was begun before writes its own cursor at its end, and so over the one that was set
        if cursor() < 1000:
            assert dagster.one(_SET_CURSOR, sensorSelector=selector, cursor="1000")["__typename"] == "Sensor"
        return cursor() > 1000

    until(goes_on_from_there, seconds=90, what="the sensor goes on from the cursor that was set")
    runs = [run for tick in sensor(dagster, "counting")["ticks"] for run in tick["runIds"]]
    assert runs == [run_id], "a run key launches once"


def test_a_sensor_is_tried_out_without_consequences(dagster: DagsterApi) -> None:
    tick = dagster.one(_SENSOR_DRY_RUN, selectorData={**REPOSITORY, "sensorName": "counting"}, cursor="41")
    assert tick["evaluationResult"]["cursor"] == "42", tick


def test_a_schedule_is_tried_out_for_a_chosen_time(dagster: DagsterApi) -> None:
    selector = {**REPOSITORY, "scheduleName": "each_minute"}
    tick = dagster.one(_SCHEDULE_DRY_RUN, selectorData=selector, timestamp=1_800_000_000.0)
    (request,) = tick["evaluationResult"]["runRequests"]
    assert {"key": "at", "value": "2027-01-15T08:00:00+00:00"} in request["tags"]


@pytest.mark.slow  # up to two minutes
def test_a_schedule_launches_its_run_when_it_is_due(dagster: DagsterApi) -> None:
    selector = {**REPOSITORY, "scheduleName": "each_minute"}

    def tick() -> Any:
        ticks = dagster.one(_SCHEDULE, scheduleSelector=selector)["scheduleState"]["ticks"]
        return next((one for one in ticks if one["status"] == "SUCCESS"), None)

    # Dagster looks once a minute, and what it sees for the first time is due at the next one.
    found = until(tick, seconds=150, what="the schedule has ticked")
    assert found["timestamp"] % 60 == 0, "at the full minute"
    assert found["timestamp"] > time.time() - 200
    (run_id,) = found["runIds"]
    dagster.succeed(run_id)
    assert dagster.run(run_id)["tags"]["dagster/schedule_name"] == "each_minute"


def test_a_notebook_is_shown_from_the_code_server_s_disk(dagster: DagsterApi) -> None:
    documents = """query Notebook($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) {
      ... on AssetNode { metadataEntries { label ... on NotebookMetadataEntry { path } } } } }"""
    entries = dagster.one(documents, assetKey={"path": ["told"]})["metadataEntries"]
    path = Path(next(entry["path"] for entry in entries if entry["label"] == "dagster_notebook"))
    path.write_text(json.dumps(NOTEBOOK))

    def shown(file: Path) -> httpx.Response:
        return httpx.get(f"{dagster.root}/notebook", params={"path": str(file), "repoLocName": LOCATION}, timeout=60)

    page = shown(path)
    assert page.status_code == 200, page.text
    assert "Told by a notebook" in page.text
    elsewhere = path.parents[1] / path.name
    elsewhere.write_text(json.dumps(NOTEBOOK))
    assert shown(elsewhere).status_code == 500, "code servers give out files of their own folder only"


def test_a_component_s_state_that_cannot_be_refreshed_is_an_error_from_the_code_server(dagster: DagsterApi) -> None:
    answer = dagster.one(_REFRESH, locationName=LOCATION, defsStateKey="nonesuch")
    assert answer["__typename"] == "RefreshComponentStateError"
    assert "nonesuch" in answer["message"], "the code server says which"
