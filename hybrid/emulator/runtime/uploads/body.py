"""Request bodies, read with limits: what is larger, malformed or unpacks to too much is refused by its status."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Final, TypeVar

from dagster._serdes import deserialize_value, unpack_value
from dagster_shared.serdes.serdes import PackableValue
from starlette.requests import Request

MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest body. The definitions of ten thousand assets are about 2 MB as they come over the wire."""

MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
"""Largest text that a compressed body may unpack to."""

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


async def read_body(request: Request, limit: int = MAX_BYTES) -> bytes:
    """The body of at most ``limit`` bytes, refused while it still streams in when it is larger."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise RefusedUpload(413, f"The body has {announced} bytes; at most {limit} are taken.")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RefusedUpload(413, f"The body has more than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def unpack_text(compressed: bytes, limit: int = MAX_UNPACKED_BYTES) -> str:
    """The text of a zlib stream (which is what the client calls ``json.gz``)."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(compressed, limit + 1)
    except zlib.error as error:
        raise RefusedUpload(400, f"The body is not a zlib stream: {error}.") from error
    if len(unpacked) > limit:
        raise RefusedUpload(413, f"The body unpacks to more than {limit} bytes.")
    if not stream.eof or stream.unused_data:
        raise RefusedUpload(400, "The zlib stream is cut short or followed by something else.")
    return decode(unpacked)


def decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise RefusedUpload(400, f"The body is not UTF-8: {error}.") from error


def file_parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart body by their name, as python-requests writes them (``files=``)."""
    found = _BOUNDARY.match(content_type)
    if not found:
        raise RefusedUpload(400, "The body is not multipart/form-data.")
    parts = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + found.group(1).encode())[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
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
