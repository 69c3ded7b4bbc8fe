"""Stored values copied, beside ``dagster.migrate_io_storage`` and beside plain boto3 with 32 threads: many small ones
with and without latency, very many, and a large one. The store is moto, in a process of its own on the same machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from benchmarks.asset_values_runs import DESTINATION, SOURCE
from benchmarks.figure import Figure
from tests.aws.moto_server import Moto

VALUES: Final = 2_000
STOCK_VALUES: Final = 60
"""Of the same values as many as take half a minute: what it costs a value hardly changes (258 ms of CPU of 50, 322 of
2,000)."""
LATENCY_MS: Final = 30
VERY_MANY: Final = 100_000
LARGE_MB: Final = 2_048
ROUNDS: Final = 3


class MotoWithLatency(Moto):
    """``LATENCY_MS`` of the environment is what each request waits."""

    module: ClassVar[str] = "benchmarks.moto_with_latency"


@dataclass(frozen=True)
class Measured:
    """What one process took: seconds of the copy, of processor time in all, and MB at the most."""

    seconds: float
    cpu: float
    memory: float


def measure() -> list[Figure]:
    """Seconds, and MB."""
    return [*_small(0), *_small(LATENCY_MS), *_large()]


def measure_very_many() -> list[Figure]:
    """Apart from the rest: moto takes minutes over them."""
    with _store(0) as store:
        store.run("seed", VERY_MANY)
        ten = store.run("ours", VERY_MANY // 10)
        hundred = store.run("ours-again", VERY_MANY)
        return [
            Figure(f"{VERY_MANY:,} values a value / {VERY_MANY // 10:,}", "ms", hundred.seconds, ten.seconds),
        ]


def _small(latency: int) -> list[Figure]:
    with _store(latency) as store:
        store.run("seed", VALUES)
        stock = store.run("stock", STOCK_VALUES).seconds / STOCK_VALUES
        seconds: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            for what in ("boto3", "ours-bytes", "ours"):
                seconds.setdefault(what, []).append(store.run(what, VALUES, round=number).seconds)
        middle = {what: statistics.median(taken) for what, taken in seconds.items()}
        told = f"{VALUES:,} values of 1 kB" + (f", {latency} ms a request" if latency else "")
        return [
            Figure(f"{told}, by the store itself / `migrate_io_storage`", "s", middle["ours"], stock * VALUES),
            Figure(f"{told}, as bytes / `migrate_io_storage`", "s", middle["ours-bytes"], stock * VALUES),
            Figure(f"{told}, by the store itself / boto3, 32 threads", "s", middle["ours"], middle["boto3"]),
            Figure(f"{told}, as bytes / boto3, 32 threads", "s", middle["ours-bytes"], middle["boto3"]),
        ]


def _large() -> list[Figure]:
    with _store(0) as store:
        store.run("seed-large", LARGE_MB)
        theirs = [store.run("boto3-large", LARGE_MB) for _ in range(ROUNDS)]
        ours = [store.run("ours-large", LARGE_MB, round=number) for number in range(ROUNDS)]
        told = f"one value of {LARGE_MB:,} MB / boto3's managed transfer"
        return [
            Figure(told, "s", _middle(ours, "seconds"), _middle(theirs, "seconds")),
            Figure(f"{told}, memory", "MB", _middle(ours, "memory"), _middle(theirs, "memory")),
        ]


def _middle(measured: list[Measured], what: str) -> float:
    return statistics.median(getattr(each, what) for each in measured)


class _Store:
    def __init__(self, moto: Moto, folder: Path) -> None:
        self._moto = moto
        self._folder = folder

    def run(self, what: str, *arguments: int, round: int = 0) -> Measured:
        """``round``: a manifest and a place at the destination of its own."""
        manifests = self._folder / f"manifests-{round}"
        manifests.mkdir(exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.asset_values_runs", what, *(str(each) for each in arguments)],
            env={**environ, **self._moto.environment, "MANIFESTS": str(manifests), "ROUND": str(round)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return Measured(**json.loads(answer.stdout.splitlines()[-1]))


@contextmanager
def _store(latency: int) -> Iterator[_Store]:
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        os.environ["LATENCY_MS"] = str(latency)
        (Path(folder) / "moto").mkdir()
        moto = MotoWithLatency(Path(folder) / "moto")
        try:
            for bucket in (SOURCE, DESTINATION):
                moto.client("s3").create_bucket(
                    Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": moto.environment["AWS_REGION"]}
                )
            yield _Store(moto, Path(folder))
        finally:
            moto.stop()
            del os.environ["LATENCY_MS"]
