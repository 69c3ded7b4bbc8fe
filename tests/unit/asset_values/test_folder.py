"""Values in a folder: whole or not at all, where their keys say and nowhere else."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Note
from asset_values.stores.folder import DRAFT, FolderStore
from asset_values.value_key import value_key

pytestmark = pytest.mark.unit

NOTE = Note("version")
NOTHING = Condition()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "values"


@pytest.fixture
def store(root: Path) -> FolderStore:
    store = FolderStore(root)
    store.check()
    return store


def refused(work: Callable[[], Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        work()
    assert "\n" not in str(caught.value)
    return caught.value


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_got_back_and_listed(store: FolderStore, root: Path) -> None:
    version = store.put("raw/orders", b"value", NOTE, NOTHING)
    with store.open("raw/orders") as reading:
        assert (reading.whole(), reading.entry.version) == (b"value", version)
        assert list(reading.parts(2)) == [b"va", b"lu", b"e"]
    assert store.head("raw/orders") == next(store.entries())
    assert store.digest("raw/orders") == (store.head("raw/orders"), hashlib.sha256(b"value").hexdigest())
    assert store.head("raw") is None, "a folder is no value"
    assert refused(lambda: store.open("raw")).kind is FaultKind.ABSENT
    assert files(root) == ["raw/orders"], "no draft is left"


names = st.one_of(
    st.text(min_size=1, max_size=20),
    st.sampled_from(["..", ".", "", "a", "%2F", "é", "a|b", " ", "a/b", "../..", "/etc", ".asset-values-x", "x" * 300]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(names, min_size=1, max_size=4), st.binary(max_size=50))
def test_any_key_is_got_back_or_refused_and_nothing_comes_to_lie_outside(parts: list[str], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as outer:
        root = Path(outer, "deep", "values")
        store = FolderStore(root)
        store.check()
        for key in ("/".join(parts), value_key(parts, parts[-1])):
            try:
                store.put(key, data, NOTE, NOTHING)
            except Fault as fault:
                if fault.kind not in (FaultKind.UNUSABLE, FaultKind.CHANGED):
                    raise
            else:
                with store.open(key) as reading:
                    assert reading.whole() == data
                assert key in [entry.key for entry in store.entries()]
        assert {path.split("/")[0] for path in files(Path(outer))} <= {"deep"}
        assert all(path.startswith("deep/values/") for path in files(Path(outer)))


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "a/", "", "a\0b", "n" * 256, "\ud800"])
def test_a_key_that_would_be_another_file_is_refused(store: FolderStore, root: Path, key: str) -> None:
    assert refused(lambda: store.put(key, b"x", NOTE, NOTHING)).kind is FaultKind.UNUSABLE
    assert refused(lambda: store.open(key)).kind is FaultKind.UNUSABLE
    assert files(root.parent) == []


def test_a_link_is_not_followed_out_of_the_folder(store: FolderStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "out").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "sub").mkdir()
    (root / "inside").symlink_to(root / "sub")
    assert refused(lambda: store.put("out/new", b"x", NOTE, NOTHING)).kind is FaultKind.UNUSABLE
    assert refused(lambda: store.open("out/secret")).kind is FaultKind.UNUSABLE
    assert refused(lambda: store.open("file")).kind is FaultKind.UNUSABLE
    assert store.head("file") is None
    assert list(store.entries()) == []
    store.put("inside/new", b"x", NOTE, NOTHING)
    assert files(outside) == ["secret"]


def test_a_key_that_is_a_folder_of_others_is_refused_with_words(store: FolderStore) -> None:
    store.put("a", b"1", NOTE, NOTHING)
    store.put("b/c", b"1", NOTE, NOTHING)
    for key in ("a/b", "a/b/c", "b"):
        fault = refused(lambda key=key: store.put(key, b"2", NOTE, NOTHING))
        assert fault.kind is FaultKind.UNUSABLE, key
        assert "folder" in fault.reason
    assert store.head("a/b") is None


def test_a_write_whose_condition_does_not_hold_writes_nothing(store: FolderStore, root: Path) -> None:
    version = store.put("a", b"1", NOTE, NOTHING)
    for condition in (NOTHING, Condition("other")):
        assert refused(lambda condition=condition: store.put("a", b"2", NOTE, condition)).kind is FaultKind.CHANGED
    assert refused(lambda: store.put("b", b"2", NOTE, Condition(version))).kind is FaultKind.CHANGED
    assert ((root / "a").read_bytes(), files(root)) == (b"1", ["a"])
    newer = store.put("a", b"2", NOTE, Condition(version))
    assert newer != version, "also within one tick of the clock, with the same size"
    found = store.head("a")
    assert found is not None
    assert found.version == newer


def test_of_many_who_write_at_once_one_does(store: FolderStore, root: Path) -> None:
    def wins(number: int) -> bool:
        try:
            store.put("a", str(number).encode(), NOTE, NOTHING)
        except Fault as fault:
            if fault.kind is not FaultKind.CHANGED:
                raise
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        winners = [number for number, won in enumerate(pool.map(wins, range(64))) if won]
    assert [str(number) for number in winners] == [(root / "a").read_text()]


def test_without_hard_links_a_new_value_is_still_written_only_where_nothing_lies(
    store: FolderStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store.put("a", b"1", NOTE, NOTHING)
    assert refused(lambda: store.put("a", b"2", NOTE, NOTHING)).kind is FaultKind.CHANGED
    assert ((root / "a").read_bytes(), files(root)) == (b"1", ["a"])


def test_a_large_value_is_hashed_on_its_way_and_its_length_checked(store: FolderStore, root: Path) -> None:
    parts = [b"a" * 1000, b"b" * 500]
    version, digest = store.put_parts("large", iter(parts), 1500, NOTE, NOTHING)
    assert digest == hashlib.sha256(b"".join(parts)).hexdigest()
    fault = refused(lambda: store.put_parts("large", iter(parts), 1501, NOTE, Condition(version)))
    assert fault.kind is FaultKind.CORRUPT

    def broken() -> Iterator[bytes]:
        yield b"a"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put_parts("other", broken(), 2, NOTE, NOTHING)
    assert files(root) == ["large"]


@pytest.mark.parametrize("way", ["whole", "parts"])
def test_a_value_that_is_changed_in_place_while_it_is_read_is_never_mixed(
    store: FolderStore, root: Path, way: str
) -> None:
    store.put("a", b"1" * 100, NOTE, NOTHING)
    with store.open("a") as reading:
        with (root / "a").open("r+b") as file:
            file.write(b"2" * 50)
        os.utime(root / "a", (1, 1))
        fault = refused(lambda: reading.whole() if way == "whole" else list(reading.parts(10)))
    assert fault.kind is FaultKind.CHANGED


def test_what_a_killed_writer_left_is_no_value_and_is_cleared_away(store: FolderStore, root: Path) -> None:
    code = (
        "import sys, time\n"
        "from asset_values.model import Condition, Note\n"
        "from asset_values.stores.folder import FolderStore\n"
        "def parts():\n"
        "    yield b'half'\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
        "FolderStore(sys.argv[1]).put_parts('raw/a', parts(), 8, Note('v'), Condition())\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    (draft,) = [path for path in (root / "raw").iterdir() if path.name.startswith(DRAFT)]
    assert store.head("raw/a") is None
    assert list(store.entries()) == []
    store.check()
    assert draft.exists(), "it might be of somebody who still writes"
    os.utime(draft, (time.time() - 7200,) * 2)
    store.check()
    assert files(root) == []


def test_a_full_destination_is_told_and_leaves_what_was_there(store: FolderStore, root: Path) -> None:
    version = store.put("a", b"1", NOTE, NOTHING)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        fault = refused(lambda: store.put("a", b"2" * 2000, NOTE, Condition(version)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert fault.kind is FaultKind.FULL
    assert fault.concerns_all
    assert ((root / "a").read_bytes(), files(root)) == (b"1", ["a"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_no_space_is_the_same(store: FolderStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def full(path: Path, mode: str) -> Any:
        return original(Path("/dev/full") if DRAFT in path.name else path, mode.replace("x", "w"))

    monkeypatch.setattr(Path, "open", full)
    assert refused(lambda: store.put("a", b"2" * 2000, NOTE, NOTHING)).kind is FaultKind.FULL
    assert files(root) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(FolderStore(tmp_path / "file" / "values").check).kind is FaultKind.UNUSABLE
