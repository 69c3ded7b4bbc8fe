"""A deployment in memory that takes the calls of pausing, draining and resuming, counts them, and can be killed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Literal

from hybrid.plus import Automations, Backfill, Instigation, PlusNotFound, Run


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def instigation(
    name: str,
    *,
    on: bool = True,
    kind: Literal["schedule", "sensor"] = "schedule",
    by_default: bool = False,
    location: str = "hello",
    ticking_since: float | None = None,
) -> Instigation:
    """``by_default``: its code says that it is on; ``on`` unlike it means that somebody has set it."""
    return Instigation(
        kind=kind, location=location, repository="__repository__", name=name, is_on=on, on_by_default=by_default,
        was_set=on != by_default, state_id=f"state-{kind}-{name}", selector_id=f"selector-{kind}-{name}",
        ticking_since=ticking_since,
    )  # fmt: skip


def run(id: str, status: str = "STARTED") -> Run:
    return Run(id=id, job="job", status=status, started_at=None, ended_at=None, tags={}, location="hello")


@dataclass
class Standing:
    """Call the client's methods on it. ``killed_at``: the number of the changing call at which the caller dies,
    *after* it had its effect, which is the worst moment."""

    instigations: list[Instigation] = field(default_factory=list)
    automation: bool = False
    locations: dict[str, bool] = field(default_factory=lambda: {"hello": True})
    backfills: list[Backfill] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    killed_at: int | None = None
    calls: list[str] = field(default_factory=list)
    deaf: bool = False
    """It takes every order and carries out none."""

    def automations(self) -> Automations:
        return Automations(tuple(self.instigations), automation_paused=not self.automation, use_sensors=False)

    def code_locations(self) -> list[Any]:
        return [SimpleNamespace(name=name, is_loaded=loaded) for name, loaded in self.locations.items()]

    def stop_instigation(self, one: Instigation) -> None:
        self._set(one, on=False, was_set=True, call="stop")

    def start_instigation(self, one: Instigation) -> None:
        self._set(one, on=True, was_set=True, call="start")

    def reset_instigation(self, one: Instigation) -> None:
        (one,) = [each for each in self.instigations if each.selector == one.selector]  # it may just have been started
        self._set(one, on=one.on_by_default, was_set=False, call="reset")

    def pause_automation(self, *, paused: bool) -> None:
        self.automation = not paused
        self._called(f"automation {paused}")

    def backfills_at_work(self) -> list[Backfill]:
        return list(self.backfills)

    def cancel_backfill(self, id: str) -> None:
        self.backfills = [each for each in self.backfills if each.id != id]
        self._called(f"cancel {id}")

    def runs_in_progress(self) -> list[Run]:
        return list(self.runs)

    def terminate_run(self, id: str) -> None:
        self._called(f"terminate {id}")
        if id not in {each.id for each in self.runs}:
            raise PlusNotFound(f"There is no run {id}.")
        if self.deaf:
            return
        self.runs = [replace(each, status="CANCELING") if each.id == id else each for each in self.runs]

    def on(self) -> set[tuple[str, bool]]:
        """Names of what is on, and whether somebody had to say so."""
        return {(each.name, each.was_set) for each in self.instigations if each.is_on}

    def _set(self, one: Instigation, *, on: bool, was_set: bool, call: str) -> None:
        assert one in self.instigations, "it is called with what Dagster+ said a moment ago"
        if not self.deaf:
            self.instigations = [
                replace(each, is_on=on, was_set=was_set) if each == one else each for each in self.instigations
            ]
        self._called(f"{call} {one.name}")

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.killed_at is not None and len(self.calls) == self.killed_at:
            raise Killed


def names(listed: Iterable[Any]) -> list[str]:
    return [each.name for each in listed]
