"""What is written beside a value on S3, as metadata of the object: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from asset_values.model import Entry, Note

if TYPE_CHECKING:
    from obstore import ObjectMeta

    from asset_values.stores.places import S3Place

SHA256: Final = "asset-values-sha256"
COPIED_FROM: Final = "asset-values-copied-from"


def metadata(note: Note) -> dict[str, str]:
    """A version of the source may be of any store: metadata is ASCII."""
    noted = {COPIED_FROM: quote(note.copied_from, safe='-_.~":/|=+ ')}
    return noted if note.sha256 is None else {**noted, SHA256: note.sha256}


def encryption(place: S3Place) -> dict[str, Any]:
    """As parameters of boto3."""
    if place.key_arn is None:
        return {}
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.key_arn, "BucketKeyEnabled": True}


def entry_of(relative: str, meta: ObjectMeta, noted: Mapping[str, str]) -> Entry:
    """From what obstore says."""
    return _entry(relative, meta["size"], meta["e_tag"], meta["last_modified"], noted)


def entry_of_boto3(relative: str, told: Mapping[str, Any]) -> Entry:
    """From what ``HeadObject``, ``GetObject`` or a listing says."""
    size = told["ContentLength"] if "ContentLength" in told else told["Size"]
    return _entry(relative, size, told.get("ETag"), told["LastModified"], told.get("Metadata", {}))


def _entry(relative: str, size: int, tag: str | None, modified: datetime, noted: Mapping[str, str]) -> Entry:
    seconds = modified.timestamp()
    copied_from = noted.get(COPIED_FROM)
    return Entry(
        key=relative,
        size=size,
        # Some servers give no ETag.
        version=tag.strip('"') if tag else f"{seconds:.0f}-{size}",
        modified=seconds,
        sha256=noted.get(SHA256),
        copied_from=unquote(copied_from) if copied_from is not None else None,
    )
