"""What the platform of an agent that does not come up knows of it, and of locations that do not load: for the errors of
a wait. Each platform has a module for it; which one is said by the input ``place`` of ``AgentReady``."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.errors import HybridError, NotReadyError
from hybrid.provider import azure_place, ecs_place, kubernetes_place
from hybrid.provider.definition import Failure, Property, record_failures
from hybrid.provider.properties import UNKNOWN

PLATFORM: Final = "platform"
"""The key of a place that names its platform."""

_EVERY: Final = 10.0  # seconds between two looks at the agent
_SHOWN: Final = 3  # locations that are looked at


@dataclass(frozen=True)
class Told:
    """What a platform tells of an agent or a location. ``next_step``: None when it knows none better."""

    text: str
    next_step: str | None = None


class PlatformDiagnosis(ABC):
    """What can be asked of one platform. A ``HybridError`` of its door means that it does not answer."""

    name: str
    """The platform, as people call it."""

    @abstractmethod
    def refuse_stopped(self) -> None:
        """Raises ``NotReadyError`` when the agent stopped since the first call for a reason that does not pass by
        itself; it is to tell all that the platform knows."""

    @abstractmethod
    def of_agent(self) -> Told | None:
        """Why the agent, which is missing, does not run."""

    @abstractmethod
    def of_locations(self, deployment: str, locations: Sequence[str]) -> Iterator[Told]:
        """Why the code servers of ``locations``, which are not loaded, do not answer."""


@dataclass(frozen=True)
class _Known:
    """A platform: what its places hold, and how one is asked."""

    properties: Mapping[str, Property]
    diagnosis: Callable[[Mapping[str, Any]], PlatformDiagnosis]


def _ecs(place: Mapping[str, Any]) -> PlatformDiagnosis:
    from hybrid.provider.ecs_diagnosis import EcsDiagnosis

    return EcsDiagnosis(place)


def _kubernetes(place: Mapping[str, Any]) -> PlatformDiagnosis:
    from hybrid.provider.kubernetes_diagnosis import KubernetesDiagnosis

    return KubernetesDiagnosis(place)


def _azure(place: Mapping[str, Any]) -> PlatformDiagnosis:
    from hybrid.provider.azure_diagnosis import AzureDiagnosis

    return AzureDiagnosis(place)


_PLATFORMS: Final[Mapping[str, _Known]] = {
    "azure": _Known(azure_place.OF_AGENT, _azure),
    "ecs": _Known(ecs_place.OF_AGENT, _ecs),
    "kubernetes": _Known(kubernetes_place.OF_AGENT, _kubernetes),
}
"""By the text under ``PLATFORM``. A new platform adds a line; its modules are imported when they are needed."""


def wrong_place(place: Mapping[str, Any] | None) -> Iterator[Failure]:
    """For ``check``: what is wrong with the input ``place``, which may hold unknown values."""
    if not isinstance(place, Mapping):
        return
    platform = place.get(PLATFORM)
    if platform is UNKNOWN:
        return
    if not isinstance(platform, str) or platform not in _PLATFORMS:
        said = f"not '{platform}'" if platform else "and is missing"
        yield Failure(f"place.{PLATFORM}", f"must be one of {', '.join(sorted(_PLATFORMS))}, {said}")
        return
    rest = {key: value for key, value in place.items() if key != PLATFORM}
    yield from record_failures(_PLATFORMS[platform].properties, rest, "place.")


class AgentWatch:
    """Looks now and then whether the agent has stopped. ``place``: the input, or None when nobody can be asked.
    ``has_told``: its own error tells all that the platform knows of the agent."""

    def __init__(self, place: Mapping[str, Any] | None) -> None:
        self._diagnosis = _diagnosis_at(place)
        self._next = 0.0
        self.has_told = False

    def look(self) -> None:
        """Raises ``NotReadyError`` when it stopped for good. A platform that cannot be asked ends the looking, and not
        the wait: Dagster+ still tells whether the agent stands."""
        if self._diagnosis is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        try:
            self._diagnosis.refuse_stopped()
        except NotReadyError:
            self.has_told = True
            raise
        except HybridError:
            self._diagnosis = None


def explained(
    error: NotReadyError, place: Mapping[str, Any] | None, deployment: str, locations: Sequence[str], *, agent: bool
) -> NotReadyError:
    """``error`` with what the platform knows: of the agent when ``agent`` says that it is missing, and of the code
    servers of ``locations``, which are not loaded. Where it cannot be asked, the error says so, and nothing is
    raised."""
    diagnosis = _diagnosis_at(place)
    if diagnosis is None:
        return error
    try:
        found = [diagnosis.of_agent()] if agent else []
        found += diagnosis.of_locations(deployment, locations[:_SHOWN]) if locations else ()
    except HybridError as fault:
        return NotReadyError(
            error.what,
            why="\n\n".join(filter(None, (error.why, f"{diagnosis.name} was not asked why: {fault.what}"))),
            next_step=error.next_step,
        )
    told = [one for one in found if one is not None]
    steps = dict.fromkeys(one.next_step for one in told if one.next_step is not None)
    return NotReadyError(
        error.what,
        why="\n\n".join(filter(None, (error.why, *(one.text for one in told)))),
        next_step=f"{' '.join(steps)} Then run `up` again." if steps else error.next_step,
    )


def _diagnosis_at(place: Mapping[str, Any] | None) -> PlatformDiagnosis | None:
    """None also for a platform of another release: what stands is told of without its reasons."""
    known = _PLATFORMS.get(str(place.get(PLATFORM))) if place is not None else None
    return known.diagnosis(place) if known is not None and place is not None else None
