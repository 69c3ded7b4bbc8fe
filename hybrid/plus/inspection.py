"""The calls that look at a deployment as a whole before it is switched: what Serverless does for it, how many
assets its locations have, which runs carried a tag. All of them only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.plus.failure import Failure
from hybrid.plus.runs import Run
from hybrid.plus.session import Session
from hybrid.plus.verdict import Json

_RECENT: Final = 100  # runs of one answer; Dagster's own pages have no more


@dataclass(frozen=True)
class ServerlessState:
    """What Serverless is to the organization, and non-isolated runs to the deployment.

    ``status`` is Dagster+'s word: ACTIVE, INACTIVE, PROVISIONING, DELETING … ``registry`` is where Serverless keeps
    the images that it built; None: it has none, or does not tell.
    """

    status: str
    registry: str | None
    allows_base_images: bool | None
    non_isolated_runs: bool
    message: str
    error: Failure | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> ServerlessState:
        serverless, runs = answer["serverless"], answer["nonIsolatedRuns"]
        return cls(
            status=serverless["status"],
            registry=serverless["registryUrl"] or None,
            allows_base_images=serverless["registryAllowCustomBase"],
            non_isolated_runs=bool(runs["enableNonIsolatedRunToggle"]),
            message=runs["nonIsolatedRunToggleMessage"] or "",
            error=Failure.of(serverless["error"]),
        )


class Inspecting(Session):
    """See ``PlusClient``."""

    def serverless(self) -> ServerlessState:
        """What Serverless does for the organization and the endpoint's deployment."""
        return self._parsed("HybridServerless", ServerlessState.of)

    def asset_counts(self) -> dict[str, int]:
        """How many assets each loaded location has that can be materialized, by its name. A location that failed to
        load is not among them."""

        def parse(found: Json) -> dict[str, int]:
            counts: dict[str, int] = {}
            for node in found["nodes"]:
                executable = sum(bool(asset["isExecutable"]) for asset in node["assetNodes"])
                name = str(node["location"]["name"])
                counts[name] = counts.get(name, 0) + executable
            return dict(sorted(counts.items()))

        return self._chosen("HybridAssetCounts", "repositoriesOrError", "RepositoryConnection", parse)

    def runs_tagged(self, key: str, value: str, *, limit: int = _RECENT) -> list[Run]:
        """The newest runs with that tag, ``limit`` at most, whatever became of them."""
        return self._chosen(
            "HybridRunsTagged", "runsOrError", "Runs", lambda runs: [Run.of(run) for run in runs["results"]],
            {"key": key, "value": value, "limit": limit},
        )  # fmt: skip
