"""The page of agents and locations at ``/hybrid``, and the state behind it as JSON at ``/hybrid/state``.

The page is one fixed text: it fetches the state and puts it in as text nodes, so nothing that an agent or a location
says is ever read as HTML. Rests on: ``invented``.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Final

from hybrid.emulator.api.heartbeats import plain
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import AgentRecord, LocationRecord, Organization
from hybrid.redaction import redact

State = dict[str, Any]
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class StatePage:
    """What the page shows, gathered when asked."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader, meter: Meter) -> None:
        self._organization = organization
        self._runtime = runtime
        self._meter = meter

    def state(self) -> State:
        """Times in seconds since the epoch. ``dagster`` is ``loading`` or ``loaded``."""
        organization = self._organization
        deployment = organization.deployment.name
        return {
            "organization": organization.name,
            "deployment": deployment,
            "time": time.time(),
            "dagster": "loaded" if self._runtime.loaded else "loading",
            "agents": [self._agent(record) for record in organization.agents.all(deployment)],
            "locations": [self._location(record) for record in organization.locations.all(deployment)],
            "pending_requests": organization.requests.pending(),
            "unknown": self._meter.unknown(),
            "operations": self._meter.operations(),
        }

    def _agent(self, record: AgentRecord) -> State:
        now = self._organization.agents.now()
        said: State = asdict(record.report)
        for found in [*said["code_servers"], *said["errors"]]:
            found["error"] = _redacted(found["error"]) if found["error"] else None
        return {
            **said,
            "status": record.status(now),
            "heartbeat_age_s": round(now - record.heard_at, 1),
            "version": said["metadata"].get("version"),
        }

    def _location(self, record: LocationRecord) -> State:
        return {
            "name": record.name,
            "image": record.document.get("image"),
            "agent_queue": record.agent_queue,
            "load_state": record.load_state,
            "updated": record.metadata_timestamp,
            "uploaded": record.uploaded_timestamp,
            "error": self._error(record),
        }

    def _error(self, record: LocationRecord) -> Mapping[str, Any] | None:
        if record.error is None:
            return None
        runtime = self._runtime.loaded
        if runtime is None:
            return {"message": "Dagster is loading; the error is shown as soon as it can be read.", "stack": []}
        return _redacted(plain(runtime.read_error(record.error)))


def _redacted(error: Mapping[str, Any]) -> State:
    """An error as it may be shown, its causes too."""
    return {
        "message": redact(error["message"]),
        "stack": [redact(line) for line in error["stack"]],
        "cause": _redacted(error["cause"]) if error.get("cause") else None,
    }


def page() -> str:
    return _template("page")


def sign_in_page(fault: str) -> str:
    """The form that asks for the API token, with what was wrong with the last one."""
    return _template("sign-in").replace("{{fault}}", html.escape(fault))


def content_security_policy(text: str) -> str:
    """Allows a page's own inline script and style by their digests, its own requests, and nothing else."""
    sources: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in _INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        sources[kind].append(f"'sha256-{digest}'")
    allowed = [f"{kind}-src {' '.join(digests) or chr(39) + 'none' + chr(39)}" for kind, digests in sources.items()]
    return "; ".join(
        ["default-src 'none'", *allowed, "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"]
    )


def _template(name: str) -> str:
    return (files("hybrid.emulator") / "html" / f"{name}.html").read_text(encoding="utf-8")
