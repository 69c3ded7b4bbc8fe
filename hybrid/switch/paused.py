"""The record of what was on before a deployment was paused: on disk before the first thing is turned off."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from hybrid.errors import StackBusyError, UsageError
from hybrid.plus import Endpoint, Instigation

VERSION: Final = 1


@dataclass(frozen=True, order=True)
class WasOn:
    """A schedule or sensor that was on. ``by_default``: because its code says so, and nobody has said otherwise."""

    location: str
    repository: str
    kind: Literal["schedule", "sensor"]
    name: str
    by_default: bool

    @classmethod
    def of(cls, one: Instigation) -> WasOn:
        return cls(one.location, one.repository, one.kind, one.name, one.by_default)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is, however it was turned on."""
        return key_of(self)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name} ({self.location})"


@dataclass(frozen=True)
class Paused:
    """What was on in one deployment. ``automation``: Dagster's daemon materialized assets without a sensor."""

    organization: str
    deployment: str
    url: str
    paused_at: float
    """When it was paused first, in seconds since 1970."""
    was_on: tuple[WasOn, ...] = ()
    automation: bool = False

    def joined(self, instigations: Iterable[Instigation], *, automation: bool) -> Paused:
        """With what is on now, beside what was on before. What is known of one already stays: of something that a
        former pause had stopped and somebody turned on again, nobody knows any more whether its code had done it."""
        known = {each.key: each for each in self.was_on}
        for one in instigations:
            if one.is_on:
                known.setdefault(key_of(one), WasOn.of(one))
        return replace(self, was_on=tuple(sorted(known.values())), automation=self.automation or automation)

    def without(self, gone: Iterable[WasOn]) -> Paused:
        names = {each.key for each in gone}
        return replace(self, was_on=tuple(each for each in self.was_on if each.key not in names))

    def document(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}


class PausedFile:
    """``paused.json`` of a stack. Used in a ``with``, by one process at a time: ``StackBusyError`` for a second one."""

    def __init__(self, path: Path, endpoint: Endpoint) -> None:
        self.path = path
        self._endpoint = endpoint
        self._descriptor = -1

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # a file of its own: the record itself is replaced, and a lock is of a file and not of its name
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StackBusyError(
                "Another command pauses or resumes this stack's deployment.", next_step="wait for it to end."
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(self, *ended: object) -> None:
        os.close(self._descriptor)

    def read(self) -> Paused | None:
        """The record; None when there is none. Raises ``UsageError`` for that of another organization or deployment,
        and for one that cannot be read."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        paused = _parsed(text, self.path)
        end = self._endpoint
        if (paused.organization, paused.deployment) != (end.organization, end.deployment):
            raise UsageError(
                f"{self.path} is of the deployment '{paused.deployment}' of '{paused.organization}' ({paused.url}).",
                why=f"The stack's is '{end.deployment}' of '{end.organization}' ({end.url}); what was on in one says "
                "nothing of another.",
                next_step="resume that one first, with the settings that the stack had then; or move the file away.",
            )
        return paused

    def new(self, now: float) -> Paused:
        """A record of nothing yet."""
        end = self._endpoint
        return Paused(organization=end.organization, deployment=end.deployment, url=end.url, paused_at=now)

    def write(self, paused: Paused) -> None:
        """On disk, whole, when this returns; a kill leaves the former one."""
        content = json.dumps(paused.document(), indent=2, ensure_ascii=False) + "\n"
        descriptor, draft = tempfile.mkstemp(prefix=".paused-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(draft).replace(self.path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        with _opened(self.path.parent) as folder:
            os.fsync(folder)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def key_of(one: Instigation | WasOn) -> tuple[str, str, str, str]:
    """By what a record and Dagster+ name the same thing."""
    return one.location, one.repository, one.kind, one.name


def _parsed(text: str, path: Path) -> Paused:
    try:
        document = json.loads(text)
        version = document.pop("version")
        if version == VERSION:
            return Paused(**{**document, "was_on": tuple(WasOn(**each) for each in document["was_on"])})
        why = f"It is of version {version!r}; this release reads version {VERSION}."
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
    raise UsageError(
        f"{path} cannot be read.",
        why=why,
        next_step="use the release that wrote it; if it was edited, mend it: without it nobody knows what was on.",
    ) from None
