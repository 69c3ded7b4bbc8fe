"""Values on S3 or a store that is compatible with it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from urllib.parse import urlsplit

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Entry, Note, Reading, Source
from asset_values.stores.credentials import Credentials, credentials_of
from asset_values.stores.places import KEPT_BY_US, S3Place
from asset_values.stores.s3_clients import ClientPool, Clients, boto3_client, is_of_aws
from asset_values.stores.s3_copies import ServerCopies, conditional
from asset_values.stores.s3_faults import fault_of
from asset_values.stores.s3_multipart import PUT, MultipartUpload
from asset_values.stores.s3_notes import encryption, entry_of, entry_of_boto3, metadata
from asset_values.stores.s3_reading import GET, PlainReading, S3Reading

_LIST: Final = "s3:ListBucket"
_PAGE: Final = 1000  # keys; more S3 does not give
_READ_TO_HASH: Final = 8 << 20  # bytes; what is larger S3 may be asked for its own checksum first
_LONGEST_KEY: Final = 1024  # bytes of UTF-8
# What obstore refuses as a name between two slashes.
_ONLY_BOTO3: Final = re.compile(r"(?:^|/)(?:\.{0,2})(?:/|$)|[\x00-\x1f\x7f]")


class S3Store:
    """Source, destination and server-side copy. For many threads; ``threads`` is how many requests go at once.

    ``credentials``: by default the place's role or AWS's default chain. Nothing is asked before the first method.
    The version is the ETag, of which nothing is assumed (with KMS and multipart it is no MD5). A connection error, 5xx
    or 429 is tried three times by the clients themselves before it is a ``Fault``.
    """

    can_list = True

    def __init__(self, place: S3Place, credentials: Credentials | None = None, *, threads: int = 32) -> None:
        self._pool = ClientPool(place, credentials or credentials_of(place), threads)
        self._copies = ServerCopies(self, self._pool)
        self._threads = threads

    @property
    def name(self) -> str:
        return self._pool.place.url

    @property
    def place(self) -> S3Place:
        return self._pool.place

    def check(self) -> None:
        """Ask the bucket once. Raises ``Fault``: MISPLACED when it is not there or in another region than told (which
        is said), DENIED with ``s3:ListBucket``."""
        told = self._pool.do(_LIST, self._bucket_head)
        region, expected = told.get("BucketRegion"), self.place.region
        if region and expected and region != expected:
            raise Fault(
                FaultKind.MISPLACED, f"The bucket {self.place.bucket} is not in {expected} but in {region}: say so."
            )
        self._pool.do(_LIST, lambda clients: self._page(clients, "", None, 1))

    def _bucket_head(self, clients: Clients) -> Any:
        try:
            return clients.calls.head_bucket(Bucket=self.place.bucket)
        except clients.calls.exceptions.ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                raise Fault(FaultKind.MISPLACED, f"There is no bucket {self.place.bucket}.") from None
            raise

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """In the order of the keys. ``prefix`` is of whole names: ``raw`` is not above ``raw2/x``. Markers of folders
        and what lies below ``.asset-values/`` are left out."""
        top = self.place.key(prefix) if prefix else self.place.prefix
        for entry in self._listed(top.strip("/")):
            if not entry.key.startswith(KEPT_BY_US):
                yield entry

    def _listed(self, top: str) -> Iterator[Entry]:
        import obstore

        last: str | None = None
        stream: Any = self._pool.do(_LIST, lambda c: obstore.list(c.values, top or None, chunk_size=_PAGE))
        while True:
            try:
                page = self._pool.do(_LIST, lambda _: _next_page(stream))
            except Fault:
                # A key that obstore cannot name, or keys that expired between two pages; what persists, boto3 meets.
                yield from self._listed_by_boto3(top, last)
                return
            if page is None:
                return
            for meta in page:
                last = meta["path"]
                if meta["size"] or self._exists(last):
                    yield entry_of(self.place.relative(last), meta, {})

    def _exists(self, key: str) -> bool:
        """obstore takes the slash off the marker of a folder: an empty object of that name need not be there."""
        return self.head(self.place.relative(key)) is not None

    def _listed_by_boto3(self, top: str, after: str | None) -> Iterator[Entry]:
        token: str | None = None
        while True:
            told = self._pool.do(_LIST, lambda clients: self._page(clients, top, after, _PAGE, token))  # noqa: B023
            for found in told.get("Contents", []):
                if not found["Key"].endswith("/"):
                    yield entry_of_boto3(self.place.relative(found["Key"]), found)
            token = told.get("NextContinuationToken")
            if not token:
                return

    def _page(self, clients: Clients, top: str, after: str | None, size: int, token: str | None = None) -> Any:
        more: dict[str, Any] = {"ContinuationToken": token} if token else {"StartAfter": after} if after else {}
        prefix = f"{top}/" if top else ""
        return clients.calls.list_objects_v2(Bucket=self.place.bucket, Prefix=prefix, MaxKeys=size, **more)

    def head(self, key: str) -> Entry | None:
        whole = self._key(key)

        def head(clients: Clients) -> Entry:
            if _ONLY_BOTO3.search(whole):
                return entry_of_boto3(key, clients.calls.head_object(Bucket=self.place.bucket, Key=whole))
            import obstore

            found = obstore.get(clients.values, whole, options={"head": True})
            return entry_of(key, found.meta, found.attributes)

        try:
            return self._pool.do(GET, head, whole)
        except Fault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise

    def open(self, key: str) -> AbstractContextManager[Reading]:
        whole = self._key(key)

        def get(clients: Clients) -> Reading:
            if _ONLY_BOTO3.search(whole):
                told = clients.calls.get_object(Bucket=self.place.bucket, Key=whole)
                return PlainReading(entry_of_boto3(key, told), told["Body"].read())
            import obstore

            opened = obstore.get(clients.values, whole)
            return S3Reading(self._pool, whole, entry_of(key, opened.meta, opened.attributes), opened)

        return nullcontext(self._pool.do(GET, get))

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        whole = self._key(key)

        def put(clients: Clients) -> str | None:
            if _ONLY_BOTO3.search(whole):
                told = clients.calls.put_object(
                    Bucket=self.place.bucket,
                    Key=whole,
                    Body=data,
                    Metadata=metadata(note),
                    ChecksumAlgorithm="SHA256",
                    **conditional(condition),
                    **encryption(self.place),
                )
                return told["ETag"]
            import obstore

            return obstore.put(
                clients.values,
                whole,
                data,
                attributes=metadata(note),
                mode="create" if condition.expected is None else {"e_tag": f'"{condition.expected}"'},
                use_multipart=False,
            )["e_tag"]

        tag = self._pool.do(PUT, put)
        if tag is None:
            raise Fault(FaultKind.OTHER, f"{self.name} gives no ETag, without which nothing can be told apart.")
        return tag.strip('"')

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        created = {"Metadata": metadata(note), **encryption(self.place)}
        return MultipartUpload(self._pool, self._key(key), created, conditional(condition)).send(parts, size)

    def digest(self, key: str) -> tuple[Entry, str]:
        with self.open(key) as reading:
            entry = reading.entry
            if entry.size > _READ_TO_HASH and (kept := self._checksum(entry)):
                return entry, kept
            digest = hashlib.sha256()
            for part in reading.parts(_READ_TO_HASH) if entry.size > _READ_TO_HASH else [reading.whole()]:
                digest.update(part)
            return entry, digest.hexdigest()

    def _checksum(self, entry: Entry) -> str | None:
        """SHA-256 (hex) of the whole object as S3 itself verified it; None where it was sent in parts."""
        told = self._pool.do(
            GET,
            lambda clients: clients.calls.head_object(
                Bucket=self.place.bucket,
                Key=self._key(entry.key),
                ChecksumMode="ENABLED",
                IfMatch=f'"{entry.version}"',
            ),
        )
        kept = told.get("ChecksumSHA256")
        if not kept or "-" in kept or told.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
            return None
        return base64.b64decode(kept).hex()

    def can_copy_from(self, source: Source) -> bool:
        """Whether these credentials read one byte of the source's first value: a listing and a read, no more."""
        if not isinstance(source, S3Store) or not self._same_service(source):
            return False
        first = next(iter(source.entries()), None)
        if first is None:
            return False
        clients = self._pool.current()
        try:
            reader = boto3_client(source.place, clients.keys, 1)
            one_byte: dict[str, Any] = {"Range": "bytes=0-0"} if first.size else {}
            key = source.place.key(first.key)
            reader.get_object(Bucket=source.place.bucket, Key=key, **one_byte)["Body"].close()
        except Exception as error:
            fault = fault_of(error, source.place, GET)
            if fault.kind in (FaultKind.THROTTLED, FaultKind.UNREACHABLE):
                raise fault from None
            return False
        return True

    def _same_service(self, source: S3Store) -> bool:
        ours, theirs = (store._pool.current().calls.meta.endpoint_url for store in (self, source))
        if is_of_aws(ours) and is_of_aws(theirs):
            return (urlsplit(ours).hostname or "").endswith(".cn") == (urlsplit(theirs).hostname or "").endswith(".cn")
        return ours == theirs

    def copy_from(self, source: Source, entry: Entry, key: str, condition: Condition) -> str:
        if not isinstance(source, S3Store):
            raise TypeError(f"S3 cannot copy from {source.name}.")
        self._key(key)
        return self._copies.copy(source, entry, key, condition)

    def _key(self, relative: str) -> str:
        whole = self.place.key(relative)
        try:
            length = len(whole.encode())
        except UnicodeEncodeError:
            raise Fault(FaultKind.UNUSABLE, "The key cannot be written as UTF-8.") from None
        if not relative or length > _LONGEST_KEY:
            raise Fault(FaultKind.UNUSABLE, f"A key on S3 has 1 to {_LONGEST_KEY} bytes, and this one has {length}.")
        return whole


def _next_page(stream: Any) -> Any:
    return next(stream, None)
