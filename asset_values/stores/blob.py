"""Values in a blob container of Azure, of a Data Lake Storage account (with real folders) or of a plain one."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Entry, Note, Reading
from asset_values.stores.blob_blocks import BlockUpload
from asset_values.stores.blob_faults import READER, WRITER, fault_of
from asset_values.stores.blob_reading import BlobReading
from asset_values.stores.places import KEPT_BY_US, BlobPlace

SHA256: Final = "asset_values_sha256"
COPIED_FROM: Final = "asset_values_copied_from"
"""Names of metadata in Azure are those of identifiers in C#: no hyphens."""

_FOLDER: Final = "hdi_isfolder"
"""What Azure notes with a folder where it shows it as a blob."""
_READ: Final = 8 << 20  # bytes at a time of what is larger than the first answer
_FIRST: Final = 32 << 20  # bytes that one request brings
_LONGEST_KEY: Final = 1024  # characters: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_NO_NAME: Final = re.compile(r"(?:^|/)(?:\.{0,2})(?:/|$)|\.(?:/|$)|[\\\x00-\x1f\x7f]")
"""Azure takes a backslash for a slash and a dot at the end of a name away, its client dots between slashes."""
Result = TypeVar("Result")


class BlobStore:
    """Source and destination. For many threads; ``threads`` is how many requests go at once.

    ``credential``: of Azure's own kind; by default the login that its tools find (``DefaultAzureCredential``: the
    environment, a workload's identity, `az login`). Nothing is asked before the first method. The version is the ETag.
    Every request has its MD5 with it, which Azure verifies.
    """

    can_list = True

    def __init__(self, place: BlobPlace, credential: Any = None, *, threads: int = 32) -> None:
        self._place = place
        self._credential = credential
        self._threads = threads
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def name(self) -> str:
        return self._place.url

    @property
    def place(self) -> BlobPlace:
        return self._place

    def check(self) -> None:
        """Ask the container once. Raises ``Fault``: MISPLACED when it is not there, DENIED with the role it needs."""
        self._do(READER, lambda container: next(iter(container.list_blob_names(results_per_page=1)), None))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """In the order of the keys. ``prefix`` is of whole names. Folders and what lies below ``.asset-values/`` are
        left out."""
        top = (self._place.key(prefix) if prefix else self._place.prefix).strip("/")
        asked: dict[str, Any] = {"name_starts_with": f"{top}/"} if top else {}
        found: Any = self._do(READER, lambda container: iter(container.list_blobs(include=["metadata"], **asked)))
        while (blob := self._do(READER, lambda _: next(found, None))) is not None:
            key = self._place.relative(blob.name)
            if not key.startswith(KEPT_BY_US) and not _is_folder(blob):
                yield _entry(key, blob, noted=False)

    def head(self, key: str) -> Entry | None:
        try:
            told = self._do(READER, lambda container: container.get_blob_client(self._key(key)).get_blob_properties())
        except Fault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise
        return None if _is_folder(told) else _entry(key, told)

    def open(self, key: str) -> AbstractContextManager[Reading]:
        whole = self._key(key)
        opened = self._do(READER, lambda container: container.download_blob(whole))
        if _is_folder(opened.properties):
            raise Fault(FaultKind.ABSENT, f"Nothing lies there in {self.name}.")
        return nullcontext(BlobReading(opened, _entry(key, opened.properties), self._place))

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        whole = self._key(key)

        def put(container: Any) -> str:
            told = container.get_blob_client(whole).upload_blob(
                data,
                length=len(data),
                overwrite=condition.expected is not None,
                metadata=_metadata(note),
                validate_content=True,
                **_conditional(condition),
            )
            return str(told["etag"]).strip('"')

        try:
            return self._do(WRITER, put)
        except Fault as fault:
            raise self._explained(fault, whole) from None

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        whole = self._key(key)
        # Not `overwrite`: the last request, which puts the blocks together, is the one under the condition.
        committed = {"metadata": _metadata(note), **_conditional(condition, create=True)}
        upload = BlockUpload(lambda work: self._do(WRITER, lambda container: work(container.get_blob_client(whole))))
        try:
            return upload.send(parts, size, committed)
        except Fault as fault:
            raise self._explained(fault, whole) from None

    def digest(self, key: str) -> tuple[Entry, str]:
        digest = hashlib.sha256()
        with self.open(key) as reading:
            for part in reading.parts(_READ):
                digest.update(part)
            return reading.entry, digest.hexdigest()

    def _explained(self, fault: Fault, whole: str) -> Fault:
        """Where a folder lies, Azure says that something is there, as if the value had been written meanwhile."""
        if fault.kind is not FaultKind.CHANGED:
            return fault
        try:
            there = self._do(READER, lambda container: container.get_blob_client(whole).get_blob_properties())
        except Fault:
            return fault
        if not _is_folder(there):
            return fault
        return Fault(FaultKind.UNUSABLE, f"In {self.name} a folder lies where this key needs a file.")

    def _do(self, role: str, work: Callable[[Any], Result]) -> Result:
        """Raises ``Fault``."""
        try:
            return work(self._container)
        except Exception as error:
            raise fault_of(error, self._place, role) from None

    @property
    def _container(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _container_client(self._place, self._credential, self._threads)
            return self._made

    def _key(self, relative: str) -> str:
        whole = self._place.key(relative)
        try:
            whole.encode()
        except UnicodeEncodeError:
            raise Fault(FaultKind.UNUSABLE, "The key cannot be written as UTF-8.") from None
        if not relative or len(whole) > _LONGEST_KEY:
            raise Fault(FaultKind.UNUSABLE, f"A blob's name has 1 to {_LONGEST_KEY} characters, this one {len(whole)}.")
        if _NO_NAME.search(whole):
            raise Fault(
                FaultKind.UNUSABLE,
                "The key has an empty name, one of dots or with a dot at its end, a backslash or a control character: "
                "Azure would take it for another.",
            )
        return whole


def _container_client(place: BlobPlace, credential: Any, threads: int) -> Any:
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import ContainerClient, ExponentialRetry

    if credential is None:
        from azure.identity import DefaultAzureCredential

        logging.getLogger("azure.identity").setLevel(logging.ERROR)  # a `Fault` says it, once
        credential = DefaultAzureCredential()
    transport = RequestsTransport()
    transport.open()
    for scheme in ("https://", "http://"):  # else connections beyond ten are thrown away after each request
        transport.session.get_adapter(scheme).init_poolmanager(max(threads, 10), max(threads, 10))
    return ContainerClient(
        place.account_url,
        place.container,
        credential=credential,
        transport=transport,
        retry_policy=ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=2),  # the copier tries again
        max_single_get_size=_FIRST,
        max_chunk_get_size=_READ,
        max_single_put_size=256 << 20,  # what is larger goes by `put_parts`
        connection_timeout=10,
        read_timeout=60,
        logging_enable=False,
    )


