"""Many values copied, with everything that can go wrong on the way."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asset_values.copier import Copier, CopyOptions, Outcome
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Identity, Manifest
from asset_values.model import Entry, Item, Note
from asset_values.progress import Progress
from asset_values.row import Result, State
from tests.unit.asset_values.memory_store import Clock, CopyingStore, MemoryStore, Stored

pytestmark = pytest.mark.unit

IDENTITY = Identity("hooli", "prod", "memory", "memory")


class Bench:
    """A source, a destination and a manifest, with ``number`` values at the source."""

    def __init__(self, folder: Path, number: int = 0, *, server: bool = False, lists: bool = True, notes: bool = True):
        self.clock = Clock()
        self.source = MemoryStore("source", lists=lists, clock=self.clock)
        self.destination = (CopyingStore if server else MemoryStore)("destination", notes=notes, clock=self.clock)
        self.path = folder / "manifest.sqlite"
        self.keys = [str(i) for i in range(number)]
        for key in self.keys:
            self.source.write(f"s/{key}", f"value {key}".encode())
        self.hint: str | None = "h1"

    def copy(self, stop: threading.Event | None = None, told: list[Progress] | None = None, **options) -> Outcome:
        with Manifest(self.path, IDENTITY) as manifest:
            manifest.plan(Item("a", key, f"s/{key}", f"d/{key}", self.hint) for key in self.keys)
            return Copier(
                self.source,
                self.destination,
                manifest,
                CopyOptions(**{"threads": 8, **options}),
                stop=stop,
                on_progress=told.append if told is not None else None,
                sleep=lambda seconds: None,
            ).run()

    def is_right(self) -> bool:
        return all(self.destination.data(f"d/{key}") == self.source.data(f"s/{key}") for key in self.keys)

    def forget_calls(self) -> None:
        self.source.calls.clear()
        self.destination.calls.clear()

    def operations(self) -> Counter[str]:
        return Counter(operation for operation, _ in self.source.calls + self.destination.calls)


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    return lambda *args, **options: Bench(tmp_path, *args, **options)


def failing(kind: FaultKind, times: int, on: str, keys: Sequence[str] | None = None) -> Callable[[str, str], None]:
    left = Counter[str]()
    lock = threading.Lock()

    def before(operation: str, key: str) -> None:
        if operation == on and (keys is None or key in keys):
            with lock:
                left[key] += 1
                if left[key] > times:
                    return
            raise Fault(kind, "on order", action="s3:GetObject" if kind is FaultKind.DENIED else None)

    return before


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


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.UNREACHABLE, FaultKind.CORRUPT, FaultKind.CHANGED])
@pytest.mark.parametrize(("on", "end"), [("open", "source"), ("whole", "source"), ("put", "destination")])
def test_a_fault_that_passes_is_tried_again(bench, kind: FaultKind, on: str, end: str) -> None:
    b = bench(40)
    getattr(b, end).before = failing(kind, 4, on)
    assert b.copy().ok
    assert b.is_right()


def test_a_fault_that_does_not_end_is_told_with_its_reason_and_the_next_run_goes_on(bench) -> None:
    b = bench(40)
    b.source.before = failing(FaultKind.UNREACHABLE, 10**6, "open", ["s/7"])
    told: list[Progress] = []
    outcome = b.copy(told=told)
    assert not outcome.ok
    (failure,) = outcome.failures
    assert (failure.item.partition, failure.reason, failure.fault) == ("7", "on order", FaultKind.UNREACHABLE)
    assert b.operations()["open"] == 39 + 5, "five attempts"
    assert told[-1].trouble == "a [7]: on order"
    assert (told[-1].done, told[-1].failed) == (39, 1)
    b.source.before = lambda operation, key: None
    b.forget_calls()
    assert b.copy().ok
    assert b.operations()["put"] == 1


@pytest.mark.parametrize("kind", [FaultKind.EXPIRED, FaultKind.FULL, FaultKind.MISPLACED])
def test_what_concerns_all_ends_the_run_and_leaves_the_rest_planned(bench, kind: FaultKind) -> None:
    b = bench(1000)
    b.destination.before = failing(kind, 10**6, "put")
    outcome = b.copy()
    assert outcome.given_up == "on order"
    assert not outcome.ok
    assert outcome.counts.values[State.PLANNED] > 500
    b.destination.before = lambda operation, key: None
    assert b.copy().ok


def test_denied_from_the_first_on_ends_the_run_and_names_the_permission(bench) -> None:
    b = bench(1000)
    b.source.before = failing(FaultKind.DENIED, 10**6, "open")
    outcome = b.copy()
    assert outcome.given_up == "on order (needs s3:GetObject)"
    assert outcome.counts.values[State.PLANNED] > 500


def test_a_single_value_denied_is_its_own_matter(bench) -> None:
    b = bench(300)
    b.source.before = failing(FaultKind.DENIED, 10**6, "open", [f"s/{i}" for i in range(100, 200)])
    outcome = b.copy()
    assert outcome.given_up is None
    assert outcome.counts.values[State.FAILED] == 100
    assert outcome.counts.values[State.COPIED] == 200


def test_no_answer_to_anybody_ends_the_run_long_before_all_were_tried(bench) -> None:
    b = bench(2000)
    b.source.before = failing(FaultKind.UNREACHABLE, 10**6, "open")
    outcome = b.copy(attempts=2)
    assert outcome.given_up == "on order"
    assert outcome.counts.values[State.PLANNED] > 1000


def test_a_store_that_may_not_copy_by_itself_is_read_and_written(bench) -> None:
    b = bench(30, server=True)
    b.destination.before = failing(FaultKind.DENIED, 10**6, "copy")
    assert b.copy().ok
    assert b.is_right()


def test_an_error_that_nobody_foresaw_is_told_without_its_own_words(bench) -> None:
    b = bench(3)

    def before(operation: str, key: str) -> None:
        if key == "s/1":
            raise RuntimeError("https://bucket/key?X-Amz-Signature=secret")

    b.source.before = before
    outcome = b.copy()
    (failure,) = outcome.failures
    assert (failure.reason or "").startswith("an unexpected RuntimeError at test_copier.py:")
    assert "secret" not in (failure.reason or "")


def test_a_value_absent_at_the_source_fails_where_an_event_said_that_it_was_stored(bench) -> None:
    for hint, ok in (("h1", False), (None, True)):
        b = bench(3)
        b.path = b.path.with_name(str(hint))
        b.hint = hint
        b.source.delete("s/1")
        outcome = b.copy()
        assert outcome.ok is ok
        assert outcome.counts.values[State.ABSENT] == 1


def test_absent_at_the_source_but_written_by_somebody_at_the_destination_is_kept(bench) -> None:
    b = bench(2)
    b.source.delete("s/1")
    b.destination.write("d/1", b"theirs")
    outcome = b.copy()
    assert outcome.ok
    assert outcome.counts.values[State.KEPT] == 1


def test_a_copy_of_an_earlier_value_does_not_hide_that_the_new_one_is_lost(bench) -> None:
    b = bench(2)
    b.copy()
    b.source.delete("s/1")
    b.hint = "h2"
    outcome = b.copy()
    assert [row.state for row in outcome.failures] == [State.ABSENT]


def test_a_value_deleted_or_replaced_while_it_is_copied_ends_well(bench) -> None:
    b = bench(2)
    b.source.write("s/0", bytes(100))
    done: list[str] = []

    def before(operation: str, key: str) -> None:
        if operation == "part" and key not in done and key == "s/0":
            done.append(key)
            b.source.write(key, b"x" * 90)

    b.source.before = before
    assert b.copy(large=50, part=20).ok
    assert done
    assert b.is_right()


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


def test_stopped_nothing_new_begins_and_what_was_done_is_recorded(bench) -> None:
    b, stop = bench(2000), threading.Event()

    def after(operation: str, key: str) -> None:
        if len(b.destination.stored) >= 50:
            stop.set()

    b.destination.after = after
    outcome = b.copy(stop=stop)
    assert outcome.stopped
    assert not outcome.ok
    assert outcome.counts.values[State.COPIED] == len(b.destination.stored) < 1500
    assert b.copy().ok
    assert b.operations()["put"] == 2000, "nothing twice"


def test_an_interruption_goes_on_when_what_was_in_work_is_recorded(bench) -> None:
    b = bench(3000)

    def told(progress: Progress) -> None:
        raise KeyboardInterrupt

    with Manifest(b.path, IDENTITY) as manifest:
        manifest.plan(Item("a", key, f"s/{key}", f"d/{key}") for key in b.keys)
        with pytest.raises(KeyboardInterrupt):
            Copier(b.source, b.destination, manifest, CopyOptions(threads=4), on_progress=told).run()
        assert manifest.counts().values[State.COPIED] == len(b.destination.stored)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asset-values")]


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


def test_what_is_replaced_while_it_is_compared_is_looked_at_anew(bench) -> None:
    b = bench(1, notes=False)
    b.destination.write("d/0", b"VALUE 0")

    def before(operation: str, key: str) -> None:
        if operation == "digest" and b.destination.data(key) == b"VALUE 0":
            b.destination.write(key, b"value 0")

    b.destination.before = before
    assert b.copy().counts.values[State.SAME] == 1
    with Manifest.read_only(b.path) as manifest:
        (row,) = manifest.rows()
        assert row.destination_version == b.destination.stored["d/0"].entry.version


def test_what_is_removed_from_the_destination_while_it_is_replaced_is_written(bench) -> None:
    b = bench(1)
    b.copy()
    b.source.write("s/0", b"newer")

    def before(operation: str, key: str) -> None:
        if operation == "put" and key in b.destination.stored:
            b.destination.delete(key)
            raise Fault(FaultKind.ABSENT, "nothing to replace")

    b.destination.before = before
    assert b.copy().ok
    assert b.is_right()


class Killed(BaseException):
    pass


class MortalManifest(Manifest):
    """Ends the run instead of recording, as a kill would: then nothing more is recorded."""

    kill = False

    def record(self, results: Sequence[Result]) -> None:
        if self.kill and results:
            raise Killed
        super().record(results)


class Copies(RuleBasedStateMachine):
    """Our runs, killed or not, between and during which others write at both ends: nothing newer is ever lost."""

    names = ("0", "1", "2")
    name_ = st.sampled_from(names)
    few = st.sampled_from([b"A", b"B", b"C", b"DD"])

    @initialize(server=st.booleans(), lists=st.booleans(), notes=st.booleans())
    def begin(self, server: bool, lists: bool, notes: bool) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), server=server, lists=lists, notes=notes)
        self.bench.keys = list(self.names)
        self.written: dict[str, list[tuple[Entry, bytes]]] = {}
        self.bench.destination.on_replace = self.replaced
        self.lost: list[str] = []
        self.events = 0
        self.foreign = 0
        for name in self.names:
            self.store(name, b"A")

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def replaced(self, old: Stored, note: Note, data: bytes) -> None:
        if old.writer != "foreign" or old.data == data:
            return
        stored = max(entry.modified for entry, _ in self.all_versions() if entry.version == note.copied_from)
        if old.entry.modified >= stored:
            self.lost.append(f"{old.entry} was replaced by a value of {stored}")

    def all_versions(self) -> list[tuple[Entry, bytes]]:
        return [pair for pairs in self.written.values() for pair in pairs]

    @rule(name=name_, data=few)
    def store(self, name: str, data: bytes) -> None:
        """At the source; Dagster tells of it by an event."""
        entry = self.bench.source.write(f"s/{name}", data + name.encode())
        self.written.setdefault(name, []).append((entry, data))
        self.events += 1
        self.bench.hint = f"h{self.events}"

    @rule(name=name_, data=few, ours_again=st.booleans())
    def write_foreign(self, name: str, data: bytes, ours_again: bool) -> None:
        """Somebody writes at the destination; sometimes the very bytes that lie there."""
        there = self.bench.destination.data(f"d/{name}")
        self.bench.destination.write(f"d/{name}", there if ours_again and there else data + name.encode())

    @rule(name=name_)
    def remove_from_destination(self, name: str) -> None:
        self.bench.destination.delete(f"d/{name}")

    @rule(
        kill=st.booleans(),
        again=st.booleans(),
        at=st.none() | st.tuples(st.sampled_from(["open", "whole", "put", "copy", "head", "digest"]), name_),
        meanwhile=st.sampled_from(["foreign", "source"]),
    )
    def copy(self, kill: bool, again: bool, at: tuple[str, str] | None, meanwhile: str) -> None:
        b, done = self.bench, list[str]()

        def before(operation: str, key: str) -> None:
            if at is not None and operation == at[0] and key.endswith(at[1]) and not done:
                done.append(key)
                self.foreign += 1
                unique = f"unique {self.foreign} ".encode()
                if meanwhile == "foreign":
                    b.destination.write(f"d/{at[1]}", unique)
                else:
                    self.store(at[1], unique)

        b.source.before = b.destination.before = before
        with MortalManifest(b.path, IDENTITY) as manifest:
            manifest.plan(Item("a", key, f"s/{key}", f"d/{key}", b.hint) for key in b.keys)
            manifest.kill = kill
            options = CopyOptions(threads=1, again=again)
            copier = Copier(b.source, b.destination, manifest, options, sleep=lambda seconds: None)
            try:
                outcome = copier.run()
                assert outcome.ok, outcome.failures
            except Killed:
                pass
        b.source.before = b.destination.before = lambda operation, key: None

    @rule()
    def end(self) -> None:
        """A run in peace: every value is the source's latest, or somebody's newer one."""
        b = self.bench
        outcome = b.copy(again=True, threads=2)
        assert outcome.ok
        with Manifest.read_only(b.path) as manifest:
            for row in manifest.rows():
                there, here = b.destination.stored[row.item.destination_key], b.source.stored[row.item.source_key]
                if row.state is State.KEPT:
                    newer = there.entry.modified >= here.entry.modified
                    assert newer or there.data == here.data, "kept, though the source's is newer"
                else:
                    assert there.data == here.data, f"{row} is not the source's latest"

    @invariant()
    def nothing_newer_is_lost(self) -> None:
        assert getattr(self, "lost", []) == []


Copies.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
test_runs_kills_and_foreign_writes_in_any_order_lose_nothing = Copies.TestCase
