"""The live table of a switch: what stands above it stays, and what moves beside it says at which step it is."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from hybrid.cli.switch_table import StepTable
from hybrid.switch.journal import Event
from hybrid.switch.walk import Shown, Step

pytestmark = pytest.mark.unit

STEPS = [("first", "look whether it can begin"), ("second", "stand up the stack"), ("third", "see it RUNNING")]
UP = "\x1b[1A"


@dataclass
class Named:
    name: str
    title: str


def shown(number: int, event: Event) -> Shown:
    return Shown(cast(Step, Named(*STEPS[number])), event)


def console(width: int = 80, *, terminal: bool = True) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=width, color_system=None)


def text_of(on: Console) -> str:
    return cast(StringIO, on.file).getvalue()


def test_lines_that_were_written_aside_are_not_written_over() -> None:
    on = console()
    with StepTable(on, STEPS) as table:
        table(shown(0, Event.BEGUN))
        table(shown(0, Event.DONE))
        table(shown(1, Event.BEGUN))
        with table.aside():
            on.print("created a token")
        table(shown(1, Event.DONE))
    after = text_of(on).partition("created a token")[2]
    assert "look whether" in after, "the table is there again"
    assert UP not in after.partition("look whether")[0], "it began above what was written meanwhile"


def test_what_moves_aside_stands_below_the_step_that_it_belongs_to_once() -> None:
    on = console()
    with StepTable(on, STEPS) as table:
        table(shown(0, Event.DONE))
        table(shown(1, Event.BEGUN))
        for _ in range(2):
            with table.aside():
                on.print("asked")
    assert text_of(on).count("… 2/3 stand up the stack: at it\n") == 1


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width: int) -> None:
    from hybrid.switch.steps import BY_QUEUE
    from hybrid.switch.steps import STEPS as ALL

    for kinds in (ALL, BY_QUEUE):
        on = console(width)
        with StepTable(on, [(kind.name, kind.title) for kind in kinds]) as table:
            for kind in kinds:
                table(Shown(cast(Step, Named(kind.name, kind.title)), Event.TAKEN_BACK))
        last = text_of(on).splitlines()[-len(kinds) :]
        assert all(kind.title in line for kind, line in zip(kinds, last, strict=True)), "a title was broken"


def test_without_a_terminal_each_event_is_a_line() -> None:
    on = console(terminal=False)
    with StepTable(on, STEPS) as table:
        table(shown(0, Event.BEGUN))
        table(shown(0, Event.DONE))
        with table.aside():
            on.print("created a token")
    assert text_of(on).splitlines()[0] == "… 1/3 look whether it can begin: at it"
    assert "✓ 1/3" in text_of(on)
