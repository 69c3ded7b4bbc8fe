"""Progress of an update: a line for each thing done, and on a terminal a moving line for what is being done."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from hybrid.engine import events
from hybrid.redaction import redact

_VERBS: Final = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
    "keep": ("keeping", "kept"),
    "replace": ("replacing", "replaced"),
    "clear": ("removing the old", "removed the old"),
    "read": ("reading", "read"),
    "refresh": ("refreshing", "refreshed"),
    "import": ("importing", "imported"),
    "discard": ("letting go", "let go"),
    "same": ("checking", "unchanged"),
}
_REASONS_SHOWN: Final = 6
RESTARTS: Final = "restarts the agent and so redeploys every location"
_QUIET: Final = frozenset({"same", "read", "refresh"})


class UpdateProgress:
    """Takes the engine's events. In a preview the verbs say what would be done."""

    def __init__(self, console: Console, *, preview: bool = False) -> None:
        self._console = console
        self._preview = preview
        self._begun: dict[events.ResourceName, float] = {}
        self._waiting: dict[events.ResourceName, str] = {}
        self._said: set[str] = set()
        self._restarts = events.AgentRestarts()
        self._status: Status | None = None

    def __enter__(self) -> UpdateProgress:
        if self._console.is_terminal:
            self._status = self._console.status("starting Pulumi's engine")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.StepStarted(resource=resource, operation=operation):
                self._begun[resource] = time.monotonic()
                if operation not in _QUIET:
                    self._waiting[resource] = f"{_VERBS[operation][0]} {resource}"
                if reasons := self._restarts.take(event):
                    self._line("!", "yellow", f"{RESTARTS}: because of {_listed(reasons)}")
            case events.StepEnded():
                self._ended(event)
            case events.Message():
                self._message(event)
            case events.PolicyFinding():
                self._finding(event)
            case events.Summary():
                self._waiting.clear()
        self._refresh()

    def _ended(self, step: events.StepEnded) -> None:
        self._waiting.pop(step.resource, None)
        if step.operation in _QUIET and not step.failed:
            return
        took = time.monotonic() - self._begun.pop(step.resource, time.monotonic())
        if step.failed:
            self._line("✗", "red", f"{_VERBS[step.operation][0]} {step.resource} failed", took)
        elif self._preview and step.operation == "clear":
            return  # the line of its replacement says it
        elif self._preview:
            mark = "+" if step.operation == "create" else "~"
            self._line(mark, "yellow", f"{step.operation} {step.resource}{_because(step.reasons)}")
        else:
            self._line("✓", "green", f"{_VERBS[step.operation][1]} {step.resource}", took)

    def _finding(self, finding: events.PolicyFinding) -> None:
        mark, style = ("✗", "red") if finding.level == "mandatory" else ("!", "yellow")
        where = f" ({finding.resource})" if finding.resource else ""
        why, _, rest = finding.message.partition("\n")
        told = "\n".join(f"  {line}" for line in rest.splitlines())
        self._line(mark, style, f"{finding.policy}{where}: {why}{f'{chr(10)}{told}' if told else ''}")

    def _message(self, message: events.Message) -> None:
        if message.ephemeral and message.resource is not None:
            self._waiting[message.resource] = f"{message.resource}: {message.text}"
            if self._status is None and self._is_new(message.text):
                self._line("…", "dim", message.text)
        elif message.severity == "warning":
            # the engine tells of a plugin each time that it starts it
            if self._is_new(f"{message.resource}: {message.text}"):
                self._line("!", "yellow", message.text)
        elif message.severity == "info" and message.resource is not None:
            self._line("·", "dim", f"{message.resource}: {message.text}")

    def _is_new(self, text: str) -> bool:
        """Whether it was not said in this update."""
        known = text in self._said
        self._said.add(text)
        return not known

    def _line(self, mark: str, style: str, text: str, took: float | None = None) -> None:
        line = Text(f"{mark} ", style=style) + Text(redact(text))
        if took is not None and took >= 0.05:
            line += Text(f"  {took:.1f} s", style="dim")
        self._console.print(line)

    def _refresh(self) -> None:
        if self._status is not None:
            first = next(reversed(self._waiting.values()), "working")
            others = f" (and {len(self._waiting) - 1} more)" if len(self._waiting) > 1 else ""
            self._status.update(Text(redact(first.splitlines()[0][:160]) + others))


def _because(reasons: tuple[str, ...]) -> str:
    return f"  ({_listed(reasons)})" if reasons else ""


def _listed(reasons: tuple[str, ...]) -> str:
    rest = len(reasons) - _REASONS_SHOWN
    return f"{', '.join(reasons[:_REASONS_SHOWN])}{f' and {rest} more' if rest > 0 else ''}"
