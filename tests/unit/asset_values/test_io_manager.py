"""The IO managers by environment: chosen as Dagster chooses, and clear about what is missing."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from asset_values.io_manager import MissingSettingError, folder_pickle_io_manager, s3_pickle_io_manager

pytestmark = pytest.mark.unit


@dg.asset
def first() -> int:
    return 7


@dg.asset
def second(first: int) -> int:
    return first + 1


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DAGSTER_DEFAULT_IO_MANAGER_MODULE", "asset_values.io_manager")
    monkeypatch.setenv("DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE", "folder_pickle_io_manager")
    for name in ("BUCKET", "PREFIX", "REGION", "ENDPOINT", "FOLDER"):
        monkeypatch.delenv(f"ASSET_VALUES_{name}", raising=False)
    return monkeypatch


def test_assets_without_an_io_manager_of_their_own_store_where_the_environment_says(
    chosen: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen.setenv("ASSET_VALUES_FOLDER", str(tmp_path / "values"))
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([first, second], instance=instance).success
        assert dg.Definitions([first, second]).load_asset_value("second", instance=instance) == 8
    assert sorted(path.name for path in (tmp_path / "values").iterdir()) == ["first", "second"]


def test_a_folder_that_is_not_named_is_said_with_what_to_do(chosen: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ended = dg.materialize([first], instance=instance, raise_on_error=False)
    assert not ended.success, "without a folder there is nowhere to store; a default would store where nobody looks"
    with pytest.raises(MissingSettingError, match=r"ASSET_VALUES_FOLDER is not set(.|\n)*Next:"):
        folder_pickle_io_manager(dg.build_init_resource_context())


@pytest.mark.parametrize("bucket", ["", "  "])
def test_a_bucket_that_is_not_named_is_said_before_s3_is_asked(chosen: pytest.MonkeyPatch, bucket: str) -> None:
    chosen.setenv("ASSET_VALUES_BUCKET", bucket)
    with pytest.raises(MissingSettingError, match=r"ASSET_VALUES_BUCKET is not set(.|\n)*Next: give the location"):
        s3_pickle_io_manager(dg.build_init_resource_context())
