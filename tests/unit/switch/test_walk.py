"""The journal and the walk: whatever is killed, wherever, the organization ends on one side or the other.

The world is a set of things that are so; each step makes one so and its way back unmakes it. A kill is an exception
that nothing catches, before or after any effect and any line of the journal.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import StackBusyError, UsageError
from hybrid.redaction import Token
from hybrid.switch.journal import Event, Journal, Journey, read_journal
from hybrid.switch.walk import Shown, Walk

pytestmark = pytest.mark.unit

JOURNEY = Journey("acme", "prod", "prod", "p1")
NAMES = ("prepare", "copy", "pause", "switch", "resume")


class Killed(BaseException):
    """What ``kill -9`` is to the code: nothing catches it."""


@dataclass
class World:
    """``fuse``: after so many effects and lines everything ends; None: nothing does."""

    made: set[str] = field(default_factory=set)
    effects: list[str] = field(default_factory=list)
    fuse: int | None = None

    def tick(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed


@dataclass(frozen=True)
class Making:
    name: str
    world: World
    fails: bool = False

    @property
    def title(self) -> str:
        return f"making {self.name}"

    def do(self, facts: Mapping[str, Any], note: Callable[[Mapping[str, Any]], None]) -> None:
        if "before" not in facts:
            note({"before": sorted(self.world.made)})
        self.world.tick()
        if self.fails:
            raise UsageError(f"{self.name} cannot be made.")
        self.world.made.add(self.name)
        self.world.effects.append(self.name)
        self.world.tick()

    def take_back(self, facts: Mapping[str, Any]) -> None:
        self.world.tick()
        self.world.made.discard(self.name)
        self.world.effects.append(f"-{self.name}")
        self.world.tick()


class KilledJournal(Journal):
    """A journal whose process may be killed before and after a line is on disk."""

    world: World

    def note(self, step: str, event: Event, facts: Mapping[str, Any] | None = None) -> Any:
        self.world.tick()
        line = super().note(step, event, facts)
        self.world.tick()
        return line


def walk(path: Path, world: World, way: str, steps: list[Making] | None = None) -> None:
    with KilledJournal(path, JOURNEY) as journal:
        journal.world = world
        walker = Walk(journal, steps or [Making(name, world) for name in NAMES])
        walker.forward() if way == "forward" else walker.back()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["forward", "back"]), st.integers(0, 40)), max_size=8), st.booleans())
def test_killed_anywhere_and_walked_on_it_ends_on_one_side(
    tmp_path_factory: pytest.TempPathFactory, walks: list[tuple[str, int]], goes_forward: bool
) -> None:
    path, world = tmp_path_factory.mktemp("walk") / "switch.jsonl", World()
    for way, fuse in walks:
        world.fuse = fuse
        with contextlib.suppress(Killed):
            walk(path, world, way)
    world.fuse = None
    walk(path, world, "forward" if goes_forward else "back")
    assert world.made == (set(NAMES) if goes_forward else set()), "all of it, or nothing: never between"


def test_every_single_kill_is_walked_on_from(tmp_path: Path) -> None:
    fuse = 0
    while True:
        path, world = tmp_path / f"{fuse}.jsonl", World(fuse=fuse)
        try:
            walk(path, world, "forward")
        except Killed:
            world.fuse = None
            walk(path, world, "forward")
        else:
            break
        assert world.made == set(NAMES), f"killed at moment {fuse}"
        again = [name for name in NAMES if world.effects.count(name) > 1]
        assert len(again) <= 1, f"only the step that was cut off is done again, not {again}"
        fuse += 1
    assert fuse >= 5 * len(NAMES), "there were kills between all effects and lines, else this shows little"


def test_what_was_noted_before_an_effect_survives_a_kill_after_it(tmp_path: Path) -> None:
    path, world = tmp_path / "j", World()
    world.made.add("before")
    world.fuse = 5  # two for BEGUN, two for the note, one before the effect: killed right after it
    with pytest.raises(Killed):
        walk(path, world, "forward")
    assert "prepare" in world.made, "the effect is there, else this test shows nothing"
    world.fuse = None
    walk(path, world, "forward")
    found = read_journal(path)
    assert found is not None
    notes = [line.facts["before"] for line in found[1] if line.step == "prepare" and "before" in line.facts]
    assert notes == [["before"]], "what stood before the first try, and not what the try itself left"


def test_what_was_noted_before_it_was_taken_back_is_not_taken_for_new(tmp_path: Path) -> None:
    path, world = tmp_path / "j", World()
    walk(path, world, "forward")
    walk(path, world, "back")
    world.made.add("other")
    walk(path, world, "forward")
    with Journal(path, JOURNEY) as journal:
        assert journal.facts("prepare") == {"before": ["other"]}, "the second switch begins from what stands then"


def test_a_step_that_fails_ends_the_walk_and_is_where_the_next_begins(tmp_path: Path) -> None:
    path, world = tmp_path / "j", World()
    steps = [Making(name, world, fails=name == "pause") for name in NAMES]
    with pytest.raises(UsageError, match="pause cannot be made"):
        walk(path, world, "forward", steps)
    assert world.effects == ["prepare", "copy"], "nothing after it was begun"
    found = read_journal(path)
    assert found is not None
    assert found[1][-1].event is Event.FAILED
    assert "pause cannot be made" in found[1][-1].facts["reason"]
    walk(path, world, "forward")
    assert world.effects == ["prepare", "copy", "pause", "switch", "resume"], "what was done is not done again"


def test_a_walk_can_end_at_a_step_and_says_what_it_skips(tmp_path: Path) -> None:
    told: list[Shown] = []
    world = World()
    steps = [Making(name, world) for name in NAMES]
    with Journal(tmp_path / "j", JOURNEY) as journal:
        Walk(journal, steps).forward(until="copy")
        Walk(journal, steps, told.append).forward(until="pause")
    assert world.effects == ["prepare", "copy", "pause"]
    assert [(shown.step.name, shown.event, shown.skipped) for shown in told] == [
        ("prepare", Event.DONE, True),
        ("copy", Event.DONE, True),
        ("pause", Event.BEGUN, False),
        ("pause", Event.DONE, False),
    ]


def test_a_journal_says_when_a_way_back_was_left_half_done(tmp_path: Path) -> None:
    path, world = tmp_path / "j", World()
    walk(path, world, "forward")
    world.fuse = 9
    with pytest.raises(Killed):
        walk(path, world, "back")
    with Journal(path, JOURNEY) as journal:
        assert journal.is_going_back, "so that `run --resume` does not turn it round unasked"
    world.fuse = None
    walk(path, world, "back")
    with Journal(path, JOURNEY) as journal:
        assert not journal.is_going_back, "it has come to its end"


def test_another_switch_s_journal_is_refused(tmp_path: Path) -> None:
    walk(tmp_path / "j", World(), "forward")
    for other in (Journey("other", "prod", "prod", "p1"), Journey("acme", "prod", "prod", "p2")):
        with pytest.raises(UsageError, match="of another switch"), Journal(tmp_path / "j", other):
            pass


def test_two_at_once_are_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", JOURNEY) as journal:
        journal.note("prepare", Event.BEGUN)
        with pytest.raises(StackBusyError, match="at work"), Journal(tmp_path / "j", JOURNEY):
            pass
        found = read_journal(tmp_path / "j")
        assert found is not None
        assert found[0] == JOURNEY
    with Journal(tmp_path / "j", JOURNEY):
        pass  # it is free again


def test_a_line_that_was_cut_off_counts_as_not_written(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path, JOURNEY) as journal:
        journal.note("prepare", Event.BEGUN)
        journal.note("prepare", Event.DONE)
    content = path.read_bytes()
    for cut in range(1, len(content.splitlines()[-1])):
        path.write_bytes(content[:-cut])
        with Journal(path, JOURNEY) as journal:
            last = journal.last("prepare")
            assert last is not None
            assert last.event is Event.BEGUN
            journal.note("copy", Event.BEGUN)
        for line in path.read_bytes().splitlines():
            json.loads(line)


def test_a_secret_never_reaches_the_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", JOURNEY) as journal:
        journal.note("prepare", Event.FAILED, {"reason": "token agent:acme:0123456789abcdef0123456789abcdef refused"})
    assert b"0123456789abcdef" not in (tmp_path / "j").read_bytes()


def test_a_name_that_is_also_the_value_of_a_variable_is_read_again_as_it_was(tmp_path: Path) -> None:
    Token("location_of_the_team")  # as when the values of a deployment's variables were asked for
    journey = Journey("acme", "location_of_the_team", "prod", "p1")
    with Journal(tmp_path / "j", journey) as journal:
        journal.note("move", Event.BEGUN, {"moved": {"location_of_the_team": 1.0}})
        journal.note("move", Event.FAILED, {"reason": "it printed location_of_the_team"})
    with Journal(tmp_path / "j", journey) as journal:
        assert journal.facts("move")["moved"] == {"location_of_the_team": 1.0}, "it would be moved again"
        assert journal.facts("move")["reason"] == "it printed [redacted]"


def test_a_journal_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    text = json.dumps({"version": 2, "organization": "acme"}) + "\n"
    (tmp_path / "j").write_text(text)
    with pytest.raises(UsageError, match="version 2"), Journal(tmp_path / "j", JOURNEY):
        pass
    assert (tmp_path / "j").read_text() == text
