"""The calls about what starts runs by itself: schedules, sensors, Dagster's automation of assets, backfills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hybrid.plus.session import Session
from hybrid.plus.verdict import Json, member

_BACKFILLS: Final = 100  # of one answer
_AT_WORK: Final = ("REQUESTED", "CANCELING")


@dataclass(frozen=True)
class Instigation:
    """A schedule or sensor of a loaded location, as it stands. ``by_default``: it is on because its code says so
    (``default_status``), and nobody has said otherwise. ``state_id`` and ``selector_id`` are Dagster+'s handles to stop
    it; they are another after its location was changed."""

    kind: Literal["schedule", "sensor"]
    location: str
    repository: str
    name: str
    is_on: bool
    on_by_default: bool
    """Whether the code says that it is on."""
    was_set: bool
    """Whether somebody has turned it on or off, whatever the code says."""
    state_id: str
    selector_id: str
    ticking_since: float | None = None
    """When the tick began that is being evaluated and may launch runs yet, in seconds since 1970; None: there is none.
    One that a daemon left when it crashed is never over."""

    @property
    def by_default(self) -> bool:
        return self.is_on and self.on_by_default and not self.was_set

    @property
    def selector(self) -> dict[str, str]:
        """By which the API names it."""
        named = {"repositoryLocationName": self.location, "repositoryName": self.repository}
        return {**named, f"{self.kind}Name": self.name}

    @classmethod
    def all_of(cls, node: Mapping[str, Any]) -> list[Instigation]:
        """Those of one repository."""
        listed: list[tuple[Literal["schedule", "sensor"], str]] = [("schedule", "schedules"), ("sensor", "sensors")]
        return [
            cls(
                kind=kind,
                location=str(node["location"]["name"]),
                repository=str(node["name"]),
                name=str(each["name"]),
                is_on=each[f"{kind}State"]["status"] == "RUNNING",
                on_by_default=each["defaultStatus"] == "RUNNING",
                was_set=bool(each["canReset"]),
                state_id=str(each[f"{kind}State"]["id"]),
                selector_id=str(each[f"{kind}State"]["selectorId"]),
                ticking_since=next((float(tick["timestamp"]) for tick in each[f"{kind}State"]["ticks"]), None),
            )
            for kind, field in listed
            for each in node[field]
        ]


@dataclass(frozen=True)
class Automations:
    """What starts runs by itself in a deployment. ``automates_assets``: whether Dagster's daemon materializes assets by
    their automation conditions without a sensor; where sensors do it (``use_sensors``, as in all new deployments) the
    daemon's own switch means nothing."""

    instigations: tuple[Instigation, ...]
    automation_paused: bool
    use_sensors: bool

    @property
    def automates_assets(self) -> bool:
        return not self.use_sensors and not self.automation_paused

    @classmethod
    def of(cls, data: Json) -> Automations:
        found = member("HybridAutomations", data["repositoriesOrError"], "RepositoryConnection")
        listed = [each for node in found["nodes"] for each in Instigation.all_of(node)]
        return cls(
            tuple(sorted(listed, key=lambda each: (each.location, each.repository, each.kind, each.name))),
            automation_paused=bool(data["instance"]["autoMaterializePaused"]),
            use_sensors=bool(data["instance"]["useAutoMaterializeSensors"]),
        )


@dataclass(frozen=True)
class Backfill:
    """A backfill that is not over: ``status`` is REQUESTED or CANCELING, ``of`` what it is a backfill of."""

    id: str
    status: str
    partitions: int | None
    of: str

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Backfill:
        assets = ["/".join(key["path"]) for key in answer["assetSelection"] or ()]
        return cls(
            id=str(answer["id"]),
            status=str(answer["status"]),
            partitions=answer["numPartitions"],
            of=", ".join(assets) or str(answer["partitionSetName"] or "a job"),
        )


class Automating(Session):
    """See ``PlusClient``."""

    def automations(self) -> Automations:
        """The schedules and sensors of all loaded locations with their state. Of a location that failed to load none is
        known."""
        return self._parsed("HybridAutomations", Automations.of)

    def stop_instigation(self, one: Instigation) -> None:
        """Turn it off, whatever its code says."""
        operation, field, wanted = _STOP[one.kind]
        self._chosen(
            operation, field, wanted, lambda stopped: None,
            {"originId": one.state_id, "selectorId": one.selector_id},
        )  # fmt: skip

    def start_instigation(self, one: Instigation) -> None:
        """Turn it on, whatever its code says."""
        operation, field, wanted = _START[one.kind]
        self._chosen(operation, field, wanted, lambda started: None, {"selector": one.selector})

    def reset_instigation(self, one: Instigation) -> None:
        """Let its code say again whether it is on."""
        operation, field, wanted = _RESET[one.kind]
        self._chosen(operation, field, wanted, lambda reset: None, {"selector": one.selector})

    def pause_automation(self, *, paused: bool) -> None:
        """Whether Dagster's daemon materializes assets by their automation conditions, where no sensor does it."""
        self._parsed("HybridPauseDeclarativeAutomation", lambda data: None, {"paused": paused})

    def backfills_at_work(self) -> list[Backfill]:
        """Backfills that may still launch runs, or are being canceled."""
        found: list[Backfill] = []
        for status in _AT_WORK:
            cursor: str | None = None
            while True:
                page = self._chosen(
                    "HybridBackfills", "partitionBackfillsOrError", "PartitionBackfills",
                    lambda answer: [Backfill.from_answer(each) for each in answer["results"]],
                    {"status": status, "cursor": cursor, "limit": _BACKFILLS},
                )  # fmt: skip
                found += page
                if len(page) < _BACKFILLS:
                    break
                cursor = page[-1].id
        return found

    def cancel_backfill(self, backfill_id: str) -> None:
        """Let it launch no further run; its runs in progress are ended."""
        self._chosen(
            "HybridCancelBackfill", "cancelPartitionBackfill", "CancelBackfillSuccess", lambda canceled: None,
            {"backfillId": backfill_id},
        )  # fmt: skip


_Call = tuple[str, str, str]  # operation, field, the member of its union that means that it was done
_STOP: Final[Mapping[str, _Call]] = {
    "schedule": ("HybridStopSchedule", "stopRunningSchedule", "ScheduleStateResult"),
    "sensor": ("HybridStopSensor", "stopSensor", "StopSensorMutationResult"),
}
_START: Final[Mapping[str, _Call]] = {
    "schedule": ("HybridStartSchedule", "startSchedule", "ScheduleStateResult"),
    "sensor": ("HybridStartSensor", "startSensor", "Sensor"),
}
_RESET: Final[Mapping[str, _Call]] = {
    "schedule": ("HybridResetSchedule", "resetSchedule", "ScheduleStateResult"),
    "sensor": ("HybridResetSensor", "resetSensor", "Sensor"),
}
