"""A code location with something stored: plain, daily, of two dimensions, dynamic, and what stores nothing."""

import atexit
import functools
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-06")
COLOURS = dg.MultiPartitionsDefinition(
    {
        "date": dg.StaticPartitionsDefinition(["2024-01-01", "2024-01-02"]),
        "colour": dg.StaticPartitionsDefinition(["blue", "red"]),
    }
)
SHOPS = dg.DynamicPartitionsDefinition(name="shops")


@dg.asset(key_prefix="raw")
def plain() -> Any:
    return {"rows": 1}


@dg.asset
def nothing() -> None: ...


@dg.asset
def only_a_result():
    return dg.MaterializeResult(metadata={"rows": 1})


@dg.asset(partitions_def=DAYS)
def daily(context: dg.AssetExecutionContext):
    return context.partition_key


@dg.asset(partitions_def=COLOURS)
def coloured(context: dg.AssetExecutionContext):
    return str(context.partition_key)


@dg.asset(partitions_def=SHOPS)
def shops(context: dg.AssetExecutionContext):
    return context.partition_key


ASSETS: Sequence[dg.AssetsDefinition] = [plain, nothing, only_a_result, daily, coloured, shops]


@dataclass(frozen=True)
class Location:
    """Its definitions, its instance, and the folder where its IO manager stores."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    stored: Path

    def store(self, asset: dg.AssetsDefinition, partition: str | None = None) -> None:
        made = dg.materialize(
            [asset], instance=self.instance, partition_key=partition, resources=dict(self.definitions.resources or {})
        )
        assert made.success

    def report(self, asset: dg.AssetsDefinition, partition: str | None, value: object) -> None:
        """As ``store``, without the tenth of a second that a run takes: the file and the event."""
        key = "/".join([*asset.key.path, *([partition] if partition is not None else [])])
        path = self.stored / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(value))
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset.key, partition=partition, metadata={"path": str(path)})
        )


@functools.cache
def _empty_home() -> Path:
    """An instance whose tables are made once: that takes most of a second."""
    home = Path(tempfile.mkdtemp(prefix="dagster-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.all_asset_keys()
        instance.get_runs_count()
    return home


@contextmanager
def location(
    root: Path,
    assets: Sequence[dg.AssetsDefinition] = tuple(ASSETS),
    resources: Mapping[str, Any] | None = None,
    jobs: Sequence[dg.JobDefinition] = (),
) -> Iterator[Location]:
    """Nothing is stored yet."""
    home = root / "home"
    shutil.copytree(_empty_home(), home)
    stored = root / "stored"
    given = resources if resources is not None else {"io_manager": dg.FilesystemIOManager(base_dir=str(stored))}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Location(dg.Definitions(list(assets), resources=given, jobs=list(jobs)), instance, stored)


def store_all(place: Location) -> None:
    """Fourteen values: one plain, five days, four of two dimensions, two shops; two assets that store nothing."""
    place.report(plain, None, {"rows": 1})
    for asset in (nothing, only_a_result):
        place.instance.report_runless_asset_event(dg.AssetMaterialization(asset.key))
    for day in DAYS.get_partition_keys():
        place.report(daily, day, day)
    for key in COLOURS.get_partition_keys():
        colour, date = key.keys_by_dimension["colour"], key.keys_by_dimension["date"]
        path = place.stored / "coloured" / colour / date
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(str(key)))
        place.instance.report_runless_asset_event(
            dg.AssetMaterialization("coloured", partition=str(key), metadata={"path": str(path)})
        )
    place.instance.add_dynamic_partitions("shops", ["north", "süd"])
    for shop in ("north", "süd"):
        place.report(shops, shop, shop)
