"""Partitions of every kind through the real agent: values passed on, backfills, dynamic ones, wiped, reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.checkout import Checkout, until
from tests.emulated.dagster_api import DagsterApi, location_code

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

LOCATION = "partitioned"
REPOSITORY = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}

_BACKFILL = """mutation LaunchPartitionBackfill($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) { __typename
    ... on LaunchBackfillSuccess { backfillId } ... on Error { message } } }"""
_BACKFILL_STATUS = """query Backfill($backfillId: String!) { partitionBackfillOrError(backfillId: $backfillId) {
  __typename ... on PartitionBackfill { status error { message } } ... on Error { message } } }"""
_ADD_PARTITION = """mutation AddPartition($repositorySelector: RepositorySelector!, $name: String!, $key: String!) {
  addDynamicPartition(repositorySelector: $repositorySelector, partitionsDefName: $name, partitionKey: $key) {
    __typename ... on Error { message } } }"""
_DELETE_PARTITIONS = """mutation DeletePartitions($repositorySelector: RepositorySelector!, $name: String!,
    $keys: [String!]!) {
  deleteDynamicPartitions(repositorySelector: $repositorySelector, partitionsDefName: $name, partitionKeys: $keys) {
    __typename ... on Error { message } } }"""
_PARTITION_KEYS = """query Keys($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) {
  __typename ... on AssetNode { partitionKeys } } }"""
_PARTITION_SETS = """query Partitions($repositorySelector: RepositorySelector!, $name: String, $partition: String!) {
  partitionSetOrError(repositorySelector: $repositorySelector, partitionSetName: $name) { __typename
    ... on Error { message } ... on PartitionSet {
      partitionsOrError { __typename ... on Error { message } ... on Partitions { results { name } } }
      partition(partitionName: $partition) {
        runConfigOrError { __typename ... on PartitionRunConfig { yaml } ... on Error { message } }
        tagsOrError { __typename ... on PartitionTags { results { key value } } ... on Error { message } } } } } }"""
_REPORT = """mutation Report($eventParams: ReportRunlessAssetEventsParams!) {
  reportRunlessAssetEvents(eventParams: $eventParams) { __typename ... on Error { message } } }"""
_WIPE = """mutation Wipe($assetPartitionRanges: [PartitionsByAssetSelector!]!) {
  wipeAssets(assetPartitionRanges: $assetPartitionRanges) { __typename ... on Error { message } } }"""


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[DagsterApi]:
    place = Checkout(tmp_path_factory.mktemp("partitioned") / "checkout", shared=environments)
    place.location(LOCATION, location_code(LOCATION))
    place.up()
    yield DagsterApi(place)
    place.destroy()


def partitions_of(dagster: DagsterApi, asset: str) -> set[str]:
    return {event["partition"] for event in dagster.materializations(asset)}


def partition_keys(dagster: DagsterApi, asset: str) -> list[str]:
    return list(dagster.one(_PARTITION_KEYS, assetKey={"path": [asset]})["partitionKeys"])


def partition_set(dagster: DagsterApi, job: str, partition: str) -> Any:
    name = f"{job}_partition_set"
    return dagster.one(_PARTITION_SETS, repositorySelector=REPOSITORY, name=name, partition=partition)


def completed(dagster: DagsterApi, **parameters: Any) -> str:
    """Launch a backfill and wait for its end; its id."""
    answer = dagster.one(_BACKFILL, backfillParams=parameters)
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    status = {}

    def has_ended() -> bool:
        status.update(dagster.one(_BACKFILL_STATUS, backfillId=answer["backfillId"]))
        return str(status["status"]) not in ("REQUESTED", "COMPLETING")

    until(has_ended, seconds=150, what="the backfill has ended")
    assert status["status"] == "COMPLETED_SUCCESS", status
    return str(answer["backfillId"])


def test_a_partition_s_value_is_what_its_counterpart_downstream_gets(dagster: DagsterApi) -> None:
    dagster.succeed(
        dagster.materialize(LOCATION, "letter", dagster__partition="b"),
        dagster.materialize(LOCATION, "daily", "doubled", dagster__partition="2026-01-03"),
    )
    dimensions = {"dagster__partition__day": "2026-01-02", "dagster__partition__letter": "b"}  # the UI sends them too
    dagster.succeed(dagster.materialize(LOCATION, "cell", dagster__partition="2026-01-02|b", **dimensions))
    (cell,) = dagster.materializations("cell")
    assert cell["partition"] == "2026-01-02|b"
    assert cell["metadata"]["value"] == "B on 2026-01-02", "a multi-partition reads its own letter's value"
    (doubled,) = [event for event in dagster.materializations("doubled") if event["partition"] == "2026-01-03"]
    assert doubled["metadata"]["value"] == "2026-01-032026-01-03"


def test_user_code_and_the_ui_add_and_delete_dynamic_partitions(dagster: DagsterApi) -> None:
    dagster.succeed(dagster.materialize(LOCATION, "surveyed"))
    (surveyed,) = dagster.materializations("surveyed")
    assert surveyed["metadata"]["known"] == "{'rome': True, 'turin': False}"
    assert surveyed["metadata"]["all"] == "paris,rome", "user code reads what it has written"
    selector = {"repositorySelector": REPOSITORY, "name": "places"}
    assert dagster.one(_ADD_PARTITION, **selector, key="oslo")["__typename"] == "AddDynamicPartitionSuccess"
    assert dagster.one(_ADD_PARTITION, **selector, key="oslo")["__typename"] == "DuplicateDynamicPartitionError"
    deleted = dagster.one(_DELETE_PARTITIONS, **selector, keys=["rome"])
    assert deleted["__typename"] == "DeleteDynamicPartitionsSuccess"
    assert sorted(partition_keys(dagster, "place")) == ["oslo", "paris"]
    dagster.succeed(dagster.materialize(LOCATION, "place", dagster__partition="oslo"))
    assert partitions_of(dagster, "place") == {"oslo"}


def test_what_happened_elsewhere_is_reported_and_wiped(dagster: DagsterApi) -> None:
    reported = {
        "eventType": "ASSET_MATERIALIZATION",
        "assetKey": {"path": ["letter"]},
        "partitionKeys": ["a", "c"],
        "description": "done by hand",
    }
    answer = dagster.one(_REPORT, eventParams=reported)
    assert answer["__typename"] == "ReportRunlessAssetEventsSuccess", answer
    assert {"a", "c"} <= partitions_of(dagster, "letter")
    answer = dagster.one(_WIPE, assetPartitionRanges=[{"assetKey": {"path": ["surveyed"]}}])
    assert answer["__typename"] == "AssetWipeSuccess", answer
    assert dagster.materializations("surveyed") == []


def test_the_configuration_of_a_partition_comes_from_user_code(dagster: DagsterApi) -> None:
    known = partition_set(dagster, "visiting", "south")
    assert [one["name"] for one in known["partitionsOrError"]["results"]] == ["north", "south"]
    assert "region: south" in known["partition"]["runConfigOrError"]["yaml"]
    tags = {tag["key"]: tag["value"] for tag in known["partition"]["tagsOrError"]["results"]}
    assert tags["region"] == "south"
    asked = partition_set(dagster, "travelling", "autumn")
    assert [one["name"] for one in asked["partitionsOrError"]["results"]] == ["spring", "autumn"], asked
    assert "region: autumn" in asked["partition"]["runConfigOrError"]["yaml"]


@pytest.mark.slow  # a run of its own for each of many partitions
def test_a_backfill_materializes_a_range_of_partitions(dagster: DagsterApi) -> None:
    keys = ["2026-01-04", "2026-01-05"]
    backfill = completed(
        dagster,
        assetSelection=[{"path": ["daily"]}, {"path": ["doubled"]}],
        partitionNames=keys,
        title="a range",
    )
    assert set(keys) <= partitions_of(dagster, "doubled")
    runs = dagster.runs(dagster__backfill=backfill)
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert len(runs) == 2, "one run for each partition"


@pytest.mark.slow
def test_a_backfill_of_a_job_configures_each_run_for_its_partition(dagster: DagsterApi) -> None:
    selector = {"partitionSetName": "visiting_partition_set", "repositorySelector": REPOSITORY}
    backfill = completed(dagster, selector=selector, partitionNames=["north", "south"])
    runs = dagster.runs(dagster__backfill=backfill)
    said = {message for run in runs for message in dagster.messages(run["runId"])}
    assert {"visited north", "visited south"} <= said
