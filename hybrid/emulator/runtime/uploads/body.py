"""Request bodies, read with limits: what is larger, malformed or unpacks to too much is refused by its status.

A body waits for its end on disk when it is large, and few large ones are worked on at once, so that memory is bounded
by neither the number of clients nor their patience.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final, NamedTuple, TypeVar

from dagster._serdes import deserialize_value, unpack_value
from dagster_shared.serdes.serdes import PackableValue
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest body. The definitions of ten thousand assets are about 2 MB as they come over the wire."""

MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
"""Largest text that a compressed body may unpack to."""

_LARGE_BYTES: Final = 1024 * 1024
_LARGE_AT_ONCE: Final = 2
_MAX_PARTS: Final = 16
_PIECE_BYTES: Final = 256 * 1024
_large = ThreadPoolExecutor(_LARGE_AT_ONCE, thread_name_prefix="large-uploads")

_BOUNDARY: Final = re.compile(r"""multipart/form-data;.*?boundary="?([^";,\s]{1,70})"?""", re.IGNORECASE)

_NAME: Final = re.compile(rb';\s*name="([^"\r\n]{1,100})"')

T = TypeVar("T", bound=PackableValue)


class RefusedUpload(Exception):
    """The upload cannot be taken. ``status`` is the HTTP status that says so; none of these is retried by the client.

    (It retries 429, 502, 503 and 504: dagster_cloud_cli/core/graphql_client.py.)
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


async def taken(request: Request, handler: Callable[[Request, bytes], Response], limit: int = MAX_BYTES) -> Response:
    """``handler`` on the request and its body of at most ``limit`` bytes, in a thread.

    What is larger is refused while it still streams in, or by its announcement. Raises ``RefusedUpload``.
    """
    with tempfile.SpooledTemporaryFile(max_size=_LARGE_BYTES) as body:
        size = await _received(request, body, limit)

        def handled() -> Response:
            body.seek(0)
            return handler(request, body.read())

        if size <= _LARGE_BYTES:
            return await run_in_threadpool(handled)
        return await asyncio.get_running_loop().run_in_executor(_large, handled)


async def _received(request: Request, body: IO[bytes], limit: int) -> int:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise RefusedUpload(413, f"The body has {announced} bytes; at most {limit} are taken.")
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RefusedUpload(413, f"The body has more than {limit} bytes.")
        body.write(chunk)
    return size


def unpack_text(compressed: bytes, limit: int = MAX_UNPACKED_BYTES) -> str:
    """The text of a zlib stream (which is what the client calls ``json.gz``)."""
    return decode(b"".join(_unpacked(compressed, limit)))


class Measured(NamedTuple):
    """A text that was looked at and not kept. ``size`` in bytes."""

    sha1: str
    size: int


def measure_text(compressed: bytes, limit: int = MAX_UNPACKED_BYTES) -> Measured:
    """What the text of a zlib stream is, without holding more than a piece of it. Refused as ``unpack_text`` does."""
    digest, size, decoder = hashlib.sha1(usedforsecurity=False), 0, codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _unpacked(compressed, limit):
            digest.update(piece)
            size += len(piece)
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise RefusedUpload(400, f"The body is not UTF-8: {error.reason}.") from error
    return Measured(digest.hexdigest(), size)


def _unpacked(compressed: bytes, limit: int) -> Iterator[bytes]:
    """The pieces of a zlib stream that is whole and unpacks to no more than ``limit`` bytes."""
    stream, packed, size = zlib.decompressobj(), compressed, 0
    while not stream.eof:
        try:
            piece = stream.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            raise RefusedUpload(400, f"The body is not a zlib stream: {error}.") from error
        size += len(piece)
        if size > limit:
            raise RefusedUpload(413, f"The body unpacks to more than {limit} bytes.")
        if not piece and not stream.eof:
            raise RefusedUpload(400, "The zlib stream is cut short.")
        yield piece
        packed = stream.unconsumed_tail
    if stream.unused_data:
        raise RefusedUpload(400, "The zlib stream is followed by something else.")


def decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise RefusedUpload(400, f"The body is not UTF-8: {error.reason}.") from error


def file_parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart body by their name, as python-requests writes them (``files=``)."""
    found = _BOUNDARY.match(content_type)
    if not found:
        raise RefusedUpload(400, "The body is not multipart/form-data.")
    boundary = b"\r\n--" + found.group(1).encode()
    pieces = (b"\r\n" + body).split(boundary, _MAX_PARTS + 1)
    if not pieces[-1].startswith(b"--"):
        what = "is cut short" if len(pieces) <= _MAX_PARTS + 1 else f"has more than {_MAX_PARTS} parts"
        raise RefusedUpload(400, f"The multipart body {what}.")
    parts = {}
    for piece in pieces[1:-1]:
        head, separator, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            parts[name.group(1).decode(errors="replace")] = content
    return parts


def file_part(content_type: str, body: bytes, name: str) -> bytes:
    """One part of a multipart body; refused when it is not there."""
    parts = file_parts(content_type, body)
    if name not in parts:
        raise RefusedUpload(400, f"The body has no part {name}.")
    return parts[name]


def read_value(text: str, kind: type[T]) -> T:
    """A serialized Dagster value, of ``kind`` and nothing else."""
    try:
        return deserialize_value(text, kind)
    except Exception as error:  # dagster's checks raise classes of their own for each kind of mismatch
        raise RefusedUpload(400, f"The body is not a serialized {kind.__name__}: {error}") from error


def read_packed(body: bytes, kind: type[T]) -> T:
    """A packed Dagster value that came as JSON, of ``kind`` and nothing else."""
    try:
        packed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedUpload(400, f"The body is not JSON: {error}.") from error
    try:
        value = unpack_value(packed, kind)
    except Exception as error:  # as above
        raise RefusedUpload(400, f"The body is not a packed {kind.__name__}: {error}") from error
    return value
