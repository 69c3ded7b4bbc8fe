"""What is in a resource group of the stand-in that runs: container apps with their revisions, jobs with their
executions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.standins.azure.containers import Container


@dataclass
class Revision:
    """A version of an app."""

    name: str
    template: Mapping[str, Any]
    container: Container


@dataclass
class Thing:
    """A container app or a job."""

    kind: str
    name: str
    body: dict[str, Any]
    made: datetime
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The values of an app's secrets, as its identity could read them."""
    revisions: list[Revision] = field(default_factory=list)
    """Of an app: those that are up, the latest last."""
    count: int = 0
    """How many revisions it has had."""
    started: list[tuple[str, Container]] = field(default_factory=list)
    """Of a job: its executions."""
    stopped: set[str] = field(default_factory=set)
    going: int | None = None
    """While it is deleted: how often it is still shown."""

    @property
    def containers(self) -> list[Container]:
        """All of them, executions too."""
        return [*(each.container for each in self.revisions), *(each for _, each in self.started)]

    @property
    def identities(self) -> list[str]:
        return list((self.body.get("identity") or {}).get("userAssignedIdentities") or {})

    @property
    def state(self) -> str:
        """Of an app, in the word of ``runningStatus``."""
        if self.going is not None:
            return "Deleting"
        latest = self.revisions[-1].container
        return "Progressing" if latest.starting else "Running" if latest.exit_code is None else "Stopped"

    @property
    def provisioning(self) -> str:
        latest = [each.container for each in self.revisions[-1:]]
        if any(each.starting for each in latest):
            return "InProgress"
        return "Failed" if any(each.fault for each in latest) else "Succeeded"


@dataclass(frozen=True)
class Place:
    """The one resource group for apps and jobs."""

    group_id: str
    domain: str = "internal.happy-hill-01234567.westeurope.azurecontainerapps.io"


def template_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Of an app or a job."""
    template: dict[str, Any] = body["properties"]["template"]
    return template


def shown_revision(found: Revision) -> dict[str, Any]:
    """As Azure shows it."""
    latest = found.container
    state = "Processing" if latest.starting else "Running" if latest.exit_code is None else "Failed"
    shown = {"runningState": state, "healthState": "None", "replicas": 1, "active": True, "template": found.template}
    return {"name": found.name, "properties": {**shown, "provisioningError": latest.fault or None}}


def provisioned(thing: Thing) -> str | None:
    """Why an app could not be put; empty: it was; None: it goes on."""
    if thing.provisioning == "InProgress":
        return None
    return next((each.container.fault for each in thing.revisions[-1:]), "")


def ended(containers: Iterable[Container]) -> str | None:
    """An empty text when all have, else None."""
    return "" if all(each.exit_code is not None for each in containers) else None


def until_up(container: Container) -> None:
    waited = threading.Event()
    while container.starting:
        waited.wait(0.1)
