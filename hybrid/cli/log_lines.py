"""Lines of logs, as people see them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from hybrid.redaction import redact

if TYPE_CHECKING:
    from hybrid.platforms.commands import LogLine

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def say(line: LogLine) -> None:
    """To standard output, redacted, without colours where no terminal is; dated where the line is."""
    # Dagster's code servers colour what they write, whoever reads it
    text = redact(line.text if sys.stdout.isatty() else _COLOUR.sub("", line.text))
    if line.at is None:
        sys.stdout.write(text)
    else:
        _say_dated(line, text)
    sys.stdout.flush()


def _say_dated(line: LogLine, text: str) -> None:
    from rich.text import Text

    from hybrid.cli.console import out

    moment = line.at.astimezone().strftime("%m-%d %H:%M:%S") if line.at else ""
    source = f" {line.source}" if line.source else ""
    out.print(Text(f"{moment}{source}  ", style="dim"), Text.from_ansi(text.rstrip("\n")), sep="")
