"""Keys as Dagster's own IO managers make them, and which IO managers are known to store pickles."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import dagster as dg
import pytest
from botocore.session import Session
from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset
from dagster._core.definitions.scoped_resources_builder import ScopedResourcesBuilder
from dagster._core.storage.fs_io_manager import PickledObjectFilesystemIOManager
from dagster_aws.s3 import S3PickleIOManager, S3Resource
from dagster_aws.s3.io_manager import PickledObjectS3IOManager
from dagster_cloud.serverless.io_manager import PickledObjectServerlessIOManager, ServerlessPresignedURLIOManager
from hypothesis import example, given
from hypothesis import strategies as st
from upath import UPath

from asset_values.ends import end_of
from asset_values.value_key import fallback_key, value_key

pytestmark = pytest.mark.unit

NAMES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12),
    st.sampled_from(
        ["..", ".", "/", "//", "/a", "a/", "a//b", "a/../b", "blue|2024-01-01", "größe", " ", "%2F", "a b"]
    ),
)
S3_CLIENT = Session().create_client(
    "s3", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none"
)


NONE = ScopedResourcesBuilder().build(set())
"""Given none, a context sets up an instance to build them: a tenth of a second for each example."""


class Unasked:
    """A client that answers nothing: paths are made without it."""

    def list_objects(self, **_: Any) -> None: ...


class ServerlessWithoutATask(PickledObjectServerlessIOManager):
    def _refresh_boto_session(self) -> Any:
        return None, None


MANAGERS = {
    "s3": PickledObjectS3IOManager("bucket", Unasked(), "base"),
    "serverless": ServerlessWithoutATask("bucket", "base"),
}


def path_of(manager: Any, asset: list[str], partition: Any) -> str:
    """Where the manager itself would store it."""
    context = dg.OutputContext(
        asset_key=dg.AssetKey(asset),
        asset_partitions_subset=None if partition is None else DefaultPartitionsSubset({partition}),
        resources=NONE,
    )
    if partition is None:
        return str(manager._get_path(context).as_posix())
    return str(next(iter(manager._get_paths_for_partitions(context).values())).as_posix())


@pytest.mark.parametrize("manager", MANAGERS.values(), ids=MANAGERS)
@given(asset=st.lists(NAMES, min_size=1, max_size=4), partition=st.one_of(st.none(), NAMES))
@example(asset=["raw", "/orders"], partition="/2024")
@example(asset=["a", ".."], partition="../b")
def test_a_key_is_the_path_of_dagsters_own_io_manager(manager: Any, asset: list[str], partition: str | None) -> None:
    assert PurePosixPath("base", value_key(asset, partition)).as_posix() == path_of(manager, asset, partition)


@pytest.mark.parametrize("manager", MANAGERS.values(), ids=MANAGERS)
@given(
    asset=st.lists(NAMES, min_size=1, max_size=3),
    dimensions=st.dictionaries(st.sampled_from(["date", "colour", "Zone"]), NAMES, min_size=2, max_size=2),
)
def test_a_key_of_several_dimensions_is_dagsters_own(
    manager: Any, asset: list[str], dimensions: dict[str, str]
) -> None:
    partition = dg.MultiPartitionKey(dimensions)
    found = path_of(manager, asset, partition)
    assert PurePosixPath("base", value_key(asset, str(partition), dimensions)).as_posix() == found
    assert PurePosixPath("base", fallback_key(asset, str(partition))).as_posix() == str(
        manager.make_safe_partition_path(UPath("base", *_relative(asset)), partition).as_posix()
    ), "where Dagster looks next has to be where we do"


def _relative(asset: list[str]) -> tuple[str, ...]:
    return PurePosixPath(value_key(asset)).parts


@given(asset=st.lists(NAMES, min_size=1, max_size=3), partition=st.one_of(st.none(), NAMES))
@example(asset=["a"], partition="../../b")
def test_a_key_in_a_folder_is_the_path_of_dagsters_own_io_manager(asset: list[str], partition: str | None) -> None:
    manager = PickledObjectFilesystemIOManager(base_dir="/base")
    end = end_of(manager)
    assert end is not None
    assert PurePosixPath("/base", end.key(asset, partition, None)).as_posix() == path_of(manager, asset, partition)


def test_each_kind_of_pickle_manager_is_known_with_its_place(tmp_path: Path) -> None:
    known = {
        "s3://bucket/a/b": PickledObjectS3IOManager("bucket", _listing(S3_CLIENT), "a/b"),
        "s3://bucket": PickledObjectS3IOManager("bucket", _listing(S3_CLIENT), ""),
        tmp_path.as_uri(): PickledObjectFilesystemIOManager(str(tmp_path)),
        "https://acme.agent.dagster.cloud (prod)": ServerlessPresignedURLIOManager(
            "https://acme.agent.dagster.cloud", "agent:acme:secret-token", 60, "prod"
        ),
    }
    for name, manager in known.items():
        end = end_of(manager)
        assert end is not None, name
        assert end.name == name


def _listing(client: Any) -> Any:
    """The manager lists once when it is made; there is no S3 here."""
    client.list_objects = lambda **_: None
    return client


def test_what_may_store_otherwise_is_never_taken_for_pickles(tmp_path: Path) -> None:
    class Compressed(PickledObjectFilesystemIOManager):
        def dump_to_path(self, context: Any, obj: Any, path: Any) -> None: ...

    class Mine(S3PickleIOManager):
        pass

    assert end_of(Compressed(str(tmp_path))) is None, "a class that derives may store another format"
    assert end_of(Mine(s3_resource=S3Resource(), s3_bucket="bucket")) is None
    assert end_of(PickledObjectFilesystemIOManager("memory://values")) is None, "a file system of fsspec is no folder"
    assert end_of(object()) is None


def test_an_end_says_no_token(tmp_path: Path) -> None:
    manager = ServerlessPresignedURLIOManager("https://acme.agent.dagster.cloud", "agent:acme:secret-token", 60, "prod")
    assert "secret-token" not in repr(end_of(manager))
