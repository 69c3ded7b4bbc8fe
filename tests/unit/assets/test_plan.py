"""Which way each asset's values go, and why."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.assets.documents import plan_document
from hybrid.assets.inventory import StoredValue
from hybrid.assets.layout import Layout
from hybrid.assets.plan import Way, plan_of
from hybrid.assets.text import duration, plan_lines, size
from tests.unit.assets.made import inventory, stored

pytestmark = pytest.mark.unit

LAYOUT = Layout("Serverless", "s3://values/assets", destination_base="s3://values/assets")
SERVERLESS = "dagster_cloud.serverless.io_manager.serverless_io_manager"
FILES = "dagster._core.storage.fs_io_manager.FilesystemIOManager"


def planned(*assets, resources=None, **more):
    return plan_of(
        inventory(*assets, resources=resources), organization="acme", deployment="prod", layout=LAYOUT, **more
    )


def way_of(asset, resources=None):
    [found] = planned(asset, resources=resources).assets
    return found.way


def test_what_serverless_stored_by_itself_is_copied_as_bytes() -> None:
    assert way_of(stored("raw", "orders")) is Way.BYTES


def test_the_default_that_code_has_replaced_is_not_serverlesss() -> None:
    assert way_of(stored("a"), {"io_manager": FILES}) is Way.LOAD, "its values are no pickles of Serverless"
    assert way_of(stored("a"), {"io_manager": SERVERLESS}) is Way.BYTES, "unless by the same"


def test_another_io_manager_is_for_a_run_of_the_location() -> None:
    found = planned(stored("a", manager="files"), resources={"files": FILES})
    assert found.assets[0].manager == f"files ({FILES})"
    assert [asset.asset for asset in found.rest] == ["a"]
    assert list(found.items()) == [], "nothing of it is copied as bytes"
    assert any("hybrid assets job prod shop" in line for line in plan_lines(found, "prod"))


def test_what_stores_nothing_by_design_is_no_failure_and_not_left() -> None:
    found = planned(stored("a", returns_nothing=True, manager=None), stored("b", manager=None))
    assert [asset.way for asset in found.assets] == [Way.NONE, Way.NONE]
    assert found.rest == ()


def test_when_the_run_is_gone_the_places_decide() -> None:
    assert way_of(stored("a", known=False)) is Way.BYTES
    pathless = stored("a", values=[StoredValue(None, "1 r", None)], known=False)
    assert way_of(pathless) is Way.UNKNOWN, "nothing says that it is a pickle of Serverless"
    assert way_of(stored("a", known=False), {"io_manager": FILES}) is Way.UNKNOWN


@pytest.mark.parametrize("path", ["/opt/dagster/a", "s3://theirs/a", "a.parquet", "prefix/other", "xa"])
def test_a_value_that_lies_elsewhere_is_not_copied_as_bytes(path: str) -> None:
    asset = stored("a", values=[StoredValue(None, "1 r", path)])
    assert way_of(asset) is Way.UNKNOWN


@pytest.mark.parametrize("path", ["a", "org/io_storage/prod/a", None])
def test_both_serverless_io_managers_paths_are_known(path: str | None) -> None:
    assert way_of(stored("a", values=[StoredValue(None, "1 r", path)])) is Way.BYTES


def test_of_one_asset_some_values_may_lie_elsewhere() -> None:
    values = [StoredValue("x", "1 r", "a/x"), StoredValue("y", "1 r", "/old/a/y")]
    here, elsewhere = planned(stored("a", values=values)).assets
    assert (here.way, [value.partition for value in here.values]) == (Way.BYTES, ["x"])
    assert (elsewhere.way, [value.partition for value in elsewhere.values]) == (Way.UNKNOWN, ["y"])


@pytest.mark.parametrize("manager", ["io_manager", "lake"])
def test_what_a_run_on_hybrid_stored_last_is_kept_and_no_rest(manager: str) -> None:
    """After a way back: Serverless has not got it, or has an older one."""
    values = [StoredValue("x", "2 r", "s3://values/assets/a/x"), StoredValue("y", "1 r", "a/y")]
    lake = {"lake": "acme.Lake"}
    found = planned(stored("a", values=values, manager=manager, partitions=3, is_partitioned=True), resources=lake)
    kept, other = found.assets
    assert (kept.way, [value.partition for value in kept.values]) == (Way.KEPT, ["x"])
    assert "x" not in [item.partition for item in found.items()], "Serverless's older value would be looked for"
    assert [asset.values for asset in found.rest] == ([] if other.way is Way.BYTES else [other.values])
    said = "\n".join(plan_lines(found, "prod"))
    assert "kept there: 1 value of a." in said
    assert "nothing is stored of: a (1)" in said, "what is stored at one of the ends is stored"


@pytest.mark.parametrize(
    "path", ["s3://values/assets/b", "s3://values/other/a", "s3://others/assets/a", "s3://values/assets/../assets/a"]
)
def test_what_lies_near_the_destination_is_not_taken_for_a_value_there(path: str) -> None:
    assert way_of(stored("a", values=[StoredValue(None, "1 r", path)])) is Way.UNKNOWN


def test_several_dimensions_go_to_the_canonical_key_from_wherever_they_lie() -> None:
    both = (("colour", "blue"), ("date", "2024-01-01"))
    values = [
        StoredValue("blue|2024-01-01", "1 r", "p/a/blue/2024-01-01", both),
        StoredValue("blue|2024-01-02", "1 r", "p/a/blue|2024-01-02", (("colour", "blue"), ("date", "2024-01-02"))),
    ]
    canonical, barred = planned(stored("a", values=values)).items()
    assert (canonical.source_key, canonical.destination_key) == ("a/blue/2024-01-01", "a/blue/2024-01-01")
    assert (barred.source_key, barred.destination_key) == ("a/blue|2024-01-02", "a/blue/2024-01-02")


def test_coverage_is_told_both_ways() -> None:
    values = [StoredValue("x", "1 r", "a/x"), StoredValue("old", "1 r", "a/old", outside=True)]
    found = planned(
        stored("a", values=values, partitions=5, is_partitioned=True),
        stored("gone", in_code=False),
        stored("never", values=[]),
        stored("external", values=[], is_executable=False),
        stored("nothing", values=[], returns_nothing=True),
    )
    said = "\n".join(plan_lines(found, "prod"))
    assert found.never_stored == ("never",), "others store nothing by design"
    assert found.assets[0].missing == 4
    assert "Stored and not in code: gone." in said
    assert "does not define now: a (1)" in said


def test_a_listed_source_tells_sizes_what_is_missing_and_what_belongs_to_nobody() -> None:
    found = planned(stored("a"), stored("b"), sizes={"a": 10, "zzz": 5})
    assert (found.bytes, found.unclaimed) == (10, 1)
    assert [value.absent for asset in found.assets for value in asset.values] == [False, True]


def test_the_estimate_follows_the_rate_and_the_bytes() -> None:
    assert planned(stored("a"), rate=0.1).seconds == 10
    assert planned(stored("a"), sizes={"a": 200_000_000}).seconds == 10


def test_a_location_that_is_not_loaded_is_said() -> None:
    found = plan_of(
        inventory(not_loaded=["shop"]), organization="o", deployment="d", layout=LAYOUT, warnings=("first",)
    )
    assert found.warnings[0] == "first"
    assert "'shop' is not loaded" in found.warnings[1]


def test_the_document_is_json_with_its_schemas_version() -> None:
    document = json.loads(json.dumps(plan_document(planned(stored("a"), stored("b", manager="files")))))
    assert document["schema"] == 1
    assert document["values"] == {"bytes": 1, "load": 1, "none": 0, "kept": 0, "unknown": 0}
    assert document["assets"][0]["values"][0]["destination_key"] == "a"


@given(st.lists(st.sampled_from(["io_manager", "files", None]), max_size=8), st.booleans())
def test_every_value_is_in_the_plan_once(managers, known) -> None:
    assets = [stored(f"a{number}", manager=manager, known=known) for number, manager in enumerate(managers)]
    found = planned(*assets)
    assert sum(found.count(way) for way in Way) == len(assets)
    assert len(list(found.items())) == found.count(Way.BYTES)


def test_sizes_and_times_are_for_people() -> None:
    assert [size(number) for number in (None, 0, 999, 1500, 2_000_000, 10**13)] == [
        "-", "0 B", "999 B", "1.5 kB", "2.0 MB", "10.0 TB",
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (0.2, 59, 600, 7200)] == ["1 s", "59 s", "10 min", "2.0 h"]
