"""What people have to know of an adoption beside the files that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["danger", "kept", "new", "changes", "unsaid", "left"]

HEADINGS: Final[dict[Kind, str]] = {
    "danger": "To be mended",
    "kept": "Named in the stack file, and neither imported nor changed",
    "new": "Made new, beside what is there",
    "changes": "Other than before, once the new agent serves",
    "unsaid": "What the stack file has no words for",
    "left": "Left as it is: no stack declares it",
}
"""By kind, in the order in which they are shown."""


@dataclass(frozen=True)
class Remark:
    """One thing. ``subject`` is what it is about: a key, a role, a location."""

    kind: Kind
    subject: str
    text: str

    def sentence(self) -> str:
        return f"{self.subject}: {self.text}"
