"""Copies, kills and writes of others in any order: nothing newer is ever lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asset_values.copier import Copier, CopyOptions
from asset_values.manifest import Manifest
from asset_values.model import Entry, Item, Note
from asset_values.row import Result, State
from tests.unit.asset_values.bench import IDENTITY, Bench
from tests.unit.asset_values.memory_store import Stored

pytestmark = pytest.mark.unit


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
