"""The repository's own code locations through the real local agent: plain Dagster, dlt, dbt, and migrated pipelines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.checkout import REPOSITORY, Checkout
from tests.emulated.dagster_api import DagsterApi

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(900)]

LOCATIONS = ("dbt_project", "dlt_pipeline", "hello", "migrated")
CACHES = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache")

_LISTED = """query Listed($selector: RepositorySelector!) {
  repositoryOrError(repositorySelector: $selector) { __typename ... on Error { message } ... on Repository {
    schedules { name scheduleState { status } } sensors { name sensorState { status } } } } }"""
_NAMED = """query Named { repositoriesOrError { __typename ... on Error { message }
  ... on RepositoryConnection { nodes {
    location { name } jobs { name } assetNodes { assetKey { path } } schedules { name } sensors { name } } } } }"""
_CHECKS = """query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename
  ... on AssetNode { assetChecksOrError { __typename ... on AssetChecks { checks { name
    executionForLatestMaterialization { status runId } } } } } } }"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Checkout]:
    """A stack that stands, with the four locations as they are in the repository."""
    place = Checkout(tmp_path_factory.mktemp("real") / "checkout", shared=environments)
    for name in LOCATIONS:
        shutil.copytree(REPOSITORY / "locations" / name, place.root / "locations" / name, ignore=CACHES)
    answer = place.hybrid("up", "local", "--json", timeout=600)
    assert answer.code == 0, answer.err
    yield place
    place.destroy()


@pytest.fixture(scope="module")
def dagster(place: Checkout) -> DagsterApi:
    return DagsterApi(place)


def _checks(dagster: DagsterApi, *asset: str) -> dict[str, str]:
    """The asset's checks: how each came out for its latest materialization."""
    node = dagster.one(_CHECKS, key={"path": list(asset)})
    checks: list[dict[str, Any]] = node["assetChecksOrError"]["checks"]
    return {check["name"]: (check["executionForLatestMaterialization"] or {}).get("status", "NONE") for check in checks}


def _run(dagster: DagsterApi, location: str, job: str, partition: str | None = None) -> None:
    tags = {} if partition is None else {"dagster__partition": partition}
    run = dagster.launch(location, job, **tags)
    ended = dagster.ended(run, seconds=240)
    assert ended == "SUCCESS", "\n".join(dagster.messages(run)[-10:])


def _partitions(dagster: DagsterApi, *asset: str) -> set[str | None]:
    return {event["partition"] for event in dagster.materializations(*asset)}


def test_all_are_loaded(place: Checkout) -> None:
    found = {location["name"]: location["load_status"] for location in place.status().document["locations"]}
    assert found == dict.fromkeys(LOCATIONS, "LOADED"), "each in its own environment, from its lock"


def test_no_two_locations_have_an_asset_a_job_or_a_schedule_of_the_same_name(dagster: DagsterApi) -> None:
    repositories = dagster.one(_NAMED)["nodes"]
    assert {each["location"]["name"] for each in repositories} == set(LOCATIONS)
    names = [
        (what, name)
        for each in repositories
        for what, own in (
            ("asset", {"/".join(node["assetKey"]["path"]) for node in each["assetNodes"]}),
            ("job", {job["name"] for job in each["jobs"] if not job["name"].startswith("__")}),
            ("automation", {made["name"] for made in (*each["schedules"], *each["sensors"])}),
        )
        for name in own
    ]
    assert {what for what, _ in names} == {"asset", "job", "automation"}
    twice = sorted(f"{what} {name}" for what, name in set(names) if names.count((what, name)) > 1)
    assert not twice, f"one deployment serves them all, and Dagster warns about {twice}"


def test_a_second_up_changes_nothing(place: Checkout) -> None:
    assert "Nothing had to change." in place.up().err, "a location that writes into its folder is sent again each time"


@pytest.mark.parametrize(
    ("location", "schedules", "sensors"),
    [
        ("dbt_project", {"every_evening"}, set()),
        ("dlt_pipeline", {"every_night"}, set()),
        ("migrated", {"daily_prices", "nightly_stock"}, {"orders_arrived"}),
    ],
)
def test_schedules_and_sensors_are_listed_and_stopped(
    dagster: DagsterApi, location: str, schedules: set[str], sensors: set[str]
) -> None:
    selector = {"repositoryLocationName": location, "repositoryName": "__repository__"}
    found = dagster.one(_LISTED, selector=selector)
    assert {schedule["name"]: schedule["scheduleState"]["status"] for schedule in found["schedules"]} == dict.fromkeys(
        schedules, "STOPPED"
    )
    assert {sensor["name"]: sensor["sensorState"]["status"] for sensor in found["sensors"]} == dict.fromkeys(
        sensors, "STOPPED"
    ), "nothing starts because it was deployed"


def test_dlt_loads_a_day_and_its_check_passes(dagster: DagsterApi, place: Checkout) -> None:
    _run(dagster, "dlt_pipeline", "load_places")
    _run(dagster, "dlt_pipeline", "load_day", "2026-02-03")
    assert _partitions(dagster, "daylight") == {"2026-02-03"}
    assert _checks(dagster, "daylight") == {"each_day_once": "SUCCEEDED"}
    assert list(place.root.glob(".hybrid/stacks/local/storage/**/dlt_pipeline/warehouse.duckdb")), (
        "the default is in the stack's storage, so that all runs of the deployment share it"
    )


def test_dbt_builds_a_day_and_its_tests_pass_as_checks(dagster: DagsterApi) -> None:
    _run(dagster, "dbt_project", "build_day", "2026-02-03")
    checks = _checks(dagster, "marts", "daily_sales")
    assert checks["a_product_is_sold_once_a_day"] == "SUCCEEDED"
    assert set(checks.values()) == {"SUCCEEDED"}, checks


def test_the_migrated_pipelines_hand_data_on_between_runs(dagster: DagsterApi) -> None:
    for day in ("2026-01-05", "2026-01-06"):
        _run(dagster, "migrated", "load_orders", day)
    assert _partitions(dagster, "stationery", "orders") == {"2026-01-05", "2026-01-06"}
    _run(dagster, "migrated", "convert_prices")
    _run(dagster, "migrated", "take_stock")
    assert _checks(dagster, "stationery", "stock") == {"nothing_is_below_zero": "SUCCEEDED"}
    assert dagster.materializations("stationery", "price_lists")[0]["metadata"]["rows"] == 80
