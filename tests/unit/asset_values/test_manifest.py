"""The memory of a copy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asset_values.faults import FaultKind
from asset_values.manifest import (
    Identity,
    Manifest,
    ManifestBusy,
    ManifestMismatch,
    ManifestUnusable,
    PlanConflict,
)
from asset_values.model import Item
from asset_values.row import DONE, Result, State

pytestmark = pytest.mark.unit

IDENTITY = Identity("hooli", "prod", "s3://old/p", "s3://new/assets")


def items(number: int, hint: str | None = "h1", first: int = 0) -> list[Item]:
    return [Item("a", str(i), f"s/{i}", f"d/{i}", hint) for i in range(first, number)]


def copied(manifest: Manifest) -> None:
    manifest.record([Result(row, State.COPIED, "v1", 5.0, 3, "abc", "left", ours=True) for row in manifest.pending()])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stack" / "assets.sqlite"


def test_what_is_recorded_is_there_when_it_is_opened_again(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        assert manifest.plan(items(3)).pending == 3
        copied(manifest)
    with Manifest(path, IDENTITY) as manifest:
        rows = list(manifest.rows())
        assert [row.state for row in rows] == [State.COPIED] * 3
        assert (rows[0].source_version, rows[0].size, rows[0].sha256, rows[0].destination_version) == (
            "v1", 3, "abc", "left",
        )  # fmt: skip
        assert rows[0].ours
        assert rows[0].item == items(1)[0]
        assert manifest.count_pending() == 0


@pytest.mark.parametrize("field", ["organization", "deployment", "source", "destination"])
def test_the_manifest_of_another_copy_is_refused_and_both_are_named(path: Path, field: str) -> None:
    Manifest(path, IDENTITY).close()
    other = Identity(**{**{f: getattr(IDENTITY, f) for f in Identity.__slots__}, field: "other"})
    with pytest.raises(ManifestMismatch, match="another copy") as refused:
        Manifest(path, other)
    assert "'other'" in str(refused.value)
    assert repr(getattr(IDENTITY, field)) in str(refused.value)
    Manifest(path, IDENTITY).close()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_only_an_empty_file_becomes_a_manifest(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    if not content:
        Manifest(path, IDENTITY).close()
        return
    with pytest.raises(ManifestUnusable, match="move it away"):
        Manifest(path, IDENTITY)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    with pytest.raises(ManifestUnusable, match="no manifest"):
        Manifest(path, IDENTITY)
    with pytest.raises(ManifestUnusable, match="no manifest"):
        Manifest.identity_of(path)
    with sqlite3.connect(path) as db:
        assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["theirs"]


def test_a_manifest_of_a_newer_release_is_refused(path: Path) -> None:
    Manifest(path, IDENTITY).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ManifestUnusable, match="newer release"):
        Manifest(path, IDENTITY)


def test_a_second_process_is_refused_until_the_first_has_ended_however_it_ended(path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from asset_values.manifest import Identity, Manifest\n"
        f"m = Manifest(pathlib.Path(sys.argv[1]), {IDENTITY!r})\n"
        "print('open', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        with pytest.raises(ManifestBusy, match="another process"):
            Manifest(path, IDENTITY)
        assert Manifest.identity_of(path) == IDENTITY, "to look is allowed"
        first.kill()
    Manifest(path, IDENTITY).close()


def test_values_no_longer_planned_are_kept_but_not_worked_on(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(5))
        copied(manifest)
        change = manifest.plan(items(7, first=3))
        assert (change.planned, change.added, change.dropped, change.pending) == (4, 2, 3, 2)
        assert manifest.counts().total == 4
        assert len(list(manifest.rows(planned=False))) == 7
        assert [row.planned for row in manifest.rows(planned=False)] == [False] * 3 + [True] * 4
        manifest.plan(items(7))
        assert manifest.count_pending() == 2, "what was done before is not done again"


def test_a_new_hint_makes_a_done_value_pending_and_no_hint_does_not(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(2))
        copied(manifest)
        manifest.plan(items(2, hint=None))
        assert manifest.count_pending() == 0
        assert len(list(manifest.rows(without_hint=True))) == 2
        manifest.plan(items(2, hint="h2"))
        assert [row.done_hint for row in manifest.pending()] == ["h1", "h1"]


def test_another_source_key_is_another_value_but_what_we_left_is_known(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(1))
        copied(manifest)
        manifest.plan([Item("a", "0", "elsewhere", "d/0", "h1")])
        (row,) = manifest.pending()
        assert (row.state, row.source_version, row.destination_version) == (State.PLANNED, None, "left")


def test_two_values_for_one_key_are_refused_and_nothing_has_changed(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(2))
        with pytest.raises(PlanConflict, match="two values would be written to 'd/9'"):
            manifest.plan([*items(4), Item("x", None, "s/x", "d/9"), Item("y", None, "s/y", "d/9")])
        assert manifest.counts().total == 2


def test_a_failure_leaves_what_is_known_of_the_copy_before_it(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(1))
        copied(manifest)
        manifest.plan(items(1, hint="h2"))
        (row,) = manifest.pending()
        manifest.record([Result(row, State.FAILED, reason="no answer", fault=FaultKind.UNREACHABLE)])
        (row,) = manifest.failures()
        assert (row.reason, row.fault, row.source_version, row.sha256) == (
            "no answer", FaultKind.UNREACHABLE, "v1", "abc",
        )  # fmt: skip
        assert (row.destination_version, row.ours, row.done_hint) == ("left", True, "h1")


def test_absent_is_a_failure_only_where_an_event_said_that_it_was_stored(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan([*items(1), *items(2, hint=None, first=1)])
        manifest.record([Result(row, State.ABSENT, reason="nothing") for row in manifest.pending()])
        assert [row.item.partition for row in manifest.failures()] == ["0"]
        assert manifest.counts().failures == 1


def test_recording_while_going_through_brings_no_row_twice(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(1700))
        seen = []
        for row in manifest.pending():
            seen.append(row.id)
            manifest.record([Result(row, State.FAILED, reason="again")])
        assert len(seen) == len(set(seen)) == 1700


def test_a_copy_of_it_is_whole_and_is_a_manifest(path: Path, tmp_path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        manifest.plan(items(10))
        copied(manifest)
        manifest.save_to(tmp_path / "kept")
    with Manifest(tmp_path / "kept", IDENTITY) as manifest:
        assert manifest.counts().values[State.COPIED] == 10


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    Manifest(path, IDENTITY).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_hundred_thousand_values_are_planned_in_seconds(path: Path) -> None:
    with Manifest(path, IDENTITY) as manifest:
        began = time.process_time()
        manifest.plan(iter(items(100_000)))
        assert time.process_time() - began < 5, "about one is usual"
        began = time.process_time()
        assert next(manifest.pending()).item.partition == "0"
        assert time.process_time() - began < 0.5


hinted = st.sampled_from([None, "h1", "h2"])
plans = st.dictionaries(st.integers(0, 5), hinted, max_size=6)
steps = st.lists(st.tuples(plans, st.dictionaries(st.integers(0, 5), st.sampled_from(list(State)))), max_size=6)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_what_is_pending_is_what_a_plain_model_says(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    state: dict[int, tuple[State, str | None]] = {}
    path = tmp_path_factory.mktemp("model") / "m"
    for plan, outcomes in steps:
        with Manifest(path, IDENTITY) as manifest:
            manifest.plan([Item("a", str(i), f"s/{i}", f"d/{i}", hint) for i, hint in plan.items()])
            results = [
                Result(row, outcomes[int(row.item.partition)], "v", destination_version="x")
                for row in manifest.rows()
                if int(row.item.partition or 0) in outcomes
            ]
            manifest.record(results)
            for result in results:
                number = int(result.row.item.partition or 0)
                before = state.get(number, (State.PLANNED, None))[1]
                state[number] = (result.state, plan[number] if result.state in DONE else before)
            expected = {
                number
                for number, hint in plan.items()
                for known, done in [state.get(number, (State.PLANNED, None))]
                if known not in DONE or (hint is not None and hint != done)
            }
            assert {int(row.item.partition or 0) for row in manifest.pending()} == expected
            assert manifest.count_pending() == len(expected)
