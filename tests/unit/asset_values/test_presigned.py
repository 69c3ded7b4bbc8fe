"""Values behind signed addresses, against a small server that signs and serves them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asset_values.faults import Fault, FaultKind
from asset_values.stores.presigned import PresignedStore
from tests.emulated.checkout import until

pytestmark = pytest.mark.unit

TOKEN = "agent:acme:0123456789abcdef"
SIGNATURE = "signature-that-nobody-may-see"


class Served:
    """Dagster+ and its storage in one, on two addresses of this machine."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.expired: set[str] = set()
        """Addresses that are refused from now on."""
        self.statuses: dict[str, list[int]] = {}
        """Answers in turn, by ``api`` or ``GET key``, before the usual one."""
        self.cuts: list[int] = []
        """Bytes after which the next bodies end."""
        self.before_resuming: Callable[[], None] = lambda: None
        self.tell_version = True
        self.ranges = True
        self.conditions = True
        self.redirect: str | None = None
        self.asked: list[str] = []
        self.headers: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"served": self})
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.api, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def put(self, key: str, data: bytes) -> None:
        self.values[key] = data
        self.tags[key] = hashlib.md5(data, usedforsecurity=False).hexdigest()

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    served: Served

    def setup(self) -> None:
        super().setup()
        with self.served.lock:
            self.served.connections += 1

    def log_message(self, *_: Any) -> None: ...

    def _serve(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        with self.served.lock:
            self.served.headers.append((address.path, {k.lower(): v for k, v in self.headers.items()}))
        with contextlib.suppress(ConnectionError):
            if address.path == "/gen_io_storage_url":
                self._sign(query)
            else:
                self._value(unquote(address.path).removeprefix("/storage/"), query)

    def _sign(self, query: dict[str, str]) -> None:
        with self.served.lock:
            number = len(self.served.asked)
            self.served.asked.append(unquote(query["key"]))
            status = self.served.statuses.get("api", []).pop(0) if self.served.statuses.get("api") else 200
        if self.headers.get("Dagster-Cloud-Api-Token") != TOKEN:
            status = 401
        path = f"/storage/{quote(unquote(query['key']), safe='')}?n={number}&m={query['method']}&X-Sign={SIGNATURE}"
        self._answer(status, json.dumps({"url": self.served.redirect or self.served.storage + path}).encode())

    def _value(self, key: str, query: dict[str, str]) -> None:
        served = self.served
        waiting = served.statuses.get(f"{self.command} {key}")
        if waiting:
            return self._answer(waiting.pop(0), b"<Error>no</Error>")
        if query.get("n") in served.expired or query.get("m") != self.command:
            return self._answer(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        start = self._range()
        if start:
            served.before_resuming()
        if key not in served.values:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        if served.conditions and self.headers.get("If-Match", served.tags[key]).strip('"') != served.tags[key]:
            return self._answer(412, b"")
        told = {"ETag": f'"{served.tags[key]}"', "Last-Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
        body = served.values[key][start:]
        return self._answer(206 if start else 200, body, told if served.tell_version else {}, cuts=True)

    def _range(self) -> int:
        wanted = self.headers.get("Range")
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.served.ranges else 0

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cuts: bool = False) -> None:
        cut = self.served.cuts.pop(0) if cuts and self.command == "GET" and self.served.cuts else None
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    do_GET = do_HEAD = _serve


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def store(served: Served) -> Iterator[PresignedStore]:
    with PresignedStore(served.api, "prod", lambda: {"Dagster-Cloud-Api-Token": TOKEN}, timeout=5) as store:
        yield store


def refused(work: Callable[[], Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        work()
    error: BaseException | None = caught.value
    assert SIGNATURE not in str(error)
    assert TOKEN not in str(error)
    assert "\n" not in str(error)
    return caught.value


def whole(store: PresignedStore, key: str) -> bytes:
    with store.open(key) as reading:
        return reading.whole()


def test_a_value_is_read_with_what_the_storage_says_of_it(served: Served, store: PresignedStore) -> None:
    served.put("raw/orders", b"value")
    with store.open("raw/orders") as reading:
        assert reading.whole() == b"value"
        assert (reading.entry.version, reading.entry.size) == (served.tags["raw/orders"], 5)
        assert reading.entry.modified == 1796032800.0
    assert store.head("raw/orders") == reading.entry
    assert store.head("raw/other") is None
    fault = refused(lambda: store.open("raw/other"))
    assert fault.kind is FaultKind.ABSENT
    assert "expired or was never stored" in fault.reason


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    | st.sampled_from(["..", ".", "a/../b", "../x", "a//b", "/a", "a/", "%2F", "a+b", "x?y=z#w"]),
    st.binary(max_size=100),
)
def test_any_key_arrives_as_it_is(served: Served, store: PresignedStore, key: str, data: bytes) -> None:
    served.put(key, data)
    assert whole(store, key) == data


def test_one_open_is_two_requests_on_connections_that_are_kept(served: Served, store: PresignedStore) -> None:
    for number in range(20):
        served.put(f"v{number}", b"x" * 1000)
    for number in range(20):
        assert whole(store, f"v{number}") == b"x" * 1000
        assert store.head(f"v{number}") is not None
        with pytest.raises(Fault):
            store.open("missing")
    assert len(served.headers) == 20 * 6
    assert served.connections == 2, "one to each address"


def test_addresses_are_asked_for_ahead_and_used_once(served: Served, store: PresignedStore) -> None:
    keys = [f"v{number}" for number in range(50)]
    for key in keys:
        served.put(key, key.encode())
    store.prefetch(iter(keys))
    until(lambda: len(served.asked) == 50, seconds=10, what="all addresses are asked for")
    assert [whole(store, key) for key in keys] == [key.encode() for key in keys]
    assert len(served.asked) == 50
    assert whole(store, "v1") == b"v1"
    assert len(served.asked) == 51, "an address serves once"


def test_no_more_addresses_are_kept_than_there_is_room_for(served: Served) -> None:
    with PresignedStore(served.api, "prod", lambda: {"Dagster-Cloud-Api-Token": TOKEN}, ahead=5) as store:
        store.prefetch(f"v{number}" for number in range(1_000_000_000))
        until(lambda: len(served.asked) == 5, seconds=10, what="five are asked for")
        store.prefetch(["v6"])
    assert sorted(served.asked) == [f"v{number}" for number in range(5)]


def test_an_address_that_is_old_or_has_expired_is_asked_for_anew_once(served: Served) -> None:
    now = [0.0]
    served.put("v", b"value")
    headers = {"Dagster-Cloud-Api-Token": TOKEN}
    with PresignedStore(served.api, "prod", lambda: headers, clock=lambda: now[0]) as store:
        store.prefetch(["v"])
        until(lambda: served.asked, seconds=10, what="it is asked for")
        served.expired.add("0")
        assert whole(store, "v") == b"value"
        assert len(served.asked) == 2
        store.prefetch(["v"])
        until(lambda: len(served.asked) == 3, seconds=10, what="it is asked for")
        now[0] = 1000.0
        assert whole(store, "v") == b"value"
        assert len(served.asked) == 4, "after so long it is not even tried"
        served.expired |= {str(number) for number in range(100)}
        assert refused(lambda: whole(store, "v")).kind is FaultKind.DENIED
        assert len(served.asked) == 6, "once"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_body_that_is_cut_is_taken_up_where_it_ended(served: Served, store: PresignedStore, ranges: bool) -> None:
    data = bytes(range(256)) * 10_000
    served.put("v", data)
    served.ranges = ranges
    served.cuts = [700_000, 800_000 if not ranges else 100_000]
    assert whole(store, "v") == data
    served.cuts = [1_900_000]
    with store.open("v") as reading:
        parts = list(reading.parts(1_000_000))
    assert [len(part) for part in parts] == [1_000_000, 1_000_000, 560_000]
    assert b"".join(parts) == data


@pytest.mark.parametrize("conditions", [True, False], ids=["with If-Match", "where it is ignored"])
def test_a_value_that_is_replaced_while_it_is_read_is_never_mixed(
    served: Served, store: PresignedStore, conditions: bool
) -> None:
    served.conditions = conditions
    served.put("v", b"a" * 100_000)
    served.cuts = [50_000]
    served.before_resuming = lambda: served.put("v", b"b" * 100_000)
    assert refused(lambda: whole(store, "v")).kind is FaultKind.CHANGED
    served.put("v", b"a" * 100_000)
    served.cuts, served.before_resuming = [50_000], lambda: served.values.pop("v")
    assert refused(lambda: whole(store, "v")).kind is FaultKind.CHANGED


def test_without_a_version_the_bytes_themselves_are_it(served: Served, store: PresignedStore) -> None:
    served.put("v", b"value")
    served.tell_version = False
    with store.open("v") as reading:
        assert reading.whole() == b"value"
        assert reading.entry.version == hashlib.sha256(b"value").hexdigest()
        assert (reading.entry.size, reading.entry.modified) == (5, 0.0)
        assert b"".join(reading.parts(2)) == b"value"


def test_who_is_not_served_is_told_what_it_takes(served: Served) -> None:
    served.put("v", b"value")
    with PresignedStore(served.api, "prod", lambda: {"Dagster-Cloud-Api-Token": "wrong"}) as store:
        fault = refused(lambda: store.open("v"))
    assert (fault.kind, fault.action) == (FaultKind.DENIED, "an agent token that serves this deployment")
    assert "prod" in fault.reason


def test_a_failure_that_passes_is_tried_again_and_told_when_it_stays(served: Served, store: PresignedStore) -> None:
    served.put("v", b"value")
    served.statuses = {"api": [500, 200], "GET v": [503]}
    assert whole(store, "v") == b"value"
    served.statuses = {"GET v": [503] * 3}
    assert refused(lambda: store.open("v")).kind is FaultKind.THROTTLED
    served.statuses = {"api": [502] * 3}
    assert refused(lambda: store.open("v")).kind is FaultKind.UNREACHABLE
    served.statuses = {"api": [400]}
    assert refused(lambda: store.open("v")).kind is FaultKind.OTHER
    served.redirect = f"http://127.0.0.1:9/{SIGNATURE}"
    assert refused(lambda: store.open("v")).kind is FaultKind.UNREACHABLE


def test_the_headers_go_to_dagster_plus_alone(served: Served, store: PresignedStore) -> None:
    served.put("v", b"value")
    assert whole(store, "v") == b"value"
    assert store.head("v") is not None
    storage = [headers for path, headers in served.headers if path.startswith("/storage")]
    assert len(storage) == 2
    assert all(TOKEN not in str(headers) for headers in storage)
    assert store.name == f"{served.api} (prod)"


def test_a_redirect_of_dagster_plus_is_not_followed_with_the_headers(served: Served, store: PresignedStore) -> None:
    other = Served()

    class Elsewhere(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{other.api}/gen_io_storage_url?key=v&method=GET")
            self.send_header("Content-Length", "0")
            self.end_headers()

    moved = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=moved.serve_forever, args=(0.02,), daemon=True).start()
    api = f"http://127.0.0.1:{moved.server_port}"
    with PresignedStore(api, "prod", lambda: {"Dagster-Cloud-Api-Token": TOKEN}) as redirected:
        assert refused(lambda: redirected.open("v")).kind is FaultKind.OTHER
    assert not other.headers
    moved.shutdown()
    moved.server_close()
    other.close()


def test_thirty_two_threads_read_five_hundred_values_and_leave_nothing_open(served: Served) -> None:
    keys = [f"v{number}" for number in range(500)]
    for key in keys:
        served.put(key, key.encode() * 100)
    threads = {thread.name for thread in threading.enumerate()}
    with (
        PresignedStore(served.api, "prod", lambda: {"Dagster-Cloud-Api-Token": TOKEN}) as store,
        ThreadPoolExecutor(32) as pool,
    ):
        store.prefetch(keys)
        assert list(pool.map(lambda key: whole(store, key), keys)) == [key.encode() * 100 for key in keys]
    left = {thread.name for thread in threading.enumerate() if "asset-values" in thread.name}
    assert left - threads == set()
