"""The steps of a switch as people see them: a live table on a terminal, else a line for each event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hybrid.switch.journal import Event
from hybrid.switch.walk import Shown

_OPEN: Final = "…"
_WORDS: Final = {
    Event.BEGUN: (_OPEN, "yellow", "at it"),
    Event.DONE: ("✓", "green", "done"),
    Event.FAILED: ("✗", "red", "failed"),
    Event.TAKING_BACK: (_OPEN, "yellow", "going back"),
    Event.TAKEN_BACK: ("↩", "cyan", "taken back"),
}


class StepTable:
    """``steps`` are names and titles, in their order."""

    def __init__(self, console: Console, steps: list[tuple[str, str]]) -> None:
        self._console = console
        self._titles = dict(steps)
        self._shown: dict[str, Shown] = {}
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._live: Live | None = None
        self._said: str | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._console.is_terminal and self._shown:
            self._console.print(self._table())

    def __call__(self, shown: Shown) -> None:
        name = shown.step.name
        self._shown[name] = shown
        if shown.event in (Event.BEGUN, Event.TAKING_BACK):
            self._begun[name] = time.monotonic()
        elif name in self._begun:
            self._took[name] = time.monotonic() - self._begun[name]
        if not self._console.is_terminal and not shown.skipped:
            self._line(shown)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While something else moves on the terminal, below a line that says at which step it is."""
        if self._live is None:
            yield
            return
        self._stop()
        at_work = next((each for each in self._shown.values() if _WORDS[each.event][0] == _OPEN), None)
        if at_work is not None and at_work.step.name != self._said:
            self._said = at_work.step.name
            self._line(at_work)
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        # one that was stopped and is started again would write over the lines above it
        self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=4, transient=True)
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _line(self, shown: Shown) -> None:
        mark, style, word = _WORDS[shown.event]
        number = list(self._titles).index(shown.step.name) + 1
        took = self._took.get(shown.step.name)
        seconds = f"  {took:.1f} s" if took is not None and mark != _OPEN else ""
        text = f"{number}/{len(self._titles)} {shown.step.title}: {word}{seconds}"
        self._console.print(Text(f"{mark} ", style=style) + Text(text))

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for justify in ("left", "left", "left", "right"):
            table.add_column(justify=justify)
        for name, title in self._titles.items():
            shown = self._shown.get(name)
            if shown is None:
                table.add_row("·", Text(title, style="dim"), "", "")
                continue
            mark, style, word = _WORDS[shown.event]
            is_open = mark == _OPEN
            took = time.monotonic() - self._begun[name] if is_open else self._took.get(name)
            seconds = "" if took is None else f"{took:.1f} s"
            table.add_row(Text(mark, style=style), title, "before" if shown.skipped else word, seconds)
        return table
