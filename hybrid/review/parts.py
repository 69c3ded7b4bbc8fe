"""The parts of a review that could not be looked at: each is named with its reason, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from hybrid.errors import HybridError, StoppedError
from hybrid.redaction import redact
from hybrid.review.document import Missing, PartName

Asked = TypeVar("Asked")

_LONGEST_WORDS: Final = 6000


@dataclass
class Parts:
    """``missing`` is what came of it so far."""

    missing: list[Missing] = field(default_factory=list)

    def part(self, part: PartName, ask: Callable[[], Asked], otherwise: Asked) -> Asked:
        """What ``ask`` answers, or ``otherwise`` with the reason kept. Raises ``StoppedError`` after Ctrl-C."""
        try:
            return ask()
        except StoppedError:
            raise
        except HybridError as error:
            self.lacks(part, error)
            return otherwise

    def lacks(self, part: PartName, error: HybridError) -> None:
        """Keep the reason."""
        why = redact("\n".join(text for text in (error.what, error.why) if text))[:_LONGEST_WORDS]
        self.missing.append(Missing(part=part, why=why, next_step=redact(error.next_step) if error.next_step else None))
