"""Large objects of S3: sent in parts, or copied by S3 in parts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.stores.s3_clients import ClientPool
from asset_values.stores.s3_reading import in_parts

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PUT: Final = "s3:PutObject"
_ABORT: Final = "s3:AbortMultipartUpload"
_MOST: Final = 10_000  # parts of one object
_SENT: Final = 6 << 20  # bytes a part; eight of them are held at most: four on their way, the others being read
_COPIED: Final = 128 << 20  # the same where S3 copies
_AT_ONCE: Final = 4
_MIB: Final = 1 << 20
Send = Callable[[str, int], "CompletedPartTypeDef"]


class MultipartUpload:
    """One object on its way. Whatever goes wrong, also Ctrl-C, its parts are given up at S3; those of a process that
    was killed are left to the bucket's own rule for uploads that were never completed."""

    def __init__(self, pool: ClientPool, key: str, created: Mapping[str, Any], completed: Mapping[str, Any]) -> None:
        """``created`` and ``completed``: more parameters of ``CreateMultipartUpload`` and ``CompleteMultipartUpload``
        (metadata, encryption; the condition)."""
        self._pool = pool
        self._place: dict[str, Any] = {"Bucket": pool.place.bucket, "Key": key}
        self._created = dict(created)
        self._completed = dict(completed)

    def send(self, parts: Iterator[bytes], size: int) -> tuple[str, str]:
        """The version afterwards and the SHA-256 (hex) of what was sent. ``size`` is checked."""
        digest = hashlib.sha256()
        sent = 0

        def work() -> Iterator[Send]:
            nonlocal sent
            for part in in_parts(parts, part_size(size, _SENT)):
                digest.update(part)
                sent += len(part)
                yield self._sending(part)
                del part
            if sent != size:
                raise Fault(FaultKind.CORRUPT, f"{sent} bytes came where {size} were announced; nothing was written.")

        # Said beforehand, so that S3 makes the whole's checksum of those of the parts and not of the bytes anew.
        self._created["ChecksumAlgorithm"] = "CRC32"
        return self._run(work()), digest.hexdigest()

    def copy(self, source: Mapping[str, Any], size: int) -> str:
        """The version afterwards. ``source``: ``CopySource`` and its condition."""
        step = part_size(size, _COPIED)
        return self._run(self._copying(source, start, min(start + step, size) - 1) for start in range(0, size, step))

    def _sending(self, part: bytes) -> Send:
        def send(upload: str, number: int) -> CompletedPartTypeDef:
            told = self._pool.do(
                PUT,
                lambda clients: clients.calls.upload_part(**self._place, UploadId=upload, PartNumber=number, Body=part),
            )
            return _completed(number, told)

        return send

    def _copying(self, source: Mapping[str, Any], first: int, last: int) -> Send:
        def send(upload: str, number: int) -> CompletedPartTypeDef:
            told = self._pool.do(
                PUT,
                lambda clients: clients.calls.upload_part_copy(
                    **self._place,
                    **source,
                    UploadId=upload,
                    PartNumber=number,
                    CopySourceRange=f"bytes={first}-{last}",
                ),
            )
            return _completed(number, told["CopyPartResult"])

        return send

    def _run(self, work: Iterator[Send]) -> str:
        upload = self._pool.do(
            PUT, lambda clients: clients.calls.create_multipart_upload(**self._place, **self._created)
        )["UploadId"]
        try:
            done = self._all(work, upload)
            told = self._pool.do(
                PUT,
                lambda clients: clients.calls.complete_multipart_upload(
                    **self._place, UploadId=upload, MultipartUpload={"Parts": done}, **self._completed
                ),
            )
        except BaseException:
            with contextlib.suppress(Fault):
                self._pool.do(
                    _ABORT, lambda clients: clients.calls.abort_multipart_upload(**self._place, UploadId=upload)
                )
            raise
        return told["ETag"].strip('"')

    def _all(self, work: Iterator[Send], upload: str) -> list[CompletedPartTypeDef]:
        """Four at once, and not one more is taken from ``work`` before one of them is done: it holds a part's bytes."""
        done: list[CompletedPartTypeDef] = []
        running: set[Future[CompletedPartTypeDef]] = set()
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="asset-values-parts")
        try:
            for number, send in enumerate(work, start=1):
                running.add(pool.submit(send, upload, number))
                del send
                if len(running) == _AT_ONCE:
                    ended, running = wait(running, return_when=FIRST_COMPLETED)
                    done += [future.result() for future in ended]
            done += [future.result() for future in running]
        finally:
            # Also on failure: a part that arrives after the abort would stay.
            pool.shutdown(wait=True, cancel_futures=True)
        return sorted(done, key=lambda part: part.get("PartNumber", 0))


def _completed(number: int, told: Mapping[str, Any]) -> CompletedPartTypeDef:
    """botocore has S3 check each part (CRC32), and S3 wants to hear of it again."""
    done: CompletedPartTypeDef = {"ETag": told["ETag"], "PartNumber": number}
    if checksum := told.get("ChecksumCRC32"):
        done["ChecksumCRC32"] = checksum
    return done


def part_size(size: int, usual: int) -> int:
    """``usual``, or so many whole MiB that 10,000 parts suffice.

    >>> part_size(100, 6 << 20) >> 20, part_size(200 << 30, 6 << 20) >> 20
    (6, 21)
    """
    needed = -(-size // _MOST)
    return max(usual, -(-needed // _MIB) * _MIB)
