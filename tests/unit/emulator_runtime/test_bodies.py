"""Uploads that are cut short, packed to burst, or large: refused by their status, and never held whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hybrid.emulator.runtime.uploads import body as bodies
from hybrid.emulator.runtime.uploads.body import RefusedUpload, file_part, measure_text, taken, unpack_text

pytestmark = pytest.mark.unit

MEGABYTE = 1024 * 1024
FORM = "multipart/form-data; boundary=b0"


@contextmanager
def refused(status: int) -> Iterator[None]:
    with pytest.raises(RefusedUpload) as refusal:
        yield
    assert refusal.value.status == status


@pytest.mark.parametrize("read", [unpack_text, measure_text], ids=["unpacked", "measured"])
def test_a_zlib_stream_that_is_not_whole_is_refused(read: Any) -> None:
    whole = zlib.compress(os.urandom(600_000).hex().encode())
    read(whole)
    for end in (0, 1, 2, 100, len(whole) // 2, len(whole) - 5, len(whole) - 1):
        with refused(400):
            read(whole[:end])
    for wrong in (whole + b"x", b"\x1f\x8b\x08" + whole, whole[:-1] + b"\x00", b"text", zlib.compress(b"\xff")):
        with refused(400):
            read(wrong)


def test_a_text_is_measured_as_it_would_be_unpacked() -> None:
    text = "ä€🚀" * 200_000  # characters of several bytes, cut by the pieces in which it is read
    packed = zlib.compress(text.encode())
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    assert measure_text(packed) == (digest, len(text.encode()))
    assert unpack_text(packed) == text


def test_a_bomb_takes_no_memory() -> None:
    bomb = zlib.compress(b"x" * 200 * MEGABYTE)
    tracemalloc.start()
    try:
        with refused(413):
            measure_text(bomb, limit=100 * MEGABYTE)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE, "it is read in pieces"
    finally:
        tracemalloc.stop()


def part(name: str, content: bytes = b"content") -> bytes:
    head = f'--b0\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def test_a_multipart_body_that_is_cut_short_is_refused_wherever_it_is_cut() -> None:
    whole = part("job.tmp") + part("more.tmp") + b"--b0--\r\n"
    assert file_part(FORM, whole, "job.tmp") == b"content"
    for end in range(len(whole) - 4):
        with refused(400):
            file_part(FORM, whole[:end], "job.tmp")


def test_a_multipart_body_of_many_parts_is_refused_before_they_are_taken_apart() -> None:
    tracemalloc.start()
    try:
        with refused(400):
            file_part(FORM, b"\r\n--b0" * MEGABYTE, "job.tmp")
        assert tracemalloc.get_traced_memory()[1] < 30 * MEGABYTE, "the body and a copy, not a million parts"
    finally:
        tracemalloc.stop()


def request(pieces: list[bytes], **headers: str) -> Request:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "PUT", "path": "/", "headers": sent}, receive)


def echoed(_request: Request, body: bytes) -> Response:
    return PlainTextResponse(hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("size", [0, 1, MEGABYTE, MEGABYTE + 1, 5 * MEGABYTE])
def test_a_body_of_any_size_that_is_taken_arrives_whole(size: int) -> None:
    whole = os.urandom(size)
    pieces = [whole[start : start + 65536] for start in range(0, size, 65536)]
    answer = asyncio.run(taken(request(pieces), echoed))
    assert bytes(answer.body).decode() == hashlib.sha256(whole).hexdigest()


def test_a_body_over_the_limit_is_refused_announced_or_not() -> None:
    with refused(413):
        asyncio.run(taken(request([], content_length="1001"), echoed, limit=1000))
    with refused(413):
        asyncio.run(taken(request([b"x" * 600] * 2), echoed, limit=1000))


def test_few_large_bodies_are_worked_on_at_once_and_small_ones_do_not_wait_for_them() -> None:
    at_work, most, release, lock = [0], [0], threading.Event(), threading.Lock()

    def held(_request: Request, body: bytes) -> Response:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        assert release.wait(20)
        with lock:
            at_work[0] -= 1
        return PlainTextResponse("done")

    async def run() -> None:
        large = [asyncio.create_task(taken(request([b"x" * 2 * MEGABYTE]), held)) for _ in range(6)]
        while at_work[0] < bodies._LARGE_AT_ONCE:
            await asyncio.sleep(0)
        assert (await taken(request([b"x"]), echoed)).status_code == 200, "while the large ones are worked on"
        release.set()
        await asyncio.gather(*large)

    asyncio.run(run())
    assert most[0] == bodies._LARGE_AT_ONCE
