"""A switch whose process may be killed at any moment, and what a person does then."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybrid.errors import StackBusyError, UsageError
from hybrid.switch.choices import Choices
from hybrid.switch.journal import Event, Journal, read_journal
from hybrid.switch.run import Switching, stage_of
from tests.unit.switch.world import World

FAST = Choices(switch_seconds=60, click_seconds=600, load_seconds=120, departure_seconds=200, agent_seconds=10)


class Mortal(Journal):
    """A journal whose process may be killed before and after a line is on disk."""

    world: World

    def note(self, step: str, event: Event, facts: Mapping[str, Any] | None = None) -> Any:
        self.world.tick()
        line = super().note(step, event, facts)
        self.world.tick()
        return line


class Mortals(Switching):
    def _journal(self) -> Journal:
        plain = super()._journal()
        journal = Mortal(plain.path, plain.journey, now=self.work.now)
        assert isinstance(self.work, World)
        journal.world = self.work
        return journal


def switching(world: World, choices: Choices = FAST, told: list[str] | None = None) -> Switching:
    return Mortals(world, world.folder / "switch.jsonl", choices, (told if told is not None else []).append)


def go(world: World, choices: Choices = FAST, told: list[str] | None = None) -> Journal:
    begun = (world.folder / "switch.jsonl").exists()
    found = read_journal(world.folder / "switch.jsonl") if begun else None
    resume = found is not None and stage_of(found[1]) in ("begun", "done")
    return switching(world, choices, told).forward(resume=resume)


def back(world: World, choices: Choices = FAST, told: list[str] | None = None) -> None:
    """As a person does it, who is told when there is nothing to take back."""
    with contextlib.suppress(UsageError):
        switching(world, choices, told).back()


def onward(world: World, choices: Choices = FAST) -> None:
    """To Hybrid, as a person does it: a way back that was begun is brought to its end first."""
    try:
        go(world, choices)
    except UsageError:
        back(world)
        go(world, choices)
    except StackBusyError:  # killed between the making of the marker and the line with its id
        go(world, replace(choices, take_over=True))


def backward(world: World, choices: Choices = FAST) -> None:
    try:
        switching(world, choices).back()
    except StackBusyError:
        switching(world, replace(choices, take_over=True)).back()
    except UsageError:  # nothing was begun; a marker that stands is the one of a process killed while it made it
        world.marked = None if world.marked and not _has_begun(world) else world.marked


def _has_begun(world: World) -> bool:
    found = read_journal(world.folder / "switch.jsonl")
    return found is not None and stage_of(found[1]) in ("begun", "going_back", "done")
