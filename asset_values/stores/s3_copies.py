"""Copies that S3 makes itself, so that no byte passes through here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Entry, Note
from asset_values.stores.places import S3Place
from asset_values.stores.s3_clients import ClientPool, Clients
from asset_values.stores.s3_multipart import PUT, MultipartUpload
from asset_values.stores.s3_notes import encryption, metadata

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

_IN_PARTS: Final = 256 << 20  # bytes from here on; S3 refuses more than 5 GB in one request, which would take minutes
_NO_VERSION: Final = "0" * 32


class Heads(Protocol):
    """Where one can look what lies at a key."""

    @property
    def place(self) -> S3Place: ...

    def head(self, key: str) -> Entry | None: ...


class ServerCopies:
    """Copies to ``destination``.

    Each is asked for under two conditions: that the source is still the version that was seen, and that the
    destination is what was expected. S3 honours both at once with the copy. Some other servers ignore them, which is
    found out once: the first copy to an empty key is asked for again under the condition that nothing is there, and
    under one that the source does not meet. Where either is not refused, every copy is made between two looks: right
    before it at the destination and after it at the source. What remains possible there is that somebody writes to
    the destination between the look and the copy, some milliseconds: that value would be lost. Where it matters,
    stream instead: writes' conditions hold.
    """

    def __init__(self, destination: Heads, pool: ClientPool) -> None:
        self._destination = destination
        self._pool = pool
        self._lock = threading.Lock()
        self._honoured: bool | None = None

    def copy(self, source: Heads, entry: Entry, key: str, condition: Condition) -> str:
        """The version of ``key`` (relative) afterwards. Raises ``Fault``."""
        if self._honoured is None and condition.expected is None and entry.size < _IN_PARTS:
            with self._lock:
                if self._honoured is None:
                    return self._first(source, entry, key)
        if self._honoured:
            return self._copied(source, entry, key, condition, entry.version)
        return self._between_looks(source, entry, key, condition)

    def _first(self, source: Heads, entry: Entry, key: str) -> str:
        version = self._between_looks(source, entry, key, Condition())
        # Either would write the same bytes again, if it is not refused; the second only over the copy itself.
        for condition, seen in ((Condition(), entry.version), (Condition(version), _NO_VERSION)):
            try:
                version = self._copied(source, entry, key, condition, seen)
            except Fault as fault:
                if fault.kind is FaultKind.CHANGED:
                    continue
                return version  # the copy is made; the next one asks again
            self._honoured = False
            self._look_back(source, entry)
            return version
        self._honoured = True
        return version

    def _between_looks(self, source: Heads, entry: Entry, key: str, condition: Condition) -> str:
        there = self._destination.head(key)
        if (there.version if there else None) != condition.expected:
            raise Fault(FaultKind.CHANGED, f"In {self._destination.place.url} lies something else than was expected.")
        version = self._copied(source, entry, key, condition, entry.version)
        self._look_back(source, entry)
        return version

    def _look_back(self, source: Heads, entry: Entry) -> None:
        now = source.head(entry.key)
        if now is None or now.version != entry.version:
            raise Fault(FaultKind.CHANGED, f"The value was replaced in {source.place.url} while it was copied.")

    def _copied(self, source: Heads, entry: Entry, key: str, condition: Condition, seen: str) -> str:
        """``seen``: the version that the source has to have."""
        place = self._pool.place
        from_: CopySourceTypeDef = {"Bucket": source.place.bucket, "Key": source.place.key(entry.key)}
        from_version: dict[str, Any] = {"CopySource": from_, "CopySourceIfMatch": f'"{seen}"'}
        created: dict[str, Any] = {"Metadata": metadata(Note(entry.version, entry.sha256)), **encryption(place)}
        expected = conditional(condition)
        if entry.size >= _IN_PARTS:
            return MultipartUpload(self._pool, place.key(key), created, expected).copy(from_version, entry.size)

        def copy(clients: Clients) -> str:
            told = clients.calls.copy_object(
                Bucket=place.bucket,
                Key=place.key(key),
                MetadataDirective="REPLACE",
                TaggingDirective="REPLACE",  # to copy tags is a permission more
                **from_version,
                **created,
                **expected,
            )
            return told["CopyObjectResult"]["ETag"].strip('"')

        return self._pool.do(PUT, copy)


def conditional(condition: Condition) -> dict[str, Any]:
    """As parameters of boto3."""
    return {"IfNoneMatch": "*"} if condition.expected is None else {"IfMatch": f'"{condition.expected}"'}
