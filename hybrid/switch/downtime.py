"""How long no agent could do the deployment's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Downtime:
    """All moments in seconds since 1970.

    ``switched_at``: when the deployment was told to be HYBRID; from then on Serverless may have gone.
    ``last_heartbeat`` of a Serverless agent, after the switch as before; None: none was seen. ``loaded_at``: when every
    location was first seen loaded on Hybrid.
    """

    switched_at: float
    loaded_at: float
    last_heartbeat: float | None = None

    @property
    def since_switch(self) -> float:
        """The most that it can be: from the switch on, as if Serverless had gone at once."""
        return max(0.0, self.loaded_at - self.switched_at)

    @property
    def seconds(self) -> float:
        """From the last moment at which a Serverless agent could take work. That of its last heartbeat is the last that
        is known; one that goes on after all is loaded leaves no gap."""
        end = max(self.switched_at, self.last_heartbeat or 0.0)
        return max(0.0, self.loaded_at - end)

    def words(self) -> str:
        most = f" (at most {self.since_switch:.0f} s, from the switch on)" if self.since_switch > self.seconds else ""
        return f"downtime {self.seconds:.0f} s{most}"

    def document(self) -> dict[str, Any]:
        return {
            "switched_at": self.switched_at,
            "serverless_last_heartbeat": self.last_heartbeat,
            "loaded_at": self.loaded_at,
            "seconds": round(self.seconds, 1),
            "seconds_since_switch": round(self.since_switch, 1),
        }


def downtime_of(switched: Mapping[str, Any], loaded: Mapping[str, Any], departed: Mapping[str, Any]) -> Downtime | None:
    """From what the journal has of the steps ``switch``, ``loaded`` and ``departure``; None: not over yet."""
    at, then = switched.get("switched_at"), loaded.get("loaded_at")
    if at is None or then is None:
        return None
    heartbeats = [each for each in (loaded.get("last_heartbeat"), departed.get("last_heartbeat")) if each is not None]
    return Downtime(float(at), float(then), max(map(float, heartbeats), default=None))