def _conditional(condition: Condition, *, create: bool = False) -> dict[str, Any]:
    """As parameters of the client; ``create``: say also that nothing may lie there, which ``overwrite`` says else."""
    from azure.core import MatchConditions

    if condition.expected is not None:
        return {"etag": f'"{condition.expected}"', "match_condition": MatchConditions.IfNotModified}
    return {"match_condition": MatchConditions.IfMissing} if create else {}


def _metadata(note: Note) -> dict[str, str]:
    """A version of the source may be of any store: metadata is ASCII."""
    noted = {COPIED_FROM: quote(note.copied_from, safe='-_.~":/|=+ ')}
    return noted if note.sha256 is None else {**noted, SHA256: note.sha256}


def _is_folder(told: Any) -> bool:
    return str((told.metadata or {}).get(_FOLDER, "")).lower() == "true"


def _entry(key: str, told: Any, *, noted: bool = True) -> Entry:
    """From what Azure says of a blob."""
    metadata = {name.lower(): value for name, value in (told.metadata or {}).items()} if noted else {}
    copied_from = metadata.get(COPIED_FROM)
    return Entry(
        key=key,
        size=int(told.size),
        version=str(told.etag).strip('"'),
        modified=told.last_modified.timestamp(),
        sha256=metadata.get(SHA256),
        copied_from=unquote(copied_from) if copied_from is not None else None,
    )
