"""The one comment of ours under a pull request, of which two jobs write a part each: the review, and the line that
leads to the branch deployment. Each reads what stands there, keeps the other's part, and looks again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hybrid.review.branch_link import LONGEST as LINK
from hybrid.review.branch_link import link_in, with_link
from hybrid.review.markdown import LONGEST, MARKER, markdown

if TYPE_CHECKING:
    from hybrid.forge.forge import Comment, Forge, Written
    from hybrid.review.document import Review

_TRIES: Final = 3
"""Two jobs that write at once: each finds what the other has written by its second try."""


def put_review(forge: Forge, number: int, review: Review, run_url: str | None) -> Written | None:
    """Post or update the comment. None: the pull request has a newer commit by now, so nothing is written.

    Raises ``ForgeError``.
    """
    if forge.pull_request(number).head_sha != review.head.sha:
        return None
    text = markdown(review, run_url=run_url, longest=LONGEST - LINK)
    return _put(forge, number, lambda present: with_link(text, link_in(present) if present else None))


def put_link(forge: Forge, number: int, section: str) -> Written:
    """Put ``section`` (``hybrid.review.branch_link``) into the comment, which is made if the review has made none yet.

    Raises ``ForgeError``.
    """
    return _put(forge, number, lambda present: with_link(present or f"{MARKER}\n", section))


def _put(forge: Forge, number: int, made: Callable[[str | None], str]) -> Written:
    """``made`` gives the text, with what it keeps of the one that stands there."""
    first: Written | None = None
    for _ in range(_TRIES):
        body = made(_ours(forge.comment(number, MARKER)))
        written = forge.upsert_comment(number, MARKER, body)
        first = first or written
        standing = _ours(forge.comment(number, MARKER))
        if standing is not None and made(standing) == standing:
            break  # else another job wrote between our look and our words, and theirs are without ours
    assert first is not None  # noqa: S101 - there is at least one try
    return first


def _ours(comment: Comment | None) -> str | None:
    """Its text; None when there is none, or when somebody else has edited it, so that none of it is taken over."""
    return comment.body if comment is not None and comment.edited_by is None else None
