"""Values of a Serverless deployment, behind addresses that Dagster+ signs one by one.

``GET {api_url}/gen_io_storage_url?key=&method=`` with an agent's headers gives ``{"url"}``, the key quoted once more
than HTTP would; then that address (dagster_cloud/serverless/io_manager.py, ``ServerlessPresignedURLIOManager``).
There is no list. A signed address is a secret for as long as it is good: none is in any error.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urljoin

from asset_values.faults import Fault, FaultKind
from asset_values.model import Entry, Reading
from asset_values.stores.s3_reading import in_parts, read_ahead

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_ASKED_AHEAD: Final = 8  # requests for addresses at once
_KEPT: Final = 300.0  # seconds; how long Dagster+'s addresses are good is not said, an hour is S3's usual
_TRIES: Final = 3
_REDIRECTS: Final = 3
_RESUMES: Final = 5
_CHUNK: Final = 1 << 20
_RETRIED: Final = (429, 500, 502, 503, 504)
_REFUSED: Final = (400, 401, 403)  # S3 calls an address that has expired 403, one whose token has, 400


class PresignedStore:
    """A source. For many threads. ``headers`` gives an agent's headers anew for each request to ``api_url``, and these
    go nowhere else, also not after a redirect.

    ``deployment`` is for the name alone: which one is asked is in the headers. ``ahead``: for so many keys addresses
    are kept that ``prefetch`` was told of. Close it (or use it as a context) to end its threads.
    """

    can_list = False

    def __init__(
        self,
        api_url: str,
        deployment: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        threads: int = 32,
        ahead: int = 256,
        timeout: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._deployment = deployment
        self._headers = headers
        self._http = _Http(threads + _ASKED_AHEAD, timeout)
        self._ahead = ahead
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[Future[str], float]] = {}
        self._asking: ThreadPoolExecutor | None = None

    def __enter__(self) -> PresignedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            asking, self._asking = self._asking, None
            self._asked.clear()
        if asking is not None:
            asking.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    @property
    def name(self) -> str:
        return f"{self._api_url} ({self._deployment})"

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        raise Fault(FaultKind.OTHER, "Dagster+ lists no stored values; the event log says which there are.")

    def prefetch(self, keys: Iterable[str]) -> None:
        """Ask for the addresses of what will be opened next. What is beyond the room for them is passed over."""
        with self._lock:
            now = self._clock()
            for key in [key for key, (_, asked) in self._asked.items() if now - asked > _KEPT]:
                self._asked.pop(key)[0].cancel()
            for key in keys:
                if len(self._asked) >= self._ahead:
                    return
                if key not in self._asked:
                    if self._asking is None:
                        self._asking = ThreadPoolExecutor(_ASKED_AHEAD, thread_name_prefix="asset-values-addresses")
                    self._asked[key] = (self._asking.submit(self._address, key, "GET"), now)

    def head(self, key: str) -> Entry | None:
        with self._answer(key, "HEAD") as answer:
            answer.drain_conn()  # so that it serves the next request
            if answer.status == 404:
                return None
            return _entry(key, _good(answer, self.name))

    def open(self, key: str) -> AbstractContextManager[Reading]:
        answer = self._answer(key, "GET")
        try:
            if answer.status == 404:
                raise Fault(FaultKind.ABSENT, "Nothing is stored there in Dagster+: it expired or was never stored.")
            _good(answer, self.name)
        except BaseException:
            answer.drain_conn()
            raise
        return _Opened(self, key, answer)

    def _answer(self, key: str, method: str, headers: Mapping[str, str] | None = None) -> BaseHTTPResponse:
        """What the signed address answers; a new address is asked for once where the first is refused."""
        answer = self._http.request(method, self._kept(key, method) or self._address(key, method), headers)
        if answer.status in _REFUSED:
            answer.drain_conn()
            answer = self._http.request(method, self._address(key, method), headers)
        return answer

    def _kept(self, key: str, method: str) -> str | None:
        with self._lock:
            future, asked = self._asked.pop(key, (None, 0.0)) if method == "GET" else (None, 0.0)
        if future is None or self._clock() - asked > _KEPT or future.cancelled():
            return None
        try:
            return future.result()
        except Fault:
            return None  # asked again, and told if it is refused again

    def _address(self, key: str, method: str) -> str:
        query = urlencode({"key": quote(key, safe="/"), "method": method})
        answer = self._http.request(
            "GET", f"{self._api_url}/gen_io_storage_url?{query}", self._headers(), redirect=False
        )
        with answer:
            body = answer.data
        if answer.status in (401, 403):
            raise Fault(
                FaultKind.DENIED,
                f"Dagster+ gives these headers no stored values of {self._deployment} (status {answer.status}).",
                action="an agent token that serves this deployment",
            )
        _good(answer, self._api_url)
        try:
            return str(json.loads(body)["url"])
        except (ValueError, KeyError, TypeError):
            raise Fault(FaultKind.OTHER, f"{self._api_url} answered with something else than an address.") from None


class _Opened:
    """One value, streamed; taken up again with a new address where it is cut."""

    def __init__(self, store: PresignedStore, key: str, answer: BaseHTTPResponse) -> None:
        self._store = store
        self._key = key
        self._answer = answer
        self._data: bytes | None = None
        if "ETag" in answer.headers and "Content-Length" in answer.headers:
            self.entry = _entry(key, answer)
        else:  # what it is can only be told from its bytes
            self._data = answer.read()
            self.entry = Entry(key, len(self._data), hashlib.sha256(self._data).hexdigest(), _modified(answer))

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        # A body that was not read to its end would come out as the next answer.
        self._answer.close()

    def whole(self) -> bytes:
        return b"".join(self._chunks())

    def parts(self, size: int) -> Iterator[bytes]:
        return read_ahead(in_parts(self._chunks(), size))

    def _chunks(self) -> Iterator[bytes]:
        if self._data is not None:
            yield self._data
            return
        done, resumed = 0, 0
        while done < self.entry.size:
            try:
                chunk = self._store._http.read(self._answer, min(_CHUNK, self.entry.size - done))
            except Fault:
                resumed += 1
                if resumed > _RESUMES:
                    raise
                self._take_up(done)
                continue
            done, resumed = done + len(chunk), 0
            yield chunk

    def _take_up(self, done: int) -> None:
        self._answer.close()
        wanted = {"Range": f"bytes={done}-", "If-Match": f'"{self.entry.version}"'} if done else {}
        self._answer = answer = self._store._answer(self._key, "GET", wanted)
        if answer.status in (404, 412) or (answer.status < 300 and _version(answer) != self.entry.version):
            raise Fault(FaultKind.CHANGED, "The value was replaced in Dagster+ while it was read.")
        _good(answer, self._store.name)
        left = done if answer.status == 200 else 0  # a server without ranges begins anew
        while left:
            left -= len(self._store._http.read(answer, min(_CHUNK, left)))


class _Http:
    """urllib3, with its errors as faults that hold no address."""

    def __init__(self, connections: int, timeout: float) -> None:
        self._connections = connections
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pool: PoolManager | None = None

    def close(self) -> None:
        if self._pool is not None:
            self._pool.clear()

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, *, redirect: bool = True
    ) -> BaseHTTPResponse:
        """``redirect``: follow where else the server says the value lies."""
        answer = self._sent(method, url, headers)
        for _ in range(_REDIRECTS if redirect else 0):
            if not (to := answer.get_redirect_location()):
                break
            answer.drain_conn()
            url = urljoin(url, to)
            answer = self._sent(method, url, headers)
        return answer

    def _sent(self, method: str, url: str, headers: Mapping[str, str] | None) -> BaseHTTPResponse:
        import urllib3

        retries = urllib3.Retry(
            total=_TRIES - 1,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            backoff_factor=0.2,
            backoff_jitter=0.2,
            backoff_max=5,
            respect_retry_after_header=False,  # whoever copies has a pace of its own
            raise_on_status=False,
        )
        try:
            # Not the manager's own request: it takes "." and ".." out of the path that was signed.
            return (
                self._manager()
                .connection_from_url(url)
                .urlopen(
                    method,
                    _target(url),
                    headers=dict(headers or {}),
                    preload_content=False,
                    redirect=False,
                    retries=retries,
                )
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise _unreachable(error) from None

    def read(self, answer: BaseHTTPResponse, size: int) -> bytes:
        """1 to ``size`` bytes. Raises ``Fault`` (UNREACHABLE) when the body ends or is cut."""
        import urllib3

        try:
            data = answer.read(size, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error) from None
        if not data:
            raise Fault(FaultKind.UNREACHABLE, "The answer of Dagster+'s storage ended before its time.")
        return data

    def _manager(self) -> PoolManager:
        import urllib3

        with self._lock:
            if self._pool is None:
                timeout = urllib3.Timeout(connect=min(10.0, self._timeout), read=self._timeout)
                self._pool = urllib3.PoolManager(num_pools=8, maxsize=self._connections, timeout=timeout)
            return self._pool


def _target(url: str) -> str:
    """What is after the host, as it is."""
    rest = url.partition("://")[2].partition("#")[0]
    start = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    return rest[start:] if rest[start : start + 1] == "/" else f"/{rest[start:]}"


def _unreachable(error: Exception) -> Fault:
    return Fault(FaultKind.UNREACHABLE, f"Dagster+ or its storage did not answer ({type(error).__name__}).")


def _good(answer: BaseHTTPResponse, where: str) -> BaseHTTPResponse:
    """The same answer, when it is one with a value. Raises ``Fault``, which says nothing of what was asked."""
    status = answer.status
    if status < 300:
        return answer
    if status in (429, 503):
        raise Fault(FaultKind.THROTTLED, f"{where} asks for fewer requests (status {status}).")
    if status >= 500:
        raise Fault(FaultKind.UNREACHABLE, f"{where} did not answer as it should (status {status}).")
    if status in (401, 403):
        raise Fault(FaultKind.DENIED, f"{where}: the storage refuses the address that Dagster+ gave (status {status}).")
    raise Fault(FaultKind.OTHER, f"{where} refused the request (status {status}).")


def _entry(key: str, answer: Any) -> Entry:
    size = int(answer.headers.get("Content-Length", 0))
    return Entry(key, size, _version(answer) or f"{_modified(answer):.0f}-{size}", _modified(answer))


def _version(answer: Any) -> str:
    return str(answer.headers.get("ETag", "")).removeprefix("W/").strip('"')


def _modified(answer: Any) -> float:
    """0 where it is not told."""
    told = answer.headers.get("Last-Modified")
    try:
        return email.utils.parsedate_to_datetime(told).timestamp() if told else 0.0
    except ValueError:
        return 0.0
