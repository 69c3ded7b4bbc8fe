"""Many values copied: what is copied, kept and left, and what it costs."""

from __future__ import annotations

import hashlib
import threading

import pytest

from asset_values.copier import Copier, CopyOptions
from asset_values.manifest import Manifest
from asset_values.model import Item
from asset_values.row import State
from tests.unit.asset_values.bench import IDENTITY

pytestmark = pytest.mark.unit


def test_a_value_costs_one_reading_and_one_writing_and_is_noted(bench) -> None:
    b = bench(200)
    outcome = b.copy()
    assert outcome.ok
    assert b.is_right()
    assert b.operations() == {"open": 200, "put": 200}
    entry = b.destination.stored["d/7"].entry
    assert entry.sha256 == hashlib.sha256(b"value 7").hexdigest()
    assert entry.copied_from == b.source.stored["s/7"].entry.version
    assert outcome.bytes == sum(len(f"value {key}") for key in b.keys)


def test_the_store_copies_by_itself_with_sizes_from_one_listing(bench) -> None:
    b = bench(200, server=True)
    assert b.copy().ok
    assert b.is_right()
    assert b.operations() == {"entries": 1, "copy": 200}


def test_a_rerun_asks_nothing_but_the_list_and_without_one_nothing_at_all(bench) -> None:
    for lists, expected in ((True, {"entries": 1}), (False, {})):
        b = bench(50, lists=lists)
        b.path = b.path.with_name(str(lists))
        b.copy()
        b.forget_calls()
        assert b.copy().ok
        assert b.operations() == expected


def test_what_no_event_tells_of_is_asked_of_a_source_that_cannot_list(bench) -> None:
    b = bench(20, lists=False)
    b.hint = None
    b.copy()
    b.source.write("s/3", b"newer")
    b.forget_calls()
    assert b.copy().ok
    assert b.destination.data("d/3") == b"newer"
    assert b.operations() == {"head": 21, "open": 1, "put": 1}


@pytest.mark.parametrize("server", [True, False])
def test_what_changed_at_the_source_is_found_by_its_list_and_copied(bench, server: bool) -> None:
    b = bench(30, server=server)
    b.copy()
    b.source.write("s/3", b"newer")
    assert b.copy().ok
    assert b.is_right()


def test_again_finds_what_was_removed_from_the_destination(bench) -> None:
    b = bench(10)
    b.copy()
    b.destination.delete("d/3")
    assert b.copy().ok
    assert b.destination.data("d/3") is None, "not asked, as nothing tells of it"
    b.forget_calls()
    assert b.copy(again=True).ok
    assert b.is_right()
    assert b.operations()["open"] == 1, "the others are not read"


@pytest.mark.parametrize("server", [True, False])
def test_a_newer_value_of_somebody_else_is_kept_and_overwritten_only_when_told(bench, server: bool) -> None:
    b = bench(3, server=server)
    b.destination.write("d/1", b"theirs and newer")
    outcome = b.copy()
    assert outcome.ok
    assert outcome.counts.values[State.KEPT] == 1
    assert b.destination.data("d/1") == b"theirs and newer"
    assert b.copy().counts.values[State.KEPT] == 1
    assert b.copy(overwrite_newer=True).counts.values[State.COPIED] == 3
    assert b.is_right()


def test_an_older_value_of_somebody_else_is_replaced_and_an_equal_one_left(bench) -> None:
    b = bench()
    b.destination.write("d/0", b"old")
    b.destination.write("d/1", b"value 1")
    b.keys = ["0", "1"]
    b.source.write("s/0", b"value 0")
    b.source.write("s/1", b"value 1")
    outcome = b.copy()
    assert b.is_right()
    assert outcome.counts.values[State.SAME] == 1
    assert b.destination.stored["d/1"].writer == "foreign"


def test_large_values_go_in_parts_and_empty_ones_whole(bench) -> None:
    b = bench()
    b.keys = ["big", "empty"]
    b.source.write("s/big", bytes(range(256)) * 100)
    b.source.write("s/empty", b"")
    assert b.copy(large=1000, part=300).ok
    assert b.is_right()
    assert b.operations() == {"open": 2, "put_parts": 1, "put": 1}


def test_large_foreign_values_are_compared_by_their_bytes(bench) -> None:
    b = bench(notes=False)
    b.keys = ["same", "other"]
    for key in b.keys:
        b.source.write(f"s/{key}", bytes(5000))
        b.destination.write(f"d/{key}", bytes(5000) if key == "same" else b"x" * 5000)
    outcome = b.copy(large=1000, part=300)
    assert (outcome.counts.values[State.SAME], outcome.counts.values[State.KEPT]) == (1, 1)
    b.source.write("s/other", b"y" * 5000)
    assert b.copy(large=1000, part=300).ok
    assert b.is_right()


def test_values_in_memory_stay_within_the_budget(bench) -> None:
    b = bench()
    held, most, lock = [0], [0], threading.Lock()
    b.keys = [str(i) for i in range(40)]
    for key in b.keys:
        b.source.write(f"s/{key}", key.encode() * 150_000)

    def hold(operation: str, key: str) -> None:
        if operation == "whole":
            with lock:
                held[0] += len(b.source.stored[key].data)
                most[0] = max(most)
                most.append(held[0])

    def release(operation: str, key: str) -> None:
        with lock:
            held[0] -= len(b.destination.stored[key].data)

    b.source.before, b.destination.after = hold, release
    assert b.copy(memory=700_000).ok
    assert b.is_right()
    assert max(most) <= 700_000


def test_a_rate_holds_for_all_threads_together(bench) -> None:
    b, now = bench(100), [0.0]
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            now[0] += seconds

    with Manifest(b.path, IDENTITY) as manifest:
        manifest.plan(Item("a", key, f"s/{key}", f"d/{key}") for key in b.keys)
        options = CopyOptions(threads=1, rate=20)
        outcome = Copier(b.source, b.destination, manifest, options, clock=lambda: now[0], sleep=sleep).run()
    assert outcome.seconds >= 99 / 20 * 0.999


def test_the_next_keys_are_told_to_a_source_that_fetches_ahead(bench) -> None:
    b, ahead = bench(100), list[str]()
    b.source.prefetch = ahead.extend  # type: ignore[attr-defined]
    assert b.copy().ok
    assert sorted(ahead) == sorted(f"s/{key}" for key in b.keys)


def test_what_was_found_the_same_is_not_taken_for_a_copy_of_ours(bench) -> None:
    b = bench(1, notes=False)
    b.destination.write("d/0", b"value 0")
    assert b.copy().counts.values[State.SAME] == 1
    now, b.clock.now = b.clock.now, b.clock.now - 1.5
    b.source.write("s/0", b"stored before theirs, seen after")
    b.clock.now = now
    assert b.copy().counts.values[State.KEPT] == 1
    assert b.destination.data("d/0") == b"value 0", "somebody wrote it after the source's"
