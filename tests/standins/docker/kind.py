"""What every resource type of the stand-in can do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import docker
import docker.errors
from hybrid.provider.properties import Properties
from tests.standins.docker.logins import Logins
from tests.standins.docker.shape import Property

_IN_USE_SECONDS: Final = 30.0  # as long as the plugin waits for a network or volume that is still in use
_LOOK: Final = 0.2


class PluginError(Exception):
    """Told to the person at the engine."""


class PartialError(PluginError):
    """Created, but not as it should be: the engine keeps ``id`` and the next update takes it away."""

    def __init__(self, text: str, id: str, outputs: Properties) -> None:
        super().__init__(text)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True)
class Session:
    """One call's way to the engine."""

    client: docker.DockerClient
    logins: Logins
    warn: Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What the engine has. ``inputs``: those that differ from what was given, or all when nothing was given."""

    id: str
    outputs: Properties
    inputs: Properties = field(default_factory=dict)


class Kind(ABC):
    """A resource type. Inputs are plain values; a failure is PluginError or the engine's own error."""

    token: str
    properties: Mapping[str, Property]
    computed: tuple[str, ...]
    named = True
    """Whether a name is made up when none is given."""

    @abstractmethod
    def create(self, session: Session, inputs: Properties) -> Found: ...

    @abstractmethod
    def read(self, session: Session, id: str, inputs: Properties) -> Found | None: ...

    def update(self, session: Session, id: str, old: Properties, inputs: Properties) -> Found:
        raise PluginError(f"a {self.token} is not changed in place")

    @abstractmethod
    def delete(self, session: Session, id: str, inputs: Properties) -> None: ...


def removed(remove: Callable[[], object], in_use: str) -> None:
    """Remove, waiting while ``in_use`` is what stands in the way. What is gone already is fine."""
    until = time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            remove()
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if in_use not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_LOOK)
        else:
            return


def labels(given: list[dict[str, str]] | None) -> dict[str, str]:
    """Labels as the engine takes them, from the SDK's list."""
    return {item["label"]: item["value"] for item in given or []}


def as_labels(given: Mapping[str, str] | None) -> list[dict[str, str]]:
    """The SDK's list, from the engine's labels."""
    return [{"label": key, "value": value} for key, value in sorted((given or {}).items())]
