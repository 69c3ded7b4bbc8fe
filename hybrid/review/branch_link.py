"""The line of a review's comment that leads to the pull request's branch deployment. It is written by another job than
the review, so each keeps what the other has written. Pure."""

from __future__ import annotations

import re
from typing import Final

from hybrid.errors import UsageError
from hybrid.review.markdown import MARKER
from hybrid.review.text import plain

LONGEST: Final = 2000
"""Bytes that a comment keeps free for it."""

_BEGIN: Final = "<!-- hybrid-branch -->"
_END: Final = "<!-- /hybrid-branch -->"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_PAGE: Final = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~-]+)*")
_SECTION: Final = re.compile(rf"^{re.escape(_BEGIN)}\n[^\n]*\n{re.escape(_END)}\n", re.M)


def link(page: str, deployment: str, *, loaded: bool | None = None) -> str:
    """The section that names the branch deployment. ``page`` is where the organization's deployments are, from the
    stack's own settings; ``deployment`` may be a stranger's word.

    Raises ``UsageError`` for a name that no deployment has.
    """
    if not _NAME.fullmatch(deployment) or not _PAGE.fullmatch(page):
        raise UsageError(
            "That is not a branch deployment's name.", next_step="give the one that `hybrid branch open` has answered."
        )
    state = {None: "", True: ", all code locations are loaded", False: ", **not all code locations are loaded**"}[
        loaded
    ]
    return _section(f"Branch deployment: [{deployment}]({page}/{deployment}){state}")


def closed() -> str:
    """The section of one that is gone."""
    return _section(plain("Branch deployment: closed"))


def link_in(body: str) -> str | None:
    """The section in a comment of ours; None: it has none. It stands right below the marker, before any word of the
    pull request."""
    rest = body.removeprefix(f"{MARKER}\n")
    found = _SECTION.match(rest) if rest != body else None
    return found[0] if found and len(found[0].encode()) <= LONGEST else None


def with_link(body: str, section: str | None) -> str:
    """``body``, a comment that begins with our marker, with ``section`` in the place of the one that it had."""
    rest = body.removeprefix(f"{MARKER}\n")
    present = link_in(body)
    kept = rest[len(present) :] if present else rest
    return f"{MARKER}\n{section or ''}{kept}"


def _section(line: str) -> str:
    return f"{_BEGIN}\n{line}\n{_END}\n"
