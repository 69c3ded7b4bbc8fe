"""What a person sees: two consoles, progress, errors. Colour and movement only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from hybrid.errors import HybridError
from hybrid.redaction import redact

out = Console(highlight=False, soft_wrap=True)
notes = Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """A line beside the answer: progress, a notice. Goes to standard error, so that --json stays whole."""
    notes.print(Text(redact(text)))


def answer_json(value: Any) -> None:
    """The answer of a command with --json: one document on standard output, redacted."""
    sys.stdout.write(redact(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def show_error(error: HybridError) -> None:
    """An error as people read it: what in red, why as it is, what to do next."""
    notes.print(Text("✗ ", style="red") + Text(redact(error.what), style="bold"))
    if error.why:
        notes.print(Text(redact(error.why)))
    if error.next_step:
        notes.print(Text("→ ", style="cyan") + Text(redact(error.next_step)))
