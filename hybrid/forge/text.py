"""What is written at a forge, made ready: nothing secret in it, nothing that the forge would obey, not too long.

Pure. The words of a pull request (titles, file names, diffs) are part of what we write, and whoever opened it chose
them.
"""

from __future__ import annotations

import re
from typing import Final

from hybrid.forge import facts
from hybrid.forge.errors import ForgeRejected
from hybrid.redaction import redact

_MARKER: Final = re.compile(r"<!-- [A-Za-z0-9][A-Za-z0-9_.:/-]*(?<!-) -->")

# GitLab obeys a line of a note that begins with a slash, such as `/merge`, with the rights of the note's author
# (docs.gitlab.com/user/project/quick_actions); bots at GitHub do the same. GitLab drops carriage returns before it
# looks (gitlabhq: lib/gitlab/quick_actions/extractor.rb).
_ORDER: Final = re.compile(r"^([^\S\n]*)/(?=[A-Za-z])", re.MULTILINE)
_SLASH: Final = "\N{DIVISION SLASH}"


def body_of(marker: str, body: str, *, longest: int, forge: str) -> str:
    """The whole text, the marker first. Raises ``ForgeRejected`` when it has more than ``longest`` characters,
    ``ValueError`` for a marker that is none.

    A slash at the beginning of a line becomes a division slash, one character as before, so that what was cut to
    measure stays so.
    """
    if not _MARKER.fullmatch(marker):
        raise ValueError(f"no marker: {marker!r}; it is an HTML comment of one word, such as <!-- hybrid-review -->")
    whole = harmless(body)
    if not whole.startswith(marker):
        whole = f"{marker}\n{whole}"
    return measured(whole, longest=longest, forge=forge)


def harmless(body: str) -> str:
    """``body`` without secrets and without lines that a forge takes for orders."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    # Halves of surrogates, from the names of files, cannot be sent.
    sendable = lines.encode("utf-8", "replace").decode("utf-8")
    return _ORDER.sub(rf"\1{_SLASH}", redact(sendable))


def measured(body: str, *, longest: int, forge: str) -> str:
    """``body``, if the forge takes a text of that length; else raises ``ForgeRejected``."""
    if len(body) > longest:
        raise ForgeRejected(
            f"The text has {len(body):,} characters, and {forge} takes {longest:,}.",
            why="Nothing was written.",
            next_step="cut the text before it is handed over.",
        )
    return body


def is_marked(body: str, marker: str) -> bool:
    """Whether ``body`` begins with the marker. Further down it may be a pull request's own words."""
    return body.lstrip().startswith(marker)


def title_of(title: str) -> str:
    """A title without secrets, on one line, at most 255 characters: what GitLab takes; GitHub takes 256."""
    return facts.one_line(redact(title)) or "(no title)"
