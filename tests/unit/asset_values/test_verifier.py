"""What lies at a destination held against what was copied."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Manifest
from asset_values.model import Note
from asset_values.row import State
from asset_values.verifier import Found, Verification, Verifier
from tests.unit.asset_values.bench import Bench, failing
from tests.unit.asset_values.memory_store import Stored

pytestmark = pytest.mark.unit


def verify(bench: Bench, *, source: bool = True, **options) -> Verification:
    before = bench.path.read_bytes()
    with Manifest.read_only(bench.path) as manifest:
        found = Verifier(
            bench.source if source else None, bench.destination, manifest, sleep=lambda seconds: None, **options
        ).run()
    assert bench.path.read_bytes() == before, "to verify writes nothing"
    return found


def corrupt(bench: Bench, key: str, data: bytes) -> None:
    """Other bytes under the same version, as a failing disk leaves them."""
    stored = bench.destination.stored[key]
    bench.destination.stored[key] = Stored(data, stored.entry, stored.writer)


@pytest.fixture(params=[False, True], ids=["through here", "by the store"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, 30, server=request.param)
    assert bench.copy().ok
    return bench


def test_what_was_copied_is_right_and_nothing_is_written(bench: Bench) -> None:
    bench.forget_calls()
    found = verify(bench)
    assert found.ok
    assert found.counts[Found.OK] == found.looked_at == 30
    assert found.by_size_only == 0
    assert not {"put", "copy", "put_parts"} & set(bench.operations())


def test_each_kind_of_deviation_is_found_and_named(bench: Bench) -> None:
    bench.destination.delete("d/1")
    bench.destination.write("d/3", b"somebody's")
    bench.source.write("s/4", b"newer")
    found = verify(bench)
    assert {finding.row.item.partition: finding.found for finding in found.findings} == {
        "1": Found.MISSING,
        "3": Found.NEWER,
        "4": Found.CHANGED_SINCE,
    }
    assert not found.ok


def test_other_bytes_under_the_same_version_differ(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 5, notes=False)
    assert bench.copy().ok
    corrupt(bench, "d/2", b"VALUE 2")
    corrupt(bench, "d/3", b"")
    found = verify(bench, source=False)
    assert {finding.row.item.partition for finding in found.findings} == {"2", "3"}
    assert found.counts[Found.DIFFERS] == 2
    assert not found.ok


def test_newer_and_changed_since_are_told_but_are_no_fault(bench: Bench) -> None:
    bench.destination.write("d/3", b"somebody's")
    bench.source.write("s/4", b"newer")
    found = verify(bench)
    assert found.ok
    assert (found.counts[Found.NEWER], found.counts[Found.CHANGED_SINCE]) == (1, 1)
    assert verify(bench, source=False).counts[Found.CHANGED_SINCE] == 0


def test_what_was_not_copied_is_not_ok(bench: Bench) -> None:
    bench.keys.append("30")
    bench.source.write("s/30", b"late")
    bench.source.before = lambda operation, key: _refuse(key)
    assert not bench.copy().ok
    bench.source.before = lambda operation, key: None
    found = verify(bench)
    assert not found.ok
    assert found.counts[Found.NOT_COPIED] == 1
    assert found.findings[0].reason == "refused"


def _refuse(key: str) -> None:
    if key == "s/30":
        raise Fault(FaultKind.OTHER, "refused")


def test_a_kept_value_is_newer(bench: Bench) -> None:
    bench.destination.write("d/3", b"somebody's")
    bench.source.write("s/3", b"older still")
    bench.destination.write("d/3", b"somebody's")
    assert bench.copy().counts.values[State.KEPT] == 1
    assert verify(bench).counts[Found.NEWER] == 1


def test_a_sample_is_the_same_for_the_same_seed(bench: Bench) -> None:
    def looked_at(seed: int) -> set[str]:
        bench.forget_calls()
        assert verify(bench, sample=7, seed=seed).looked_at == 7
        return {key for operation, key in bench.destination.calls if operation == "digest"}

    assert looked_at(1) == looked_at(1)
    assert looked_at(1) != looked_at(2)
    assert verify(bench, sample=1000).looked_at == 30


def test_faults_that_pass_are_tried_again_and_others_are_found(bench: Bench) -> None:
    bench.destination.before = failing(FaultKind.THROTTLED, 3, "digest")
    assert verify(bench).ok
    bench.destination.before = failing(FaultKind.DENIED, 10**6, "digest", ["d/1"])
    found = verify(bench)
    assert found.counts[Found.UNKNOWN] == 1
    assert not found.ok
    assert "s3:GetObject" in str(found.findings[0].reason)


def test_stopped_it_ends_and_says_so(tmp_path: Path) -> None:
    bench, stop = Bench(tmp_path, 1000), threading.Event()
    bench.copy()
    bench.destination.before = lambda operation, key: stop.set()
    found = verify(bench, stop=stop, threads=2)
    assert found.stopped
    assert not found.ok
    assert found.looked_at < 1000


def test_without_a_checksum_and_without_the_source_the_size_alone_is_compared(tmp_path: Path) -> None:
    bench = Bench(tmp_path, server=True, notes=False)
    bench.keys = [str(i) for i in range(5)]
    for key in bench.keys:
        bench.source.write(f"s/{key}", key.encode() * 10)
    assert bench.copy().ok
    assert verify(bench, source=False).by_size_only == 5
    assert verify(bench).by_size_only == 0


def test_the_note_that_a_copy_leaves_does_not_vouch_for_the_bytes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)
    assert bench.copy().ok
    assert bench.destination.stored["d/0"].entry.sha256 is not None
    corrupt(bench, "d/0", b"VALUE 0")
    assert verify(bench).counts[Found.DIFFERS] == 1


def test_a_copy_of_ours_with_other_bytes_than_recorded_differs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)
    assert bench.copy().ok
    version = bench.source.stored["s/0"].entry.version
    bench.destination._store("d/0", b"half of", Note(version), "ours")
    assert verify(bench).counts[Found.DIFFERS] == 1
