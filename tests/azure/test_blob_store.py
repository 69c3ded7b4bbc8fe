"""Values in a blob container, against Azurite: conditions, notes, large values, faults, whole copies; and read by
Dagster's own IO manager. Azurite is flat: a folder of Data Lake Storage is here a blob with the mark that Azure gives
it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from asset_values.copier import Copier, CopyOptions
from asset_values.ends import end_of
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Identity, Manifest
from asset_values.model import Condition, Item, Note
from asset_values.stores.blob import BlobStore
from asset_values.stores.folder import FolderStore
from asset_values.stores.places import BlobPlace
from asset_values.value_key import value_key
from asset_values.verifier import Verifier
from tests.azure.azurite import ACCOUNT, Azurite, key
from tests.standins.s3.fault_proxy import FaultProxy, Seen, Trouble

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(600)]

NOTE = Note("source version", "ab" * 32)
NOTHING = Condition()
ODD_KEYS = [
    "a b/c d", "a+b", "a%20b", "a%2Fb", "größe/ü", "日本 語", "blue|2024-01-01", "a#b?c=d&e", "x*y",
    "'quoted' \"twice\"", "<a>&b;", "%2e%2e/x", "tilde~", "🙂", ".hidden/x",
]  # fmt: skip
NO_KEYS = ["a//b", "a/../b", "a/./b", "..", "a\tb", "back\\slash", "version1.", "v1./x", "", "/a", "a/", "x" * 1100]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
def container(server: Azurite, request: pytest.FixtureRequest) -> Any:
    """A container of the test's own."""
    return server.container(f"t-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]}")


def store_of(container: Any, endpoint: str, prefix: str = "assets") -> BlobStore:
    return BlobStore(BlobPlace(ACCOUNT, container.container_name, prefix, endpoint), key())


@pytest.fixture
def store(server: Azurite, container: Any) -> BlobStore:
    return store_of(container, server.endpoint)


@pytest.fixture
def proxy(server: Azurite) -> Iterator[FaultProxy]:
    with FaultProxy(server.endpoint.rpartition("/")[0]) as proxy:
        yield proxy


@pytest.fixture
def troubled(proxy: FaultProxy, container: Any) -> BlobStore:
    return store_of(container, f"{proxy.endpoint}/{ACCOUNT}")


def refused(work: Callable[[], Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        work()
    reason = str(caught.value)
    assert "\n" not in reason, "one line"
    assert "sig=" not in reason, "no signed address"
    return caught.value


def test_what_is_put_is_got_back_with_its_note(store: BlobStore) -> None:
    version = store.put("raw/orders", b"value", NOTE, NOTHING)
    with store.open("raw/orders") as reading:
        assert reading.whole() == b"value"
        assert (reading.entry.version, reading.entry.size) == (version, 5)
    found = store.head("raw/orders")
    assert found is not None
    assert (found.sha256, found.copied_from, found.version) == (NOTE.sha256, NOTE.copied_from, version)
    assert store.head("raw/other") is None
    assert refused(lambda: store.open("raw/other")).kind is FaultKind.ABSENT


def test_every_key_is_one_in_azure_and_listed_or_refused_before_anything_is_asked(
    container: Any, store: BlobStore
) -> None:
    for odd in ODD_KEYS:
        store.put(odd, odd.encode(), Note("größe"), NOTHING)
        with store.open(odd) as reading:
            assert reading.whole() == odd.encode(), odd
    assert {blob.name for blob in container.list_blobs()} == {f"assets/{odd}" for odd in ODD_KEYS}, "as they are"
    assert sorted(entry.key for entry in store.entries()) == sorted(ODD_KEYS)
    for wrong in NO_KEYS:
        assert refused(lambda: store.put(wrong, b"", NOTE, NOTHING)).kind is FaultKind.UNUSABLE, wrong  # noqa: B023
    assert len(list(container.list_blobs())) == len(ODD_KEYS), "nothing was written under another name"


def test_a_listing_is_of_whole_names_and_leaves_out_what_is_no_value(container: Any, store: BlobStore) -> None:
    for name in ("assets/raw2/x", "assets/.asset-values/manifest", "elsewhere/x"):
        container.upload_blob(name, b"1")
    container.upload_blob("assets/raw", b"", metadata={"hdi_isfolder": "true"})  # as Azure shows a folder
    store.put("raw/empty", b"", NOTE, NOTHING)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put(f"raw/{number}", b"1", NOTE, NOTHING), range(60)))
    found = list(store.entries("raw"))
    assert sorted(entry.key for entry in found) == sorted(["raw/empty", *(f"raw/{number}" for number in range(60))])
    assert {entry.sha256 for entry in found} == {None}, "a listing tells no notes, as of every store"
    assert [entry.key for entry in store.entries("raw2")] == ["raw2/x"]
    assert sum(1 for _ in store.entries()) == 62
    assert store.head("raw") is None, "a folder is no value"
    assert refused(lambda: store.open("raw")).kind is FaultKind.ABSENT


