"""What ``benchmarks.asset_values`` measures, each in a process of its own: ``python -m benchmarks.asset_values_runs``.

Prints JSON: seconds, and the most memory that the process ever had, in MB. Endpoint and keys come by AWS_* variables.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from unittest import mock

SOURCE: Final = "serverless"
DESTINATION: Final = "team"
PREFIX: Final = "dagster/io_storage/prod"
VALUE: Final = pickle.dumps("x" * 1000)


def main() -> None:
    what, *arguments = sys.argv[1:]
    began = time.monotonic()
    inner = RUNS[what](*(int(argument) for argument in arguments))
    seconds = time.monotonic() - began if inner is None else inner
    usage = resource.getrusage(resource.RUSAGE_SELF)
    document = {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
    os._exit(0)


def client(threads: int = 32) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(max_pool_connections=threads))


def keys(count: int) -> list[str]:
    return [f"many/{number:06}" for number in range(count)]


def seed(count: int) -> None:
    """The values at the source."""
    s3 = client()
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=SOURCE, Key=f"{PREFIX}/{key}", Body=VALUE), keys(count)))


def seed_large(megabytes: int) -> None:
    """One value of so many MB."""

    class Zeroes:
        left = megabytes * 1024 * 1024

        def read(self, size: int = -1) -> bytes:
            size = self.left if size < 0 else min(size, self.left)
            self.left -= size
            return os.urandom(min(size, 1024)) + bytes(max(0, size - 1024))

    client().upload_fileobj(Zeroes(), SOURCE, f"{PREFIX}/large")


def boto3_bytes(count: int) -> float:
    """A get and a put a value, one client, 32 threads: what somebody writes by hand."""
    s3 = client()
    began = time.monotonic()

    def one(key: str) -> None:
        body = s3.get_object(Bucket=SOURCE, Key=f"{PREFIX}/{key}")["Body"].read()
        s3.put_object(Bucket=DESTINATION, Key=f"boto3/{key}", Body=body)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, keys(count)))
    return time.monotonic() - began


def boto3_large(megabytes: int) -> float:
    """boto3's own managed transfer, from one bucket into the other through this machine."""
    s3 = client()
    began = time.monotonic()
    s3.upload_fileobj(s3.get_object(Bucket=SOURCE, Key=f"{PREFIX}/large")["Body"], DESTINATION, "boto3/large")
    return time.monotonic() - began


def stock(count: int) -> float:
    """``dagster.migrate_io_storage`` as the guide has it, over so many partitions that are stored."""
    import boto3
    import dagster as dg
    from dagster_aws.s3 import S3PickleIOManager, S3Resource
    from dagster_cloud.serverless.io_manager import PickledObjectServerlessIOManager

    session = boto3.Session()
    until = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    patched = mock.patch.object(
        PickledObjectServerlessIOManager, "_refresh_boto_session", return_value=(session, until)
    )
    logging.disable(logging.INFO)
    os.environ.setdefault("DAGSTER_CLOUD_SERVERLESS_REGION", os.environ["AWS_DEFAULT_REGION"])
    with patched, tempfile.TemporaryDirectory() as home, dg.DagsterInstance.local_temp(home) as instance:
        names = [key.removeprefix("many/") for key in keys(count)]

        @dg.asset(key=["many"], partitions_def=dg.StaticPartitionsDefinition(names))
        def many() -> str:
            return ""

        source = dg.IOManagerDefinition.hardcoded_io_manager(PickledObjectServerlessIOManager(SOURCE, PREFIX))
        definitions = dg.Definitions(assets=[many], resources={"io_manager": source})
        for name in names:
            instance.report_runless_asset_event(dg.AssetMaterialization(["many"], partition=name))
        destination = S3PickleIOManager(s3_resource=S3Resource(), s3_bucket=DESTINATION, s3_prefix="stock")
        began = time.monotonic()
        result = dg.migrate_io_storage(definitions=definitions, destination_io_manager=destination, instance=instance)
        seconds = time.monotonic() - began
    assert sum(each.size for each in result.migrated) == count, result
    return seconds


def ours_server_side(count: int) -> float:
    return _ours(count, "server-side", server_side=True)


def ours_bytes(count: int) -> float:
    return _ours(count, "bytes", server_side=False)


def ours_large(megabytes: int) -> float:
    from asset_values.model import Item

    return _copied([Item("large", None, "large", "large")], "ours-large", server_side=False)


def ours_again(count: int) -> float:
    """A run over values that are done: what a second `copy` costs."""
    _ours(count, "again", server_side=True)
    return _ours(count, "again", server_side=True)


def _ours(count: int, prefix: str, *, server_side: bool) -> float:
    from asset_values.model import Item

    items = (Item("many", key.removeprefix("many/"), key, key) for key in keys(count))
    return _copied(items, prefix, server_side=server_side)


def _copied(items: Any, prefix: str, *, server_side: bool) -> float:
    from asset_values.copier import Copier, CopyOptions
    from asset_values.manifest import Identity, Manifest
    from asset_values.stores.places import S3Place
    from asset_values.stores.s3 import S3Store

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    source = S3Store(S3Place(SOURCE, PREFIX, endpoint=endpoint))
    prefix = f"{prefix}-{os.environ.get('ROUND', 0)}"
    destination = S3Store(S3Place(DESTINATION, prefix, endpoint=endpoint))
    if not server_side:
        destination.can_copy_from = lambda source: False  # type: ignore[method-assign]
    folder = Path(os.environ.get("MANIFESTS") or tempfile.mkdtemp())
    began = time.monotonic()
    with Manifest(folder / f"{prefix}.sqlite", Identity("bench", "prod", source.name, destination.name)) as manifest:
        manifest.plan(items)
        outcome = Copier(source, destination, manifest, CopyOptions()).run()
    assert outcome.ok, outcome
    return time.monotonic() - began


RUNS: Final[dict[str, Callable[..., float | None]]] = {
    "seed": seed,
    "seed-large": seed_large,
    "boto3": boto3_bytes,
    "boto3-large": boto3_large,
    "stock": stock,
    "ours": ours_server_side,
    "ours-bytes": ours_bytes,
    "ours-large": ours_large,
    "ours-again": ours_again,
}

if __name__ == "__main__":
    main()
