"""A plan: the steps of a switch in their order, what they need and take, bound to one state of one deployment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from hybrid.errors import UsageError
from hybrid.switch.organization import OrganizationState

SCHEMA: Final = 1
"""Of the saved form; one that is not this is not read."""
MOST_BYTES: Final = 16 * 1024 * 1024

_PARTS: Final = {
    "agent_type": "the deployment's agent type",
    "locations": "a code location's document",
    "variables": "an environment variable, or its scopes",
    "on": "which schedules and sensors are on",
    "automates_assets": "whether assets are automated",
    "settings": "the deployment's settings",
    "non_isolated_runs": "whether non-isolated runs are allowed",
}


class StalePlanError(UsageError):
    """The deployment is not what it was when the plan was made."""


class Strategy(StrEnum):
    """How the locations go over."""

    BY_QUEUE = "by_queue"
    """One at a time, to an agent queue of the stack's own; the agent type changes last."""
    AT_ONCE = "at_once"
    """All at the moment at which the agent type changes."""


class State(StrEnum):
    """Of a prerequisite."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Undo(StrEnum):
    """Whether a step can be taken back."""

    FREE = "free"
    """It changes nothing that anybody uses, or back is the same as forth."""
    WITH_DOWNTIME = "with_downtime"
    """It can, and code is without an agent for a while."""
    NO = "no"
    """What it does stays done."""


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds, from a good to a bad day. ``high`` None: nobody knows, and ``why`` says what it depends on."""

    low: float
    high: float | None
    why: str = ""

    def plus(self, other: Span) -> Span:
        high = None if self.high is None or other.high is None else self.high + other.high
        return Span(self.low + other.low, high)


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """Something that has to be so. ``words`` say what is; ``next_step`` what to do where it is not ok."""

    name: str
    state: State
    words: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step, by the name that the journal has. ``needs`` are names of prerequisites."""

    name: str
    title: str
    does: str
    if_it_fails: str
    undo: Undo
    how_undone: str
    takes: Span
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What has to be done about a finding before the switch, or can be. ``files`` are what ``--write`` would write or
    has written; ``open`` whether any of them is not as proposed, or hands are needed."""

    kind: str
    weight: str
    where: str
    location: str | None
    title: str
    files: tuple[str, ...]
    by_hand: tuple[str, ...]
    afterwards: tuple[str, ...]
    open: bool


@dataclass(frozen=True)
class Plan:
    """``inspected_at`` and ``made_at`` in UTC, ISO 8601; ``parts`` has a SHA-256 of each part of the state, by which a
    stale plan says what has changed. ``locations`` are those that Dagster+ had."""

    stack: str
    organization: str
    deployment: str
    url: str
    fingerprint: str
    parts: dict[str, str]
    inspected_at: str
    made_at: str
    strategy: Strategy
    why_strategy: str
    locations: tuple[str, ...]
    prerequisites: tuple[Prerequisite, ...]
    steps: tuple[PlannedStep, ...]
    tasks: tuple[Task, ...]
    downtime: Span
    assumptions: tuple[str, ...]
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """SHA-256 of the whole plan, in hexadecimal: the journal of a switch names it."""
        return _sha256(self._values())

    @property
    def missing(self) -> tuple[Prerequisite, ...]:
        return tuple(each for each in self.prerequisites if each.state is State.MISSING)

    def document(self) -> dict[str, Any]:
        """As JSON can say it. ``parse`` of it is this plan again."""
        return {**self._values(), "digest": self.digest}

    def _values(self) -> dict[str, Any]:
        from pydantic import TypeAdapter  # not at the top: commands that only print help need not load it

        found: dict[str, Any] = TypeAdapter(Plan).dump_python(self, mode="json")
        return {"schema": found.pop("schema"), **found}

    @classmethod
    def parse(cls, document: object) -> Plan:
        """Raises ``UsageError`` for what is no plan of this schema, and for one that somebody edited."""
        from pydantic import TypeAdapter, ValidationError

        if not isinstance(document, dict) or "fingerprint" not in document or "steps" not in document:
            raise _not_one("it has no `fingerprint` and `steps`.")
        if document.get("schema") != SCHEMA:
            raise _not_one(f"its schema is {str(document.get('schema'))[:20]}, not {SCHEMA}.")
        claimed = document.get("digest")
        try:
            found = TypeAdapter(cls).validate_python({key: each for key, each in document.items() if key != "digest"})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise _not_one(f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}.") from None
        if found.digest != claimed or document.keys() != found.document().keys():
            raise _not_one("its digest is not that of what it holds: it was edited, or cut off.")
        return found

    @classmethod
    def read(cls, path: Path) -> Plan:
        """A saved one. Raises ``UsageError``."""
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise _not_one(f"{path} cannot be read: {error.strerror}.") from None
        if len(content) > MOST_BYTES:
            raise _not_one(f"it is larger than {MOST_BYTES // 1024**2} MiB.")
        try:
            return cls.parse(json.loads(content))
        except (ValueError, RecursionError):
            raise _not_one("it is not JSON.") from None

    def refuse_unless_of(self, state: OrganizationState, *, stack: str | None = None) -> None:
        """Raises ``UsageError`` when the plan is of another deployment or stack, and ``StalePlanError`` when the
        deployment is not what it was: then it names what has changed."""
        mine = (self.organization, self.deployment, self.url)
        theirs = (state.organization, state.deployment.name, state.url)
        if mine != theirs:
            raise UsageError(
                f"The plan is of the deployment {self.deployment} of {self.organization} ({self.url}).",
                why=f"This is the deployment {theirs[1]} of {theirs[0]} ({theirs[2]}).",
                next_step="make a plan for this one: `hybrid switch plan STACK --save FILE`.",
            )
        if stack is not None and stack != self.stack:
            raise UsageError(
                f"The plan is of the stack {self.stack}, not of {stack}.",
                next_step=f"`hybrid switch plan {stack} --save FILE`.",
            )
        if self.fingerprint == state.fingerprint():
            return
        now = parts_of(state)
        names = dict.fromkeys((*_PARTS, *now))
        changed = [_PARTS.get(name, name) for name in names if self.parts.get(name) != now.get(name)]
        raise StalePlanError(
            f"The deployment {self.deployment} is not what it was at {self.inspected_at}, when the plan was made.",
            why=f"Changed since: {', '.join(changed) or 'something that the plan rests on'}.",
            next_step=f"look at what changed, and make a new plan: `hybrid switch plan {self.stack} --save FILE`.",
        )


def parts_of(state: OrganizationState) -> dict[str, str]:
    """A SHA-256 of each part of what a plan rests on."""
    return {name: _sha256(part) for name, part in state.matters().items()}


def _sha256(value: Mapping[str, Any] | Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _not_one(why: str) -> UsageError:
    return UsageError("This is no saved plan.", why=why, next_step="make one: `hybrid switch plan STACK --save FILE`.")