def test_a_write_whose_condition_does_not_hold_writes_nothing(store: BlobStore) -> None:
    first = store.put("plain", b"first", NOTE, NOTHING)
    assert refused(lambda: store.put("plain", b"x", NOTE, NOTHING)).kind is FaultKind.CHANGED
    assert refused(lambda: store.put("plain", b"x", NOTE, Condition("0x0"))).kind is FaultKind.CHANGED
    assert refused(lambda: store.put("gone", b"x", NOTE, Condition(first))).kind is FaultKind.CHANGED
    with store.open("plain") as reading:
        assert reading.whole() == b"first"
    assert store.put("plain", b"second", NOTE, Condition(first)) != first


def test_a_large_value_goes_in_blocks_whole_or_not_at_all(container: Any, store: BlobStore) -> None:
    data = bytes(range(256)) * (80 << 10)  # 20 MiB: three blocks
    cut = [data[start : start + (3 << 20)] for start in range(0, len(data), 3 << 20)]
    version, digest = store.put_parts("large", iter(cut), len(data), NOTE, NOTHING)
    assert digest == hashlib.sha256(data).hexdigest()
    found = store.head("large")
    assert found is not None
    assert (found.version, found.size, found.sha256) == (version, len(data), NOTE.sha256)
    assert store.digest("large") == (found, digest)
    with store.open("large") as reading:
        assert b"".join(reading.parts(5 << 20)) == data
    assert refused(lambda: store.put_parts("large", iter(cut), len(data), NOTE, NOTHING)).kind is FaultKind.CHANGED
    short = refused(lambda: store.put_parts("short", iter(cut[:-1]), len(data), NOTE, NOTHING))
    assert short.kind is FaultKind.CORRUPT
    assert store.head("short") is None
    assert store.put_parts("large", iter(cut), len(data), NOTE, Condition(version))[0] != version
    assert [blob.name for blob in container.list_blobs()] == ["assets/large"], "blocks of no blob are not listed"


def test_a_value_replaced_while_it_is_read_is_never_mixed(container: Any, store: BlobStore) -> None:
    data = b"a" * (40 << 20)  # more than the first answer brings
    store.put_parts("large", iter([data]), len(data), NOTE, NOTHING)
    with store.open("large") as reading:
        container.upload_blob("assets/large", b"b" * len(data), overwrite=True)
        assert refused(lambda: list(reading.parts(8 << 20))).kind is FaultKind.CHANGED


def test_a_folder_in_the_way_is_said_and_not_waited_for(container: Any, store: BlobStore) -> None:
    container.upload_blob("assets/orders", b"", metadata={"hdi_isfolder": "true"})
    fault = refused(lambda: store.put("orders", b"1", NOTE, NOTHING))
    assert fault.kind is FaultKind.UNUSABLE
    assert "a folder lies where" in str(fault)


def test_a_container_that_is_not_there_and_a_wrong_key_end_the_copy(server: Azurite, container: Any) -> None:
    missing = BlobStore(BlobPlace(ACCOUNT, "no-such", "", server.endpoint), key())
    assert refused(missing.check).kind is FaultKind.MISPLACED
    wrong = {**key(), "account_key": "d3Jvbmc="}
    denied = refused(BlobStore(BlobPlace(ACCOUNT, container.container_name, "", server.endpoint), wrong).check)
    assert (denied.kind, denied.concerns_all) == (FaultKind.DENIED, True)
    assert denied.action == "the role Storage Blob Data Reader"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AuthorizationPermissionMismatch", FaultKind.DENIED),
        (409, "PathConflict", FaultKind.UNUSABLE),
        (409, "ResourceTypeMismatch", FaultKind.UNUSABLE),
        (412, "LeaseIdMissing", FaultKind.CHANGED),
        (400, "Md5Mismatch", FaultKind.CORRUPT),
        (413, "RequestBodyTooLarge", FaultKind.FULL),
    ],
)
def test_what_azure_refuses_is_told_apart(
    proxy: FaultProxy, troubled: BlobStore, status: int, code: str, kind: FaultKind
) -> None:
    proxy.troubles.append(Trouble(lambda seen: seen.method == "PUT", times=None, status=status, code=code))
    fault = refused(lambda: troubled.put("x", b"1", NOTE, NOTHING))
    assert fault.kind is kind
    assert (fault.action == "the role Storage Blob Data Contributor") == (kind is FaultKind.DENIED)


