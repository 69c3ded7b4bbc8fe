"""One blob of Azure, opened: its bytes whole or in parts, of one version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asset_values.faults import Fault, FaultKind
from asset_values.model import Entry
from asset_values.stores.blob_faults import READER, fault_of
from asset_values.stores.places import BlobPlace
from asset_values.stores.s3_reading import in_parts


class BlobReading:
    """The first request has brought the beginning, of most values all of it. The client asks for the rest under the
    ETag of the beginning, and again for what was cut off."""

    def __init__(self, opened: Any, entry: Entry, place: BlobPlace) -> None:
        """``opened``: what the client's ``download_blob`` gave."""
        self._opened = opened
        self._entry = entry
        self._place = place

    @property
    def entry(self) -> Entry:
        return self._entry

    def whole(self) -> bytes:
        try:
            data: bytes = self._opened.readall()
        except Exception as error:
            raise fault_of(error, self._place, READER) from None
        if len(data) != self._entry.size:
            raise Fault(FaultKind.CORRUPT, f"{len(data)} bytes arrived where {self._entry.size} were announced.")
        return data

    def parts(self, size: int) -> Iterator[bytes]:
        read = 0
        for part in in_parts(self._chunks(), size):
            read += len(part)
            yield part
        if read != self._entry.size:
            raise Fault(FaultKind.CORRUPT, f"{read} bytes arrived where {self._entry.size} were announced.")

    def _chunks(self) -> Iterator[bytes]:
        try:
            yield from self._opened.chunks()
        except Exception as error:
            raise fault_of(error, self._place, READER) from None
