"""The warehouse as a resource, and the IO manager that hands tables from one asset to the next."""

# Dagster reads the annotations of resources as objects, so annotations are not postponed here.

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dagster import (
    AssetIn,
    ConfigurableIOManager,
    ConfigurableResource,
    InitResourceContext,
    InputContext,
    OutputContext,
    ResourceDependency,
)
from pydantic import PrivateAttr

from migrated.records import Rows

DUCKDB = "MIGRATED_DUCKDB"
SHOP = "stationery"
"""Before the name in each asset's key: keys are one namespace for all code locations of a deployment."""
OF_SHOP = AssetIn(key_prefix=SHOP)
"""An input that is the shop's asset of the argument's name."""
LONGEST_WAIT = 600.0
_TYPES = {int: "BIGINT", str: "VARCHAR"}


class Warehouse(ConfigurableResource):
    """A DuckDB file. In the old systems each pipeline had its own idea of where it is.

    ``database``: its path; default what ``MIGRATED_DUCKDB`` names, else a file in the deployment's storage folder,
    which all its runs see: on a local agent it is the stack's, on a Docker agent the stack's volume.
    """

    database: str = ""

    _file: Path = PrivateAttr()

    def setup_for_execution(self, context: InitResourceContext) -> None:
        named = self.database or os.environ.get(DUCKDB)
        storage = "" if context.instance is None else context.instance.storage_directory()
        self._file = Path(named) if named else Path(storage) / "migrated" / "warehouse.duckdb"

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that is alone with the file: DuckDB has one writer, and refuses a second process."""
        with alone(self._file), duckdb.connect(str(self._file)) as connection:
            yield connection


class Tables(ConfigurableIOManager):
    """Keeps an asset's rows in the table of its key's last part, each partition's apart; a value is a list of rows.

    A partition that is made again replaces its rows in one transaction. An asset without partitions that reads one
    with them gets the rows of all that were made.
    """

    warehouse: ResourceDependency[Warehouse]

    def handle_output(self, context: OutputContext, obj: Rows) -> None:
        partition = context.asset_partition_key if context.has_asset_partitions else ""
        table = _name(context.asset_key.path[-1])
        columns = {key: _TYPES[type(value)] for row in obj[:1] for key, value in row.items()}
        with self.warehouse.connection() as connection:
            connection.begin()
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (of_partition VARCHAR NOT NULL)")
            for column, type_ in columns.items():
                connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {_name(column)} {type_}")
            connection.execute(f"DELETE FROM {table} WHERE of_partition = ?", [partition])  # noqa: S608 - quoted
            if obj:
                _insert(connection, table, partition, obj)
            connection.commit()
        context.add_output_metadata({"rows": len(obj)})

    def load_input(self, context: InputContext) -> Rows:
        table = context.asset_key.path[-1]
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [""]
        with self.warehouse.connection() as connection:
            if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall():
                raise LookupError(f"{table} has not been materialized in this warehouse yet; it has to be first")
            found = connection.execute(
                f"SELECT * EXCLUDE of_partition FROM {_name(table)} WHERE of_partition IN "  # noqa: S608 - quoted
                "(SELECT unnest(?)) ORDER BY ALL",
                [partitions],
            )
            names = [column[0] for column in found.description]
            return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


@contextmanager
def alone(database: Path, seconds: float = LONGEST_WAIT) -> Iterator[None]:
    """Hold ``database`` against the other runs on this machine.

    Waits up to ``seconds`` (ten minutes: many times what a step takes) and raises ``TimeoutError`` after that. The
    lock is the operating system's, so a run that dies gives it back.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{database}.lock").open("a") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{database.name} was in use by another run for {seconds:.0f} s") from None
                time.sleep(0.1)
        yield


def _insert(connection: duckdb.DuckDBPyConnection, table: str, partition: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = list(rows[0])
    names = ", ".join(_name(column) for column in columns)
    marks = ", ".join("?" for _ in range(len(columns) + 1))
    connection.executemany(
        f"INSERT INTO {table} (of_partition, {names}) VALUES ({marks})",  # noqa: S608 - names are quoted
        [[partition, *(row[column] for column in columns)] for row in rows],
    )


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
