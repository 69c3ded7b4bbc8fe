"""What the engine reports while it works, as values: read from the event log that the CLI writes (one JSON a line).

Source of the shapes: sdk/go/common/apitype/events.go of Pulumi 3.259.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from hybrid.redaction import redact

Operation = Literal[
    "same", "create", "update", "delete", "keep", "replace", "clear", "read", "refresh", "import", "discard"
]
"""``clear``: the old one of a replacement goes; to people that is part of ``replace``. ``keep``: it leaves the state
and stays where it is."""

_OPERATIONS: Final[dict[str, Operation]] = {
    "same": "same",
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "same",  # a mark beside the two steps of a replacement, which follow
    "create-replacement": "replace",
    "delete-replaced": "clear",
    "read": "read",
    "read-replacement": "read",
    "refresh": "refresh",
    "import": "import",
    "import-replacement": "import",
    "discard": "discard",
    "discard-replaced": "clear",
    "remove-pending-replace": "discard",
}


# how the resource LocationImage names the files of a build context
_FILE: Final = re.compile(r'files(?:\.|\[")(.+?)(?:"\])?')


UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a text that only the update itself will know (sdk/go/common/resource/plugin/rpc.go)."""
_AGENTS: Final = "::dagsterhybrid:agent:"
_MAY_RESTART: Final = frozenset({"update", "create-replacement"})


@dataclass(frozen=True)
class ResourceName:
    """A resource as people say it: ``Process emulator``."""

    kind: str
    name: str

    @classmethod
    def from_urn(cls, urn: str) -> ResourceName:
        """``urn:pulumi:local::hybrid::dagsterhybrid:index:Process::emulator`` → kind Process, name emulator."""
        parts = urn.split("::")
        token = parts[2] if len(parts) > 2 else urn
        return cls(kind=token.split("$")[-1].split(":")[-1], name=parts[-1])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class StepStarted:
    """``restarts``: why the agent starts anew with this step, which redeploys every code location; mostly empty."""

    resource: ResourceName
    operation: Operation
    restarts: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepEnded:
    """``changed``: paths of the properties that differ, such as ``files["src/hello/defs.py"]``. ``old`` and ``new`` are
    the resource's states as the engine tells them (``inputs``, ``outputs``), secrets masked, what is not known yet as
    ``UNKNOWN``; None where there is none."""

    resource: ResourceName
    operation: Operation
    failed: bool
    changed: tuple[str, ...] = ()
    urn: str = field(default="", compare=False)
    old: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    new: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is done, for people: files by their names alone, and not what only follows from them."""
        files = tuple(found[1] for path in self.changed if (found := _FILE.fullmatch(path)))
        return files or self.changed


@dataclass(frozen=True)
class Message:
    """A diagnostic. ``ephemeral`` ones are progress of a resource and vanish when it ends."""

    severity: Literal["debug", "info", "warning", "error"]
    text: str
    resource: ResourceName | None
    ephemeral: bool


@dataclass
class AgentRestarts:
    """The steps of one update that start an agent anew, in order; what only follows from another is left out."""

    found: dict[ResourceName, tuple[str, ...]] = field(default_factory=dict)

    def take(self, event: Event) -> tuple[str, ...]:
        """Why this event's step starts an agent anew, if that is news."""
        if not isinstance(event, StepStarted) or not event.restarts or event.resource in self.found:
            return ()
        from stacks.restarts import FOLLOWS

        news = tuple(reason for reason in event.restarts if reason != FOLLOWS or not self.found)
        if news:
            self.found[event.resource] = news
        return news

    def documents(self) -> list[dict[str, Any]]:
        return [{"resource": str(name), "because": list(reasons)} for name, reasons in self.found.items()]


@dataclass(frozen=True)
class PolicyFinding:
    """A rule of a policy pack that a resource breaks; ``resource`` is None for one that the whole stack breaks."""

    policy: str
    pack: str
    level: Literal["mandatory", "advisory"]
    message: str
    """Its first line is why the rule is there; then what is wrong, what to do and how to allow it, as the pack says."""
    resource: ResourceName | None = None

    @property
    def what(self) -> str:
        """What is wrong, in one line."""
        why, _, rest = self.message.partition("\n")
        return rest.partition("\n")[0] or why

    def document(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "level": self.level,
            "resource": str(self.resource) if self.resource else "",
            "message": self.message,
        }


@dataclass(frozen=True)
class Summary:
    """The engine's own last word; its counts include the frame of stack and components."""

    changes: dict[str, int] = field(default_factory=dict)