def test_a_busy_server_and_a_cut_answer_are_asked_again(proxy: FaultProxy, troubled: BlobStore) -> None:
    def of(method: str) -> Callable[[Seen], bool]:
        return lambda seen: seen.method == method and "/assets/" in seen.path

    proxy.troubles.append(Trouble(of("PUT"), status=503, code="ServerBusy"))
    troubled.put("x", b"v" * 100_000, NOTE, NOTHING)
    proxy.troubles.append(Trouble(of("GET"), cut=1000))
    with troubled.open("x") as reading:
        assert reading.whole() == b"v" * 100_000


def items(number: int) -> list[Item]:
    return [Item(f"a{n}", None, f"a{n}", f"a{n}") for n in range(number)]


def copied(source: FolderStore, store: BlobStore, manifest: Path, stop: threading.Event | None = None) -> Any:
    with Manifest(manifest, Identity("acme", "prod", source.name, store.name)) as opened:
        opened.plan(items(40))
        ends = stop or threading.Event()
        hears = (lambda progress: ends.set()) if stop else None
        outcome = Copier(source, store, opened, CopyOptions(threads=4), on_progress=hears, stop=ends).run()
        return outcome, Verifier(source, store, opened, None, 4).run()


def test_a_copy_that_is_stopped_goes_on_is_verified_and_finds_what_was_changed(
    tmp_path: Path, container: Any, store: BlobStore
) -> None:
    source = FolderStore(tmp_path / "values")
    for item in items(40):
        source.put(item.source_key, item.asset.encode() * 1000, NOTE, NOTHING)
    stopped, _ = copied(source, store, tmp_path / "m.sqlite", threading.Event())
    assert stopped.stopped
    outcome, verified = copied(source, store, tmp_path / "m.sqlite")
    assert outcome.ok, outcome.failures
    assert verified.ok
    assert verified.looked_at == 40
    assert not verified.by_size_only, "each was compared by checksum"
    with Manifest(tmp_path / "anew.sqlite", Identity("acme", "prod", source.name, store.name)) as anew:
        anew.plan(items(40))
        again = Copier(source, store, anew, CopyOptions(threads=4)).run()
    assert again.counts.failures == 0
    assert {state.value for state, number in again.counts.values.items() if number} == {"same"}, "found there by notes"
    container.upload_blob("assets/a7", b"somebody else's", overwrite=True)
    container.delete_blob("assets/a8")
    with Manifest(tmp_path / "m.sqlite", Identity("acme", "prod", source.name, store.name)) as opened:
        found = Verifier(source, store, opened, None, 4).run()
    assert not found.ok
    assert {finding.row.item.asset for finding in found.findings} == {"a7", "a8"}


def manager_of(server: Azurite, container: Any, prefix: str = "assets") -> Any:
    """Dagster's own, whose clients reach Azurite: reading goes by the blob endpoint in both of Azure's libraries."""
    from azure.storage.blob import BlobServiceClient
    from azure.storage.filedatalake import DataLakeServiceClient
    from dagster_azure.adls2 import PickledObjectADLS2IOManager
    from dagster_azure.adls2.utils import DataLakeLeaseClient

    return PickledObjectADLS2IOManager(
        file_system=container.container_name,
        adls2_client=DataLakeServiceClient(server.endpoint, credential=key()),
        blob_client=BlobServiceClient(server.endpoint, credential=key()),
        lease_client_constructor=DataLakeLeaseClient,
        prefix=prefix,
    )


@pytest.mark.parametrize("partition", [None, "2024-01-01", "a/b", "blue|2024"])
def test_dagsters_own_io_manager_loads_what_was_copied(
    server: Azurite, container: Any, store: BlobStore, partition: str | None
) -> None:
    import pickle

    asset = ["raw", "orders"]
    store.put(value_key(asset, partition), pickle.dumps({"rows": 3}), NOTE, NOTHING)
    manager = manager_of(server, container)
    upstream = dg.AssetSpec(
        asset, partitions_def=None if partition is None else dg.StaticPartitionsDefinition([partition])
    )

    @dg.asset(ins={"orders": dg.AssetIn(key=asset)}, partitions_def=upstream.partitions_def)
    def reader(orders: Any) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"loaded": orders["rows"]})

    definition = dg.io_manager()(lambda _: manager)
    ended = dg.materialize(
        [upstream, reader], selection=[reader], resources={"io_manager": definition}, partition_key=partition
    )
    assert ended.asset_materializations_for_node("reader")[0].metadata["loaded"].value == 3


def test_the_end_of_dagsters_manager_is_the_same_place(server: Azurite, container: Any, store: BlobStore) -> None:
    end = end_of(manager_of(server, container))
    assert end is not None
    store.put("x", b"1", NOTE, NOTHING)
    assert [entry.key for entry in end.opened(2).entries()] == ["x"]  # type: ignore[union-attr]
    assert end.name == store.name
    assert end_of(manager_of(server, container, "/rooted")) is None, "no prefix of a store"
