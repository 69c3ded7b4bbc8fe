"""Assets as Dagster+ knows them: in code, in the event log, and by which IO manager they were stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

AssetKey = tuple[str, ...]

_DIMENSION_TAG: Final = "dagster/partition/"  # dagster/_core/storage/tags.py: MULTIDIMENSIONAL_PARTITION_PREFIX
_PATH_LABELS: Final = ("uri", "path")
"""What IO managers on paths leave behind: ``path`` (dagster/_core/storage/upath_io_manager.py), and the S3 one also
``uri`` (dagster_aws/s3/io_manager.py), which says more."""


def slashed(key: Sequence[str]) -> str:
    """``raw/orders``: a key as people write it."""
    return "/".join(key)


def key_input(key: Sequence[str]) -> dict[str, Any]:
    """``AssetKeyInput``."""
    return {"path": list(key)}


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An asset that is in code, in the event log, or in both."""

    key: AssetKey
    in_code: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> KnownAsset:
        return cls(tuple(answer["key"]["path"]), answer["definition"] is not None)


@dataclass(frozen=True, slots=True)
class AssetNode:
    """An asset as code defines it now.

    ``dimensions``: of a partitioned one its keys by dimension (one without a name of its own is ``default``); a
    multi-partition key is written with its dimensions' keys in the order of their names, joined by bars.
    ``is_executable`` is false for what only other systems make. ``returns_nothing``: its type says that no value is
    handed to an IO manager; None when Dagster+ does not know the type.
    """

    key: AssetKey
    location: str
    repository: str
    group: str | None = None
    is_partitioned: bool = False
    is_executable: bool = True
    dependencies: tuple[AssetKey, ...] = ()
    tags: Mapping[str, str] | None = None
    owners: tuple[str, ...] = ()
    type_name: str | None = None
    returns_nothing: bool | None = None
    resources: tuple[str, ...] = ()
    dimensions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> AssetNode:
        kind = answer["type"]
        return cls(
            key=tuple(answer["assetKey"]["path"]),
            location=answer["repository"]["location"]["name"],
            repository=answer["repository"]["name"],
            group=answer["groupName"],
            is_partitioned=answer["isPartitioned"],
            is_executable=answer["isExecutable"],
            dependencies=tuple(tuple(key["path"]) for key in answer["dependencyKeys"]),
            tags={tag["key"]: tag["value"] for tag in answer["tags"]},
            owners=tuple(_owner(owner) for owner in answer["owners"]),
            type_name=kind["displayName"] if kind else None,
            returns_nothing=kind["isNothing"] if kind else None,
            resources=tuple(needed["resourceKey"] for needed in answer["requiredResources"]),
            dimensions=tuple((by["name"], tuple(by["partitionKeys"])) for by in answer["partitionKeysByDimension"]),
        )


def _owner(answer: Mapping[str, Any]) -> str:
    return str(answer["email"]) if "email" in answer else f"team:{answer['team']}"


@dataclass(frozen=True, slots=True)
class Materialization:
    """The event that an asset, or one partition of it, was made. ``timestamp`` in milliseconds since 1970. ``path`` is
    where its IO manager says that the value lies, None when it says nothing; ``dimensions`` are the partition's keys by
    dimension when there are several."""

    run_id: str
    timestamp: int
    step: str | None
    partition: str | None
    path: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def hint(self) -> str:
        """Names this event among all of its asset's."""
        return f"{self.timestamp} {self.run_id}"

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Materialization:
        paths = {entry["label"]: entry.get("path") for entry in answer["metadataEntries"]}
        dimensions = {
            tag["key"].removeprefix(_DIMENSION_TAG): tag["value"]
            for tag in answer["tags"]
            if tag["key"].startswith(_DIMENSION_TAG)
        }
        return cls(
            run_id=answer["runId"],
            timestamp=int(answer["timestamp"]),
            step=answer["stepKey"],
            partition=answer["partition"],
            path=next((str(paths[label]) for label in _PATH_LABELS if paths.get(label)), None),
            dimensions=tuple(sorted(dimensions.items())) if len(dimensions) > 1 else (),
        )


@dataclass(frozen=True, slots=True)
class RunOutput:
    """One event of a run's outputs, in their order: an asset's materialization (``asset``), or that an IO manager took
    an output (``manager``, the key of the IO manager's resource)."""

    step: str | None
    asset: AssetKey | None = None
    manager: str | None = None

    @classmethod
    def read(cls, events: Iterable[Mapping[str, Any]]) -> list[RunOutput]:
        found = []
        for event in events:
            if event["__typename"] == "HandledOutputEvent":
                found.append(cls(event["stepKey"], manager=event["managerKey"]))
            elif event["__typename"] == "MaterializationEvent" and event["assetKey"]:
                found.append(cls(event["stepKey"], asset=tuple(event["assetKey"]["path"])))
        return found


@dataclass(frozen=True, slots=True)
class RepositoryResources:
    """What a repository of a location has: its jobs, and the resources that its code gives, with their classes."""

    location: str
    repository: str
    jobs: frozenset[str]
    types: Mapping[str, str]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> RepositoryResources:
        return cls(
            location=answer["location"]["name"],
            repository=answer["name"],
            jobs=frozenset(job["name"] for job in answer["jobs"]),
            types={found["name"]: found["resourceType"] for found in answer["allTopLevelResourceDetails"]},
        )
