"""A location for `dagster job execute`: daily values in a folder, the jobs that copy and verify, the guide's example.

Its folders are named by environment: STORED, COPIED. A job more copies to a bucket that is not there.
"""

import os
from pathlib import Path

import dagster as dg
from dagster._core.storage.fs_io_manager import PickledObjectFilesystemIOManager

from asset_values import copy_stored_values_job, migrate_io_storage, verify_stored_values_job
from tests.unit.asset_values.stored_location import daily, nothing, plain

STORED = os.environ["STORED"]
COPIED = os.environ["COPIED"]

destination_io_manager = PickledObjectFilesystemIOManager(COPIED)


@dg.op
def run_migration(context: dg.OpExecutionContext) -> None:
    result = migrate_io_storage(context=context, destination_io_manager=destination_io_manager)
    total_migrated = sum(s.size for s in result.migrated)
    total_failed = sum(s.size for s in result.failed)
    context.log.info(f"Migrated {total_migrated} assets, {total_failed} failed")


@dg.job
def migration_job() -> None:
    run_migration()


defs = dg.Definitions(
    [plain, nothing, daily],
    jobs=[
        migration_job,
        copy_stored_values_job(destination=Path(COPIED)),
        copy_stored_values_job("copy_to_bucket", destination="s3://of-acme/stored"),
        verify_stored_values_job(),
    ],
    resources={"io_manager": dg.FilesystemIOManager(base_dir=os.environ.get("LOADED_FROM", STORED))},
)
