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

    ``image`` is what the document names. ``reported_image`` is what the code server said that it runs in when its
    definitions were uploaded; None where nothing says so. It rests on: the agent gives each code server the image that
    it was started from as DAGSTER_CURRENT_IMAGE (dagster_cloud/workspace/user_code_launcher/utils.py), sends it with
    the definitions (``DagsterCloudCodeLocationManifest.container_image``), and Dagster shows a loaded location's under
    the key ``image`` of its repositories' ``displayMetadata`` (dagster/_core/remote_representation/code_location.py
    ``get_display_metadata``; the field is in Dagster+'s public schema). That Dagster+ fills it as Dagster does was not
    seen on a real account: hence ``loaded_image``.
    """

    name: str
    load_status: str
    image: str | None
    error: Failure | None
    updated_at: float
    deployed_at: float | None
    data_updated_at: float | None
    is_outdated: bool
    reported_image: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether agents are done with the document that was put last: it is loaded, or failed to load."""
        return self.load_status == "LOADED" and not self.is_outdated

    @property
    def is_loaded(self) -> bool:
        """Loaded, without an error, and from the document that was put last."""
        return self.is_settled and self.error is None

    @property
    def loaded_image(self) -> str | None:
        """The image whose definitions Dagster+ has: the one that the code server reported, else, of a location that is
        loaded from the document that was put last, that document's. None when no image is known."""
        return self.reported_image or (self.image if self.is_loaded else None)

    def was_told(self, image: str) -> bool:
        """Whether the document that was put last names ``image``, by digest where both have one."""
        return _same_image(self.image, image)

    def has_loaded(self, image: str) -> bool:
        """Whether it is loaded without an error, and from ``image``, by digest where both have one."""
        return self.is_loaded and _same_image(self.loaded_image, image)

    def has_failed(self, image: str | None) -> bool:
        """Whether agents tried it and it did not load. With an ``image`` only when that was what they tried: of a
        location that failed nothing is loaded that could name one, so its document says it."""
        return self.is_settled and self.error is not None and (image is None or self.was_told(image))


def _same_image(one: str | None, other: str | None) -> bool:
    """Whether two references are one image: by their digests if both have one (``repository@sha256:…``), else as
    written."""
    if not one or not other:
        return False
    digests = [reference.partition("@")[2] for reference in (one, other)]
    return digests[0] == digests[1] if all(digests) else one == other


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
        reported_image=_reported_image(loaded),
    )


def _image(serialized: str) -> str | None:
    """The image in a serialized ``CodeLocationDeployData`` (a flat JSON object with the class's name beside it)."""
    try:
        image = json.loads(serialized).get("image")
    except (ValueError, AttributeError):
        return None
    return image if isinstance(image, str) else None


def _reported_image(loaded: Mapping[str, Any]) -> str | None:
    """All repositories of a location come from one code server, so the first that has an image speaks for it."""
    for repository in loaded.get("repositories") or ():
        for entry in repository["displayMetadata"]:
            if entry["key"] == "image" and entry["value"]:
                return str(entry["value"])
    return None


def documents(data: Mapping[str, Any]) -> dict[str, Document]:
    """Each location's document by its name, without what is null in it."""
    listed = ((data["locationsAsDocument"] or {}).get("document") or {}).get("locations") or ()
    return {entry["location_name"]: dict(entry) for entry in listed}
