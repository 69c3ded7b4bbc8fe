"""One object of S3, opened: its bytes whole or in parts, of one version."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.model import Entry
from asset_values.stores.s3_clients import ClientPool, Clients

if TYPE_CHECKING:
    from obstore import GetOptions
    from typing_extensions import Buffer

GET: Final = "s3:GetObject"
_AHEAD: Final = 1  # parts read before they are asked for
_RESUMES: Final = 5  # of one object without a byte in between
_CHUNK: Final = 1 << 18  # bytes that obstore hands over at a time, at least


class S3Reading:
    """One request brings the whole object, streamed: parallel ranges would be faster over a long way, but a server that
    cuts ranges out of a whole object pays for each. A stream that is cut is taken up where it ended, with If-Match."""

    def __init__(self, pool: ClientPool, key: str, entry: Entry, opened: Any) -> None:
        """``opened``: what obstore answered. Nothing of the body has been asked for yet."""
        self._pool = pool
        self._key = key
        self._entry = entry
        self._opened = opened

    @property
    def entry(self) -> Entry:
        return self._entry

    def whole(self) -> bytes:
        try:
            data: bytes = self._pool.do(GET, lambda _: self._opened.bytes().to_bytes())
        except Fault as fault:
            if fault.kind is not FaultKind.UNREACHABLE:
                raise
            data = b"".join(self._chunks(self._reopened(0)))
        return _checked(data, self._entry.size)

    def parts(self, size: int) -> Iterator[bytes]:
        return read_ahead(in_parts(self._chunks(self._opened), size))

    def _chunks(self, opened: Any) -> Iterator[Buffer]:
        """The body as it comes, taken up again after a cut."""
        done, resumed = 0, 0
        stream = opened.stream(min_chunk_size=_CHUNK)
        while done < self._entry.size:
            try:
                chunk = self._next(stream)
                if not chunk:
                    raise Fault(FaultKind.UNREACHABLE, "The answer ended before its time.")
            except Fault as fault:
                resumed += 1
                if not fault.passes or fault.kind is FaultKind.CHANGED or resumed > _RESUMES:
                    raise
                stream = self._reopened(done).stream(min_chunk_size=_CHUNK)
                continue
            done, resumed = done + len(chunk), 0
            yield chunk

    def _next(self, stream: Any) -> Any:
        """The next bytes, as obstore holds them: of a large object every copy of all of it counts."""
        return self._pool.do(GET, lambda _: next(stream, b""))

    def _reopened(self, offset: int) -> Any:
        options: GetOptions = {"if_match": f'"{self._entry.version}"'}
        if offset:
            options["range"] = {"offset": offset}

        def get(clients: Clients) -> Any:
            import obstore

            return obstore.get(clients.values, self._key, options=options)

        return self._pool.do(GET, get)


class PlainReading:
    """An object whose key only boto3 takes: held whole."""

    def __init__(self, entry: Entry, data: bytes) -> None:
        self._entry = entry
        self._data = data

    @property
    def entry(self) -> Entry:
        return self._entry

    def whole(self) -> bytes:
        return _checked(self._data, self._entry.size)

    def parts(self, size: int) -> Iterator[bytes]:
        data = self.whole()
        return iter([data[start : start + size] for start in range(0, len(data), size)])


def in_parts(chunks: Iterator[Buffer], size: int) -> Generator[bytes, None, None]:
    """The same bytes in pieces of ``size``, the last of what is left. What comes in that size goes on as it is, and all
    else is copied once."""
    held: list[memoryview] = []
    length = 0
    for chunk in chunks:
        if not held and isinstance(chunk, bytes) and len(chunk) == size:
            yield chunk
            continue
        rest = memoryview(chunk)
        del chunk
        while length + len(rest) >= size:
            held.append(rest[: size - length])
            rest = rest[size - length :]
            part, held, length = b"".join(held), [], 0
            yield part
            del part
        if rest:
            held.append(rest)
            length += len(rest)
    if length:
        yield b"".join(held)


def read_ahead(parts: Generator[bytes, None, None]) -> Iterator[bytes]:
    """``parts``, each read by a thread before it is asked for."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="asset-values-read-ahead")
    pull: Callable[[], bytes | None] = lambda: next(parts, None)  # noqa: E731 - a name for what is submitted twice
    try:
        waiting: deque[Future[bytes | None]] = deque(pool.submit(pull) for _ in range(_AHEAD))
        for _ in itertools.count():
            part = waiting.popleft().result()
            if part is None:
                return
            waiting.append(pool.submit(pull))
            yield part
            del part
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        parts.close()  # gives its connection back


def _checked(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise Fault(FaultKind.CORRUPT, f"{len(data)} bytes arrived where {size} were announced.")
    return data
