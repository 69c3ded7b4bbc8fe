"""One text of ours in one place, however often it is written and by how many runs at once.

A request that creates is never simply repeated: when its answer was lost it is looked whether the text is there. After
a creation it is looked again, for another run may have created at the same moment: the oldest stays and says the newest
words, the younger ones go. Every run does so, and all of them keep the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import tenacity

from hybrid.forge.errors import ForgeNotFound, ForgeUnreachable
from hybrid.forge.forge import Written

_ATTEMPTS: Final = 4


@dataclass(frozen=True)
class Entry:
    """A comment or an issue of ours that stands. The younger has the larger ``id``."""

    id: int
    url: str


class Place(Protocol):
    """Where the text is to stand: how entries of ours are found and changed there."""

    def ours(self) -> Sequence[Entry]:
        """Those with the marker and by us."""
        ...

    def create(self) -> Entry:
        """Makes one. Raises ``ForgeUnreachable`` with ``was_sent`` when it may have been made all the same."""
        ...

    def update(self, entry: Entry) -> None:
        """Gives it the new words. Raises ``ForgeNotFound`` when somebody took it away."""
        ...

    def remove(self, entry: Entry) -> None:
        """Takes a double away. One that is gone already is no error."""
        ...


def write(place: Place, *, sleep: Callable[[float], None]) -> Written:
    """The text stands once in ``place`` and says the new words; ``sleep`` waits between two attempts to create."""
    writing = _Writing(place)
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_AnswerLost),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(initial=1.0, max=8.0, jitter=0.5),
        sleep=sleep,
        reraise=True,
    )
    try:
        return tries(writing.attempt)
    except _AnswerLost as lost:
        error = lost.error
    raise error


class _AnswerLost(Exception):
    """It may have been created or not."""

    def __init__(self, error: ForgeUnreachable) -> None:
        super().__init__()
        self.error = error


@dataclass
class _Writing:
    place: Place
    was_tried: bool = False
    """Whether a creation was sent whose answer was lost."""
    gone: set[int] = field(default_factory=set)
    """Entries that turned out to be deleted: a list may be behind what really stands."""

    def attempt(self) -> Written:
        kept = self._keep_oldest()
        if kept is not None:
            return Written(kept.url, created=self.was_tried)
        try:
            made = self.place.create()
        except ForgeUnreachable as error:
            if not error.was_sent:
                raise
            self.was_tried = True
            raise _AnswerLost(error) from None
        kept = self._keep_oldest(made) or made
        return Written(kept.url, created=kept.id == made.id)

    def _keep_oldest(self, made: Entry | None = None) -> Entry | None:
        """Of ours the oldest, with the new words, which ``made`` has already; the others are removed. None: there is
        none."""
        kept: Entry | None = None
        standing = [entry for entry in self.place.ours() if entry.id not in self.gone]
        for entry in sorted(standing, key=lambda each: each.id):
            if kept is not None:
                self.place.remove(entry)
                self.gone.add(entry.id)
                continue
            try:
                if made is None or entry.id != made.id:
                    self.place.update(entry)
                kept = entry
            except ForgeNotFound:
                self.gone.add(entry.id)
        return kept
