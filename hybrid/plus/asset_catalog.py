"""The calls about assets: which there are, what the event log says was stored, and by which IO manager."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from hybrid.plus.assets import (
    AssetKey,
    AssetNode,
    KnownAsset,
    Materialization,
    RepositoryResources,
    RunOutput,
    key_input,
)
from hybrid.plus.errors import PlusNotFound
from hybrid.plus.session import Session
from hybrid.plus.verdict import Json

_ASSETS: Final = 1000  # of one answer
_EVENTS: Final = 1000  # Dagster's own bound for a run's events in one answer


class AssetCatalog(Session):
    """See ``PlusClient``. All of it reads; none of it runs code of a location."""

    def known_assets(self) -> list[KnownAsset]:
        """The deployment's assets, in code or only in the event log, in no certain order, each once."""
        found: dict[AssetKey, KnownAsset] = {}
        cursor: str | None = None
        while True:
            page = self._chosen(
                "HybridAssetKeys", "assetsOrError", "AssetConnection",
                lambda assets: [KnownAsset.of(node) for node in assets["nodes"]],
                {"cursor": cursor, "limit": _ASSETS},
            )  # fmt: skip
            before = len(found)
            found.update({asset.key: asset for asset in page})
            if len(page) < _ASSETS or len(found) == before:
                return list(found.values())
            cursor = json.dumps(list(page[-1].key))

    def asset_nodes(self, keys: Sequence[AssetKey]) -> list[AssetNode]:
        """What code says of these assets; those that are not in code are left out."""
        return self._parsed(
            "HybridAssetNodes",
            lambda data: [AssetNode.of(node) for node in data["assetNodes"]],
            {"assetKeys": [key_input(key) for key in keys]},
        )

    def materializations_of(self, keys: Sequence[AssetKey], limit: int) -> dict[AssetKey, list[Materialization]]:
        """Of each asset that is in code its latest ``limit`` materializations, the newest first."""

        def parse(data: Json) -> dict[AssetKey, list[Materialization]]:
            return {
                tuple(node["assetKey"]["path"]): [Materialization.of(event) for event in node["assetMaterializations"]]
                for node in data["assetNodes"]
            }

        return self._parsed(
            "HybridAssetsStored", parse, {"assetKeys": [key_input(key) for key in keys], "limit": limit}
        )

    def materializations(
        self, key: AssetKey, *, limit: int, before: int | None = None, partitions: Sequence[str] | None = None
    ) -> list[Materialization]:
        """The latest ``limit`` of one asset, in code or not, before a moment (milliseconds since 1970), the newest
        first; none of an asset that is not there any more."""
        variables = {
            "assetKey": key_input(key),
            "partitions": partitions,
            "before": None if before is None else str(before),
            "limit": limit,
        }
        try:
            return self._chosen(
                "HybridAssetHistory", "assetOrError", "Asset",
                lambda asset: [Materialization.of(event) for event in asset["assetMaterializations"]],
                variables,
            )  # fmt: skip
        except PlusNotFound:
            return []

    def latest_of_partitions(self, key: AssetKey, partitions: Sequence[str]) -> list[Materialization]:
        """The latest materialization of each of these partitions that has one."""

        def parse(data: Json) -> list[Materialization]:
            nodes = data["assetNodes"]
            return [
                Materialization.of(event)
                for node in nodes[:1]
                for event in node["latestMaterializationByPartition"]
                if event
            ]

        return self._parsed(
            "HybridLatestOfPartitions", parse, {"assetKey": key_input(key), "partitions": list(partitions)}
        )

    def run_outputs(self, run_id: str) -> list[RunOutput] | None:
        """Which IO manager took which output of a run, in the order of its events; None when the run is gone."""
        found: list[RunOutput] = []
        cursor: str | None = None
        try:
            while True:
                events, following, has_more = self._chosen(
                    "HybridRunOutputs", "logsForRun", "EventConnection",
                    lambda page: (RunOutput.read(page["events"]), str(page["cursor"]), bool(page["hasMore"])),
                    {"runId": run_id, "afterCursor": cursor, "limit": _EVENTS},
                )  # fmt: skip
                found += events
                if not has_more or following == cursor:
                    return found
                cursor = following
        except PlusNotFound:
            return None

    def repository_resources(self) -> list[RepositoryResources]:
        """Of each loaded repository its jobs, and the resources that its code gives."""
        return self._chosen(
            "HybridResources", "repositoriesOrError", "RepositoryConnection",
            lambda found: [RepositoryResources.of(node) for node in found["nodes"]],
        )  # fmt: skip
