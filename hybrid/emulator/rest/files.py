"""Files that come and go by HTTP: bounded, streamed, whole or not at all; and names that stay in their folder.

Rests on: ``invented``; the limit is what S3, where Dagster+ keeps such files, takes in one request.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.presigned import Signer

MAX_BYTES: Final = 5 * 1024**3
MAX_KEY_BYTES: Final = 1024  # S3's own
_MAX_NAME_BYTES: Final = 240  # of a file, below the 255 that file systems take
_AT_ONCE: Final = 1024 * 1024
_LEAF: Final = "@"  # which quoting never leaves in a name, so no key's folder is another key's file


class Misplaced(Refusal):
    """A key that cannot be one."""

    def __init__(self, why: str) -> None:
        super().__init__(400, f"The key cannot be taken: {why}.")


def path_of_key(folder: Path, key: str) -> Path:
    """Where the value of ``key`` lies below ``folder``: parts between slashes are folders, each name quoted.

    S3 knows no folders, so ``a`` and ``a/b`` may both have a value; the last part is marked for that. Raises
    ``Misplaced`` for keys that S3 would not take, that climb, or whose names no file can have.
    """
    if not key or len(key.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
        raise Misplaced(f"it has to have 1 to {MAX_KEY_BYTES} bytes")
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise Misplaced("between its slashes there has to be a name, and neither . nor ..")
    try:
        names = [quote(part, safe=" =,+|:") for part in parts]
    except UnicodeEncodeError:
        raise Misplaced("it is not Unicode text") from None
    if any(len(name.encode()) > _MAX_NAME_BYTES for name in names):
        raise Misplaced(f"a name in it is longer than {_MAX_NAME_BYTES} bytes as a file")
    return folder.joinpath(*names[:-1], _LEAF + names[-1])


def presigned_url(origin: str, signer: Signer, path: str, subject: Mapping[str, str]) -> str:
    """A URL that permits the method in ``subject`` on what the rest of it names."""
    return f"{origin}{path}?{signer.query(path, subject)}"


def permitted(request: Request, signer: Signer, path: str) -> Mapping[str, str]:
    """The subject of the URL that the request came by. Raises ``Refusal`` unless it was given out for its method."""
    query = request.query_params
    if not signer.permits(path, query):
        raise Refusal(403, "The URL is not one that was given out, or it has expired.")
    if query["method"] != request.method:
        raise Refusal(403, f"The URL was given out for {query['method']}, not for {request.method}.")
    return query


@asynccontextmanager
async def draft_of_body(request: Request, folder: Path, limit: int = MAX_BYTES) -> AsyncIterator[Path]:
    """The request's body as a file in ``folder``, which is gone when the block ends unless it was moved away.

    Raises ``Refusal``: 413 when it has more than ``limit`` bytes, 507 when there is no room for it.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    descriptor, name = await asyncio.to_thread(tempfile.mkstemp, prefix=".draft-", dir=folder)
    draft = Path(name)
    try:
        try:
            await _written(request, descriptor, limit)
        finally:
            os.close(descriptor)
        yield draft
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Refusal(507, f"There is no room for it in {folder}.") from error
        raise
    finally:
        draft.unlink(missing_ok=True)


async def _written(request: Request, descriptor: int, limit: int) -> None:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise Refusal(413, f"The body has {announced} bytes; at most {limit} are taken.")
    waiting, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refusal(413, f"The body has more than {limit} bytes.")
        waiting += chunk
        if len(waiting) >= _AT_ONCE:
            await asyncio.to_thread(_write_all, descriptor, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(_write_all, descriptor, bytes(waiting))


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def placed(draft: Path, path: Path) -> None:
    """Move a draft to where it is read; whoever reads sees the former file or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(path)


async def sent(path: Path, what: str) -> Response:
    """The file as an answer; 404 when there is none."""
    if not await asyncio.to_thread(path.is_file):
        return JSONResponse({"message": f"There is no {what}."}, 404)
    return FileResponse(path, media_type="application/octet-stream")


def origin_of(request: Request) -> str:
    """Scheme and authority by which the client reached us: in a container, another host than ours is ours."""
    return f"{request.url.scheme}://{request.url.netloc}"
