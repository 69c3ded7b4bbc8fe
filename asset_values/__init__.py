"""Stored asset values, moved from one storage to another: what a code location can install, ignorant of ``hybrid``.

Values are copied as bytes wherever both ends store the same pickle; user code is run only where a value has to be
loaded and stored anew. Nothing here imports Dagster, boto3, obstore or Azure's libraries before it is
needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from asset_values.job import copy_stored_values_job as copy_stored_values_job
    from asset_values.job import verify_stored_values_job as verify_stored_values_job
    from asset_values.migration import migrate_io_storage as migrate_io_storage
    from asset_values.result import MigrateIOStorageResult as MigrateIOStorageResult
    from asset_values.stores.places import BlobPlace as BlobPlace
    from asset_values.stores.places import S3Place as S3Place

__version__ = "0.1.0"

_HOMES: Final = {
    "copy_stored_values_job": "asset_values.job",
    "verify_stored_values_job": "asset_values.job",
    "migrate_io_storage": "asset_values.migration",
    "MigrateIOStorageResult": "asset_values.result",
    "BlobPlace": "asset_values.stores.places",
    "S3Place": "asset_values.stores.places",
}
"""Where what a code location uses by name is defined."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
