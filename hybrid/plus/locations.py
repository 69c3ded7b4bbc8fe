"""Code locations as Dagster+ sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid.plus.failure import Failure

Document = dict[str, Any]


@dataclass(frozen=True)
class CodeLocationStatus:
    """One location and whether Dagster+ has its definitions. All times in seconds since the epoch.

    ``load_status`` is LOADING or LOADED, and LOADED also holds for a location that failed: then ``error`` is set.
    ``updated_at`` is when Dagster+ last changed the entry, ``deployed_at`` when its document was last put,
    ``data_updated_at`` when definitions last arrived; ``is_outdated``: what is loaded is older than the document.
    """

    name: str
    load_status: str
    image: str | None
    error: Failure | None
    updated_at: float
    deployed_at: float | None
    data_updated_at: float | None
    is_outdated: bool

    @property
    def is_loaded(self) -> bool:
        """Loaded, without an error, and from the document that was put last."""
        return self.load_status == "LOADED" and self.error is None and not self.is_outdated


def statuses(data: Mapping[str, Any]) -> list[CodeLocationStatus]:
    """From the ``workspaceOrError`` and ``workspace`` of one answer, by name.

    A location that was put a moment ago may be in one of them only; it is LOADING then.
    """
    loads = {entry["name"]: entry for entry in data["workspaceOrError"]["locationEntries"]}
    entries = {entry["locationName"]: entry for entry in (data["workspace"] or {}).get("workspaceEntries", ())}
    return [_status(name, loads.get(name), entries.get(name)) for name in sorted({*loads, *entries})]


def _status(name: str, load: Mapping[str, Any] | None, entry: Mapping[str, Any] | None) -> CodeLocationStatus:
    loaded = (load or {}).get("locationOrLoadError") or {}
    return CodeLocationStatus(
        name=name,
        load_status=load["loadStatus"] if load else "LOADING",
        image=_image(entry["serializedDeploymentMetadata"]) if entry else None,
        error=Failure.of(loaded) if loaded.get("__typename") == "PythonError" else None,
        updated_at=float(load["updatedTimestamp"]) if load else 0.0,
        deployed_at=entry["metadataTimestamp"] if entry else None,
        data_updated_at=entry["dataUpdatedTimestamp"] if entry else None,
        is_outdated=bool(entry and entry["hasOutdatedData"]),
    )


def _image(serialized: str) -> str | None:
    """The image in a serialized ``CodeLocationDeployData`` (a flat JSON object with the class's name beside it)."""
    try:
        image = json.loads(serialized).get("image")
    except (ValueError, AttributeError):
        return None
    return image if isinstance(image, str) else None


def documents(data: Mapping[str, Any]) -> dict[str, Document]:
    """Each location's document by its name, without what is null in it."""
    listed = ((data["locationsAsDocument"] or {}).get("document") or {}).get("locations") or ()
    return {entry["location_name"]: dict(entry) for entry in listed}