Event = StepStarted | StepEnded | Message | PolicyFinding | Summary


def parse(line: str) -> Event | None:
    """The event of one line of the log, or None for kinds that say nothing to a person."""
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    if (step := document.get("resourcePreEvent")) and _is_told(step["metadata"]):
        metadata = step["metadata"]
        return StepStarted(ResourceName.from_urn(metadata["urn"]), _operation(metadata), _restarts(metadata))
    for kind, failed in (("resOutputsEvent", False), ("resOpFailedEvent", True)):
        if (step := document.get(kind)) and _is_told(step["metadata"]):
            metadata = step["metadata"]
            changed = tuple(sorted(metadata.get("detailedDiff") or metadata.get("diffs") or ()))
            return StepEnded(
                ResourceName.from_urn(metadata["urn"]),
                _operation(metadata),
                failed,
                changed,
                str(metadata["urn"]),
                metadata.get("old"),
                metadata.get("new"),
            )
    if diagnostic := document.get("diagnosticEvent"):
        return _message(diagnostic)
    if violation := document.get("policyEvent"):
        return _finding(violation)
    if summary := document.get("summaryEvent"):
        return Summary({str(key): int(value) for key, value in (summary.get("resourceChanges") or {}).items()})
    return None


def follow(path: Path, *, ended: Any) -> Iterator[Event]:
    """Events as they are written, until ``ended()`` is true and the file is read to its end.

    A line is yielded only when it is whole: the CLI may be in the middle of writing it.
    """
    import time

    pending, position = "", 0
    while True:
        over = ended()
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as file:
                file.seek(position)
                pending += file.read()
                position = file.tell()
        *lines, pending = pending.split("\n")
        for line in lines:
            if event := parse(line):
                yield event
        if over:
            return
        time.sleep(0.05)


def _is_told(metadata: dict[str, Any]) -> bool:
    """Stacks, components and Pulumi's own providers are a frame around the things that a person knows."""
    state = metadata.get("new") or metadata.get("old") or {}
    return bool(state.get("custom")) and not str(metadata.get("type", "")).startswith("pulumi:")


def _operation(metadata: dict[str, Any]) -> Operation:
    operation = _OPERATIONS.get(str(metadata.get("op")), "same")
    if operation in ("delete", "clear") and (metadata.get("old") or {}).get("retainOnDelete"):
        return "keep"
    return operation


def _restarts(metadata: dict[str, Any]) -> tuple[str, ...]:
    urn, operation = str(metadata["urn"]), str(metadata.get("op"))
    if operation not in _MAY_RESTART or _AGENTS not in urn:
        return ()
    from stacks.restarts import agent_restarts

    paths = {*(metadata.get("detailedDiff") or ()), *(metadata.get("diffs") or ())}
    changed = {path.partition(".")[0].partition("[")[0] for path in paths}
    old, new = ((metadata.get(when) or {}).get("inputs") for when in ("old", "new"))
    return tuple(redact(reason) for reason in agent_restarts(urn, operation, changed, old, new))


def _message(diagnostic: dict[str, Any]) -> Message | None:
    severity = str(diagnostic.get("severity", "info"))
    # the CLI marks colours as <{%fg 1%}>; they are its own and mean nothing here
    text = redact(_without_marks(str(diagnostic.get("message", ""))).strip())
    if not text or severity == "debug":
        return None
    urn = diagnostic.get("urn")
    return Message(
        severity="info" if severity.startswith("info") else severity,  # type: ignore[arg-type]
        text=text,
        resource=ResourceName.from_urn(urn) if urn else None,
        ephemeral=bool(diagnostic.get("ephemeral")),
    )


def _finding(violation: dict[str, Any]) -> PolicyFinding:
    urn = str(violation.get("resourceUrn") or "")
    whole_stack = not urn or "::pulumi:pulumi:Stack::" in urn
    return PolicyFinding(
        policy=str(violation.get("policyName", "")),
        pack=str(violation.get("policyPackName", "")),
        # besides these two there is only "remediate", for what the pack could not put right; the engine goes on then
        level="mandatory" if violation.get("enforcementLevel") == "mandatory" else "advisory",
        message=redact(_without_marks(str(violation.get("message", ""))).strip()),
        resource=None if whole_stack else ResourceName.from_urn(urn),
    )


def _without_marks(text: str) -> str:
    return re.sub(r"<\{%[^%]*%\}>", "", text)
