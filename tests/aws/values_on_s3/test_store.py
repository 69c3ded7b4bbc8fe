"""Values on S3, against moto as a process of its own: conditions, notes, listings, large values, copies by the
server."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Note, ServerSideCopy
from asset_values.stores.s3 import S3Store
from tests.aws.moto_server import REGION, Moto
from tests.aws.values_on_s3.account import KEYS, NOTE, NOTHING, gets, made, place, refused
from tests.standins.s3.fault_proxy import FaultProxy, Trouble

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

ODD_KEYS = [
    "a b/c d", "a+b", "a%20b", "a%2Fb", "größe/ü", "日本 語", "blue|2024-01-01", "a#b?c=d&e", "x*y", "back\\slash",
    "'quoted' \"twice\"", "a//b", "a/../b", "a/./b", "..", "a\tb", "<a>&b;", "%2e%2e/x", "tilde~", "🙂",
]  # fmt: skip


def test_what_is_put_is_got_back_with_its_note(store: S3Store) -> None:
    version = store.put("raw/orders", b"value", NOTE, NOTHING)
    with store.open("raw/orders") as reading:
        assert reading.whole() == b"value"
        assert (reading.entry.version, reading.entry.size) == (version, 5)
    found = store.head("raw/orders")
    assert found is not None
    assert (found.sha256, found.copied_from, found.version) == (NOTE.sha256, NOTE.copied_from, version)
    assert store.head("raw/other") is None
    assert refused(lambda: store.open("raw/other")).kind is FaultKind.ABSENT


def test_every_key_that_dagster_can_make_is_one_on_s3_and_listed(s3: Moto, bucket: str, store: S3Store) -> None:
    for key in ODD_KEYS:
        store.put(key, key.encode(), Note("v"), NOTHING)
        with store.open(key) as reading:
            assert reading.whole() == key.encode(), key
        assert store.head(key) is not None, key
    found = s3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert {entry["Key"] for entry in found} == {f"assets/{key}" for key in ODD_KEYS}, "as they are, also '..'"
    listed = [entry.key for entry in store.entries()]
    assert sorted(listed) == sorted(ODD_KEYS), "each once, also those that obstore cannot name"


def test_a_listing_goes_page_by_page_below_a_prefix_and_leaves_out_what_is_no_value(
    s3: Moto, bucket: str, store: S3Store
) -> None:
    client = s3.client("s3")
    for key in ("assets/raw/", "assets/raw2/x", "assets/.asset-values/manifest", "elsewhere/x"):
        client.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else b"1")
    store.put("raw/empty", b"", NOTE, NOTHING)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: store.put(f"raw/{number}", b"1", NOTE, NOTHING), range(1005)))
    listed = [entry.key for entry in store.entries("raw")]
    assert sorted(listed) == sorted(["raw/empty", *(f"raw/{number}" for number in range(1005))])
    assert [entry.key for entry in store.entries("raw2")] == ["raw2/x"]
    assert sum(1 for _ in store.entries()) == 1007


@pytest.mark.parametrize("key", ["plain", "with/../dots"])
def test_a_write_whose_condition_does_not_hold_writes_nothing(store: S3Store, key: str) -> None:
    first = store.put(key, b"first", NOTE, NOTHING)
    assert refused(lambda: store.put(key, b"x", NOTE, NOTHING)).kind is FaultKind.CHANGED
    assert refused(lambda: store.put(key, b"x", NOTE, Condition("0" * 32))).kind is FaultKind.CHANGED
    assert refused(lambda: store.put("gone", b"x", NOTE, Condition(first))).kind is FaultKind.CHANGED
    with store.open(key) as reading:
        assert reading.whole() == b"first"
    assert store.put(key, b"second", NOTE, Condition(first)) != first


def test_a_large_value_goes_in_parts_and_comes_in_parts(store: S3Store) -> None:
    data = bytes(range(256)) * (20 << 12)
    pieces = [data[start : start + (3 << 20)] for start in range(0, len(data), 3 << 20)]
    version, digest = store.put_parts("large", iter(pieces), len(data), NOTE, NOTHING)
    assert digest == hashlib.sha256(data).hexdigest()
    with store.open("large") as reading:
        parts = list(reading.parts(8 << 20))
    assert [len(part) for part in parts] == [8 << 20, 8 << 20, 4 << 20]
    assert b"".join(parts) == data
    assert store.digest("large") == (store.head("large"), digest)
    found = store.head("large")
    assert found is not None
    assert (found.version, found.copied_from) == (version, NOTE.copied_from)


@pytest.mark.parametrize("failure", ["condition", "too short", "interrupt", "part refused"])
def test_a_large_value_that_fails_leaves_no_parts_and_what_was_there(
    s3: Moto, bucket: str, store: S3Store, troubled: S3Store, proxy: FaultProxy, failure: str
) -> None:
    store.put("large", b"first", NOTE, NOTHING)
    client = s3.client("s3")

    def parts() -> Iterator[bytes]:
        yield b"a" * (8 << 20)
        assert client.list_multipart_uploads(Bucket=bucket)["Uploads"], "it is on its way"
        if failure == "interrupt":
            raise KeyboardInterrupt
        yield b"b"

    size = (8 << 20) + (2 if failure == "too short" else 1)
    version = store.head("large")
    assert version is not None
    condition = NOTHING if failure == "condition" else Condition(version.version)
    if failure == "part refused":
        proxy.troubles.append(Trouble(lambda seen: "partNumber=2" in seen.path, None, 507, "XMinioStorageFull"))
    expected = {"interrupt": KeyboardInterrupt}.get(failure, Fault)
    with pytest.raises(expected) as caught:
        troubled.put_parts("large", parts(), size, NOTE, condition)
    if failure == "part refused":
        assert caught.value.kind is FaultKind.FULL
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    with store.open("large") as reading:
        assert reading.whole() == b"first"


def test_the_digest_of_a_large_value_is_the_one_that_s3_has_verified(
    s3: Moto, bucket: str, troubled: S3Store, proxy: FaultProxy
) -> None:
    data = b"x" * (9 << 20)
    s3.client("s3").put_object(Bucket=bucket, Key="assets/large", Body=data, ChecksumAlgorithm="SHA256")
    _, digest = troubled.digest("large")
    assert digest == hashlib.sha256(data).hexdigest()
    assert [seen.headers.get("x-amz-checksum-mode") for seen in proxy.seen if seen.method == "HEAD"] == ["ENABLED"]


def test_what_is_written_is_verified_by_s3_and_encrypted_by_the_key_that_was_told(s3: Moto, bucket: str) -> None:
    key = s3.client("kms").create_key()["KeyMetadata"]["Arn"]
    store = S3Store(place(s3.endpoint, bucket, key_arn=key), KEYS)
    client = s3.client("s3")
    store.put("small", b"value", NOTE, NOTHING)
    store.put("do/../ts", b"value", NOTE, NOTHING)
    store.put_parts("large", iter([b"value"]), 5, NOTE, NOTHING)
    entry = store.head("small")
    assert entry is not None
    store.copy_from(store, entry, "copied", NOTHING)
    for name in ("small", "do/../ts", "large", "copied"):
        told = client.head_object(Bucket=bucket, Key=f"assets/{name}", ChecksumMode="ENABLED")
        assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", key), name
    assert client.head_object(Bucket=bucket, Key="assets/small")["BucketKeyEnabled"] is True


def test_what_is_written_carries_its_checksum_which_s3_verifies(troubled: S3Store, proxy: FaultProxy) -> None:
    troubled.put("small", b"value", NOTE, NOTHING)
    troubled.put("do/../ts", b"value", NOTE, NOTHING)
    expected = base64.b64encode(hashlib.sha256(b"value").digest()).decode()
    assert [seen.headers.get("x-amz-checksum-sha256") for seen in proxy.seen] == [expected] * 2


@pytest.fixture(scope="module")
def servers(s3: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Moto]]:
    ignoring = Moto(tmp_path_factory.mktemp("moto-plain"))
    yield {"honours conditions": s3, "ignores conditions": ignoring}
    ignoring.stop()


@pytest.mark.parametrize("kind", ["honours conditions", "ignores conditions"])
def test_a_server_copies_under_conditions_also_where_it_ignores_them(
    servers: dict[str, Moto], kind: str, request: pytest.FixtureRequest
) -> None:
    server = servers[kind]
    source = S3Store(place(server.endpoint, made(server, request, "-s"), "from"), KEYS)
    store = S3Store(place(server.endpoint, made(server, request, "-d")), KEYS)
    assert isinstance(store, ServerSideCopy)
    versions = {}
    for key in ["first", *ODD_KEYS]:
        source.put(key, key.encode(), NOTE, NOTHING)
        entry = source.head(key)
        assert entry is not None
        versions[key] = store.copy_from(source, entry, key, NOTHING)
        copied = store.head(key)
        assert copied is not None
        assert (copied.version, copied.copied_from, copied.sha256) == (versions[key], entry.version, NOTE.sha256)
        with store.open(key) as reading:
            assert reading.whole() == key.encode()
    assert store.can_copy_from(source)
    seen = source.head("first")
    assert seen is not None
    assert refused(lambda: store.copy_from(source, seen, "first", NOTHING)).kind is FaultKind.CHANGED
    assert refused(lambda: store.copy_from(source, seen, "first", Condition("0" * 32))).kind is FaultKind.CHANGED
    assert refused(lambda: store.copy_from(source, seen, "none", Condition("0" * 32))).kind is FaultKind.CHANGED
    source.put("first", b"newer", NOTE, Condition(seen.version))
    fault = refused(lambda: store.copy_from(source, seen, "first", Condition(versions["first"])))
    assert fault.kind is FaultKind.CHANGED, "the source is not the version that was seen any more"
    newer = source.head("first")
    there = store.head("first")
    assert newer is not None
    assert there is not None
    store.copy_from(source, newer, "first", Condition(there.version))
    with store.open("first") as reading:
        assert reading.whole() == b"newer"


def test_a_copy_is_one_request_where_its_conditions_are_honoured(troubled: S3Store, proxy: FaultProxy) -> None:
    for key in ("one", "two"):
        troubled.put(key, b"value", NOTE, NOTHING)
    entries = {entry.key: entry for entry in troubled.entries()}
    troubled.copy_from(troubled, entries["one"], "copies/one", NOTHING)
    proxy.seen.clear()
    troubled.copy_from(troubled, entries["two"], "copies/two", NOTHING)
    assert [seen.method for seen in proxy.seen] == ["PUT"]


@pytest.mark.parametrize("kind", ["honours conditions", "ignores conditions"])
def test_a_large_value_is_copied_by_the_server_in_parts(
    servers: dict[str, Moto], kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asset_values.stores.s3_copies._IN_PARTS", 10 << 20)
    monkeypatch.setattr("asset_values.stores.s3_multipart._COPIED", 6 << 20)
    server = servers[kind]
    store = S3Store(place(server.endpoint, made(server, request)), KEYS)
    data = bytes(range(256)) * (13 << 12)
    store.put("large", data, NOTE, NOTHING)
    entry = store.head("large")
    assert entry is not None
    store.copy_from(store, entry, "copied", NOTHING)
    with store.open("copied") as reading:
        assert reading.whole() == data
    assert refused(lambda: store.copy_from(store, entry, "copied", NOTHING)).kind is FaultKind.CHANGED


def test_a_source_that_the_credentials_cannot_read_or_of_another_kind_is_not_copied_from(
    s3: Moto, store: S3Store, troubled: S3Store, proxy: FaultProxy, bucket: str
) -> None:
    source = S3Store(place(proxy.endpoint, "shared", "source"), KEYS)
    assert not troubled.can_copy_from(source), "there is nothing to read"
    source.put("first", b"1", NOTE, NOTHING)
    assert troubled.can_copy_from(source)
    assert not store.can_copy_from(source), "another endpoint"
    proxy.troubles.append(Trouble(gets("first"), None, 403, "AccessDenied"))
    proxy.seen.clear()
    assert not troubled.can_copy_from(source)
    assert {seen.method for seen in proxy.seen} == {"GET"}, "found out without writing"


def test_five_hundred_values_by_thirty_two_threads_leave_nothing_open(store: S3Store) -> None:
    def there_and_back(number: int) -> bytes:
        data = f"value {number}".encode() * 50
        store.put(f"many/{number}", data, NOTE, NOTHING)
        with store.open(f"many/{number}") as reading:
            return reading.whole() if reading.entry.size == len(data) else b""

    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(there_and_back, range(500)))
    assert got == [f"value {number}".encode() * 50 for number in range(500)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asset-values")]


def test_a_process_that_used_it_ends_as_it_should(s3: Moto) -> None:
    """obstore's bridge to asyncio aborts the interpreter at its end; the calls that are used here do not."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from asset_values.model import Condition, Note\n"
        "from asset_values.stores.credentials import FixedKeys\n"
        "from asset_values.stores.places import S3Place\n"
        "from asset_values.stores.s3 import S3Store\n"
        f"place = S3Place('shared', 'ends', region={REGION!r}, endpoint={s3.endpoint!r})\n"
        "store = S3Store(place, FixedKeys('k', 's'))\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    def put(number):\n"
        "        try: store.put(f'v{number}', b'x', Note('v'), Condition())\n"
        "        except Exception: pass\n"
        "        return store.head(f'v{number}') is not None\n"
        "    assert all(pool.map(put, range(32)))\n"
    )
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
