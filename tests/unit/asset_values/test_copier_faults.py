"""Many values copied, with everything that can go wrong on the way."""

from __future__ import annotations

import threading

import pytest

from asset_values.copier import Copier, CopyOptions
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Manifest
from asset_values.model import Item
from asset_values.progress import Progress
from asset_values.row import State
from tests.unit.asset_values.bench import IDENTITY, failing

pytestmark = pytest.mark.unit


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
    assert (failure.reason or "").startswith("an unexpected RuntimeError at test_copier_faults.py:")
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
