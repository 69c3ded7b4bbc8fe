"""The calls about assets: what each sends, and what it makes of answers as the embedded Dagster+ gave them.

The answers fit the public schema (tests/contracts/test_plus_operations.py).
"""

from __future__ import annotations

import json

import httpx
import pytest

from hybrid.plus.assets import AssetNode, KnownAsset, Materialization, RunOutput
from tests.unit.plus.conftest import EXCHANGES

pytestmark = pytest.mark.unit

GONE = "00000000-0000-0000-0000-000000000000"


def test_assets_are_told_with_whether_code_defines_them(plus, client):
    plus.expects("HybridAssetKeys")
    known = client.known_assets()
    assert KnownAsset(("raw", "orders"), in_code=True) in known
    assert len(known) == 9


def test_assets_come_page_by_page_after_the_last_key(plus, client, monkeypatch):
    monkeypatch.setattr("hybrid.plus.asset_catalog._ASSETS", 2)

    def page(*keys, cursor=None):
        nodes = [{"key": {"path": [key]}, "definition": None} for key in keys]
        data = {"assetsOrError": {"__typename": "AssetConnection", "nodes": nodes}}
        exchange = {"scope": "deployment", "variables": {"cursor": cursor, "limit": 2}, "data": data}
        plus.expected.append(("HybridAssetKeys", exchange, None))

    page("a", "b")
    page("c", cursor='["b"]')
    assert client.known_assets() == [KnownAsset((key,), in_code=False) for key in "abc"]


def test_a_page_that_brings_nothing_new_ends_the_asking(plus, client, monkeypatch):
    monkeypatch.setattr("hybrid.plus.asset_catalog._ASSETS", 1)
    nodes = [{"key": {"path": ["a"]}, "definition": None}]
    data = {"assetsOrError": {"__typename": "AssetConnection", "nodes": nodes}}
    for cursor in (None, '["a"]'):
        exchange = {"scope": "deployment", "variables": {"cursor": cursor, "limit": 1}, "data": data}
        plus.expected.append(("HybridAssetKeys", exchange, None))
    assert len(client.known_assets()) == 1, "a server that ignores the cursor would be asked for ever"


def test_nodes_say_type_group_tags_and_partition_keys_by_dimension(plus, client):
    plus.expects("HybridAssetNodes")
    both, nothing, orders = client.asset_nodes([("both",), ("raw", "orders"), ("nothing",)])
    assert dict(both.dimensions) == {
        "colour": ("blue", "green"),
        "date": ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"),
    }
    assert (nothing.returns_nothing, orders.returns_nothing) == (True, False)
    assert orders == AssetNode(
        key=("raw", "orders"), location="vals", repository="__repository__", group="plain", tags={"tier": "1"},
        type_name="Int", returns_nothing=False,
    )  # fmt: skip


def test_an_asset_without_a_type_is_not_taken_for_one_that_returns_nothing() -> None:
    answer = json.loads((EXCHANGES / "HybridAssetNodes.json").read_text())["data"]["assetNodes"][0]
    answer["owners"] = [
        {"__typename": "UserAssetOwner", "email": "a@b.c"},
        {"__typename": "TeamAssetOwner", "team": "x"},
    ]
    node = AssetNode.of({**answer, "type": None})
    assert node.returns_nothing is None
    assert node.owners == ("a@b.c", "team:x"), "as selections name owners"


def test_materializations_are_told_by_asset(plus, client):
    plus.expects("HybridAssetsStored")
    found = client.materializations_of([("raw", "orders"), ("nothing",), ("never",)], 1)
    [stored] = found["raw", "orders"]
    assert (stored.path, stored.partition, stored.step) == ("raw/orders", None, "raw__orders")
    assert stored.hint == f"{stored.timestamp} {stored.run_id}"
    assert found["nothing",][0].path is None
    assert found["never",] == []


def test_a_partition_of_several_dimensions_has_each_dimensions_key(plus, client):
    plus.expects("HybridAssetHistory")
    green, blue = client.materializations(("both",), limit=1000)
    assert green.dimensions == (("colour", "green"), ("date", "2024-01-02"))
    assert (blue.partition, blue.path) == ("blue|2024-01-01", "both/blue/2024-01-01")


def test_an_asset_that_is_not_there_has_no_materializations(plus, client):
    plus.expects("HybridAssetHistory.absent")
    assert client.materializations(("zzz",), limit=100, before=1700000000000) == []
    exchange = json.loads((EXCHANGES / "HybridAssetHistory.absent.json").read_text())
    exchange["data"] = {"assetOrError": {"__typename": "AssetNotFoundError", "message": "no such asset"}}
    plus.expected.append(("HybridAssetHistory", exchange, None))
    assert client.materializations(("zzz",), limit=100, before=1700000000000) == []


def test_the_address_of_a_value_on_s3_is_taken_before_its_path() -> None:
    entries = [
        {"__typename": "PathMetadataEntry", "label": "path", "path": "assets/a"},
        {"__typename": "PathMetadataEntry", "label": "uri", "path": "s3://values/assets/a"},
        {"__typename": "IntMetadataEntry", "label": "rows"},
    ]
    event = {"runId": "r", "timestamp": "5", "stepKey": "a", "partition": None, "tags": [], "metadataEntries": entries}
    assert Materialization.of(event).path == "s3://values/assets/a"


def test_only_partitions_that_are_stored_are_answered(plus, client):
    plus.expects("HybridLatestOfPartitions")
    [found] = client.latest_of_partitions(("daily",), ["2024-01-01", "2024-01-04"])
    assert found.partition == "2024-01-01"


def test_a_runs_outputs_are_told_in_their_order(plus, client):
    plus.expects("HybridRunOutputs")
    run = json.loads((EXCHANGES / "HybridRunOutputs.json").read_text())["variables"]["runId"]
    outputs = client.run_outputs(run)
    assert outputs[:3] == [
        RunOutput("elsewhere", asset=("elsewhere",)),
        RunOutput("elsewhere", manager="files"),
        RunOutput("nothing", asset=("nothing",)),
    ], "and events of other kinds are left out"


def test_a_run_that_is_gone_has_no_outputs_and_that_is_not_the_same_as_none(plus, client):
    plus.expects("HybridRunOutputs.absent")
    assert client.run_outputs(GONE) is None


def test_resources_are_told_by_repository_with_their_classes(plus, client):
    plus.expects("HybridResources")
    [found] = client.repository_resources()
    assert found.types == {"files": "dagster._core.storage.fs_io_manager.FilesystemIOManager"}
    assert (found.location, "plain" in found.jobs) == ("vals", True)


def test_an_answer_in_another_form_is_an_error_with_words(plus, client):
    from hybrid.plus import PlusProtocolError

    plus.expects("HybridResources", reply=httpx.Response(200, json={"data": {"repositoriesOrError": {}}}))
    with pytest.raises(PlusProtocolError, match="HybridResources"):
        client.repository_resources()
