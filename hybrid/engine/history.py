"""What was done to a stack before, as Pulumi's own history tells it: which update, of which commit, how it ended.

Pulumi notes the commit of the checkout and the options of the call beside each update, whoever ran it, in every
backend (pkg/cmd/pulumi/metadata of 3.259: ``git.head``, ``pulumi.flag.target``). So nothing of ours has to be kept to
know what of the team's branch is deployed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

PAGE: Final = 30
"""Updates that are looked at, the newest first. More do not help: what is asked is the last one that went well."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Update:
    """One update. ``commit`` is None where the checkout was no git repository."""

    kind: str
    """``update``, ``refresh``, ``destroy``, …"""
    succeeded: bool
    commit: str | None
    is_partial: bool = False
    """Of chosen resources only, as `hybrid locations deploy` and a rollback make them."""


def updates_in(text: str) -> list[Update]:
    """From ``pulumi stack history --json``, the newest first; nothing from what is not its answer."""
    try:
        listed = json.loads(text)
    except ValueError:
        return []
    return [_update(entry) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def deployed_commit(updates: Iterable[Update]) -> str | None:
    """The commit of the last `up` of the whole stack that went well; None: there was none, or it does not say."""
    whole = (update for update in updates if update.kind == "update" and not update.is_partial)
    last = next((update for update in whole if update.succeeded), None)
    return last.commit if last is not None else None


def was_begun(updates: Iterable[Update], commit: str) -> bool:
    """Whether an `up` of ``commit`` was begun, however it ended."""
    return any(update.kind == "update" and update.commit == commit for update in updates)


def _update(entry: dict[str, Any]) -> Update:
    said = entry.get("environment")
    environment = said if isinstance(said, dict) else {}
    head = str(environment.get("git.head", ""))
    commit = head if _COMMIT.fullmatch(head) else None
    is_partial = "pulumi.flag.target" in environment
    return Update(str(entry.get("kind", "")), entry.get("result") == "succeeded", commit, is_partial)
