"""What an answer of a forge means: nothing to say, wait, or an error with its next step. Pure but for the clock."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.forge.errors import (
    ForgeError,
    ForgeNotFound,
    ForgeRateLimited,
    ForgeRejected,
    ForgeUnauthorized,
    ForgeUnreachable,
)
from hybrid.forge.facts import one_line
from hybrid.redaction import redact

UNSAID_PAUSE: Final = 60.0
"""Seconds, when a forge says that it is too much and not until when: what GitHub's "Rate limits for the REST API" asks
for."""
_LONGEST_WORDS: Final = 500


@dataclass(frozen=True)
class Host:
    """A forge as its errors name it."""

    name: str
    """``GitHub`` or ``GitLab``."""
    api: str
    """The address of its API, without a slash at the end."""
    repository: str
    permission_advice: Callable[[str], str]
    """What to do when a permission is missing, by its name."""
    token_advice: str
    """What to do when the token is not taken."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case, or in any case."""
    text: str
    following: str | None = None
    """The address of the next page."""


def pause_of(answer: Answer) -> float | None:
    """Seconds until the forge takes requests again; None when it is not about the number of requests.

    GitHub answers 403 or 429 and 429 is GitLab's. A 403 is a refusal unless its headers or its words tell of a limit.
    """
    headers = answer.headers
    told = headers.get("retry-after", "").strip()
    remaining = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining"))
    is_limit = answer.status == 429 or (
        answer.status == 403 and (bool(told) or remaining == "0" or "rate limit" in _words(answer).lower())
    )
    if not is_limit:
        return None
    if told.isdecimal():
        return max(float(told[:9]), 1.0)
    reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", "")).strip()
    if reset.isdecimal() and remaining in {"0", None}:
        return max(float(reset[:12]) - _now(headers), 1.0)
    return UNSAID_PAUSE


def error_of(answer: Answer, host: Host, doing: str, permission: str) -> ForgeError | None:
    """The error that an answer is; None: it did what was asked. ``doing``: "comment on pull request 12"."""
    status, why = answer.status, _why(answer)
    if status < 300:
        return None
    if status == 401:
        return ForgeUnauthorized(f"{host.name} does not take the token.", why=why, next_step=host.token_advice)
    if status == 403:
        return ForgeUnauthorized(
            f"{host.name} does not let this token {doing}: it needs `{permission}`.",
            why=why,
            next_step=host.permission_advice(permission),
            permission=permission,
        )
    if status in {404, 410}:
        return ForgeNotFound(
            f"{host.name} could not {doing} in {host.repository}: it is not there, or this token may not see it.",
            why=why,
            next_step=f"look whether it is there; if it is, the token needs `{permission}`. "
            + host.permission_advice(permission),
        )
    if status >= 500:
        return ForgeUnreachable(
            f"{host.name} is out of order: it could not {doing} (HTTP {status}).",
            why=why,
            next_step="look at its status page, and run the same again later.",
            was_sent=True,
        )
    return ForgeRejected(
        f"{host.name} refused to {doing} (HTTP {status}).",
        why=why,
        next_step="read its words above; they name what it does not take.",
    )


def too_many(host: Host, doing: str, seconds: float, waited: float) -> ForgeRateLimited:
    """The error when waiting would take too long."""
    still = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return ForgeRateLimited(
        f"{host.name} takes no more requests from this token for {still}: it could not {doing}.",
        why=f"The token's share of requests is used up. {waited:.0f} seconds were waited already." if waited else None,
        next_step="run the same again then; a token of its own for this work has a share of its own.",
        seconds=seconds,
    )


def redirected(host: Host, status: int, to: str) -> ForgeRejected:
    """The error when an answer leads to another host."""
    return ForgeRejected(
        f"{host.name} sends requests on to another address (HTTP {status}), and the token does not go there.",
        why=f"It leads to {one_line(redact(to), 200)}." if to else None,
        next_step=f"look whether {host.api} is the address of its API, and whether {host.repository} was renamed.",
    )


def strange(host: Host, doing: str) -> ForgeRejected:
    """The error when an answer has another shape than the API's."""
    return ForgeRejected(
        f"What answers at {host.api} is not {host.name}'s API: it could not {doing}.",
        why="The answer has another shape; a proxy or a login page answers like this.",
        next_step="look at the address, and at proxies on the way to it.",
    )


def _now(headers: Mapping[str, str]) -> float:
    """The forge's own clock where it shows it: ours may be wrong, and the reset is told in its time."""
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        return time.time()


def _words(answer: Answer) -> str:
    """The forge's own words. GitHub: ``{"message", "errors": [...]}``; GitLab: ``{"message"}`` or ``{"error"}``."""
    try:
        said = json.loads(answer.text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    words = [_flat(said.get(key)) for key in ("message", "error", "error_description", "errors")]
    return "; ".join(word for word in words if word)


def _flat(value: Any) -> str:
    if value in (None, [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _why(answer: Answer) -> str | None:
    return one_line(redact(_words(answer)), _LONGEST_WORDS) or None
