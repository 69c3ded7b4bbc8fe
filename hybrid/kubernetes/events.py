"""What the cluster's parts said of an object in the last hour, which is as long as most clusters keep it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hybrid.kubernetes.kinds import EVENT
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import NEVER, moment
from hybrid.redaction import redact


@dataclass(frozen=True)
class Event:
    """``kind``: Normal or Warning. ``about`` is the kind and the name of its object: ``Pod/hello-1``. ``count``: how
    often it was said."""

    at: datetime
    kind: str
    reason: str
    message: str
    about: str
    count: int

    @property
    def is_warning(self) -> bool:
        return self.kind == "Warning"

    def text(self) -> str:
        """One line."""
        often = f" (x{self.count})" if self.count > 1 else ""
        return f"{self.reason}: {self.message}{often}"


def events_in(cluster: Cluster, namespace: str, *, of: str = "", prefix: str = "") -> list[Event]:
    """Events of a namespace, oldest first: of the object with the uid ``of``, or of objects whose names begin with
    ``prefix`` (a Deployment's ReplicaSets and pods). Raises ``KubernetesError``."""
    fields = f"involvedObject.uid={of}" if of else ""
    found = [_event(one) for one in cluster.listed(EVENT, namespace, fields=fields)]
    return sorted(_begun(found, prefix), key=lambda event: event.at)


def _begun(found: Iterable[Event], prefix: str) -> list[Event]:
    return [event for event in found if event.about.partition("/")[2].startswith(prefix)]


def _event(given: Any) -> Event:
    about, series = given.get("involvedObject") or {}, given.get("series") or {}
    times = (given.get("lastTimestamp"), series.get("lastObservedTime"), given.get("eventTime"))
    created = (given.get("metadata") or {}).get("creationTimestamp")
    return Event(
        at=next((at for text in (*times, created) if (at := moment(text)) is not None), NEVER),
        kind=str(given.get("type") or ""),
        reason=str(given.get("reason") or ""),
        message=redact(" ".join(str(given.get("message") or "").split())),
        about=f"{about.get('kind') or ''}/{about.get('name') or ''}",
        count=int(given.get("count") or series.get("count") or 1),
    )
