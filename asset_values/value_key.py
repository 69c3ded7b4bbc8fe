"""Where a value lies, relative to its IO manager's base: pure.

Dagster's ``UPathIOManager`` (dagster/_core/storage/upath_io_manager.py), which Serverless's IO managers and
``S3PickleIOManager`` are, joins the asset key's parts and then the partition key as paths; of several dimensions the
keys in the order of the dimensions' names, joined by slashes. ``migrate_io_storage`` writes the last as one name with
bars (``blue|2024-01-01``), which loads only by way of a fallback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath


def value_key(asset: Sequence[str], partition: str | None = None, dimensions: Mapping[str, str] | None = None) -> str:
    """The key of one value. ``dimensions``: of a partition of several, each dimension's name and key.

    >>> value_key(["raw", "orders"], "blue|2024-01-01", {"date": "2024-01-01", "colour": "blue"})
    'raw/orders/blue/2024-01-01'
    """
    path = PurePosixPath(*_relative_parts(PurePosixPath(*asset)))
    if dimensions:
        partition = "/".join(key for _, key in sorted(dimensions.items()))
    if partition is not None:
        path /= _without_leading_slash(partition)
    return path.as_posix()


def fallback_key(asset: Sequence[str], partition: str) -> str:
    """The key with bars, where values of several dimensions may lie that ``migrate_io_storage`` has written."""
    return value_key(asset, partition)


def _relative_parts(path: PurePosixPath) -> tuple[str, ...]:
    """As ``coerce_to_relative_parts`` of Dagster: an absolute path must not take the base away."""
    parts = tuple(part for part in path.parts if part != "/")
    return (f"%2F{parts[0]}", *parts[1:]) if path.is_absolute() and parts else parts


def _without_leading_slash(partition: str) -> str:
    """As ``escape_leading_slash`` of Dagster."""
    return f"%2F{partition[1:]}" if partition.startswith("/") else partition
