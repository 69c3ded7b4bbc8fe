"""Whether what a deploy is about to do was reviewed. Pure: sets of sentences (``hybrid/review/actions.py``) in, a
verdict out.

Fewer actions than were reviewed are fine: an earlier, interrupted deploy did them, or they are not needed any more, and
each that is left was read by somebody. One that nobody read stops the deploy. Two kinds are not counted as such:

- looks. An ``AgentReady`` or a ``LocationCheck`` asks and waits, and is made anew whenever anything moved, such as a
  task that ECS started again by itself. To create or update one changes nothing of anybody's.
- the end of what was begun. A deploy that was killed while it created something leaves it half made, so that the rest
  is an update of it. That is covered by the creation that was reviewed; never a deletion or a replacement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.review.actions import Actions

LOOKS: Final = frozenset(
    {"AgentReady", "AzureLaunchCheck", "ContainerState", "EcsLaunchCheck", "EcsServiceState", "KubernetesAgentState",
     "KubernetesLaunchCheck", "LocationCheck"}
)  # fmt: skip
"""Kinds of resources that state what they saw, and are nothing by themselves."""

_OF_LOOKS: Final = frozenset({"create", "update"})
_ENDS: Final[dict[str, tuple[str, ...]]] = {
    "update": ("create", "replace"),
    "create": ("replace",),  # the old one was deleted first, and then it was killed
    "restart": ("create",),
    "discard": ("delete",),
}


@dataclass(frozen=True)
class Verdict:
    """``further``: would be done, and nobody is known to have reviewed it. ``absent``: was reviewed and would not be
    done. ``is_certain``: False where a review was too large to be carried, so that only its digest was compared."""

    further: tuple[str, ...]
    absent: tuple[str, ...]
    is_certain: bool = True

    @property
    def is_reviewed(self) -> bool:
        return not self.further


def compare(present: Actions, reviewed: Sequence[Actions]) -> Verdict:
    """``present`` against all that was reviewed together: what two pull requests do was read in two comments, and each
    action counts as read that stands in one of them."""
    if any(one.digest == present.digest for one in reviewed):
        return Verdict((), ())
    mine = set(present.sentences or ())
    theirs = {sentence for one in reviewed for sentence in one.sentences or ()}
    further = sorted(sentence for sentence in mine - theirs if not _is_harmless(sentence, theirs))
    is_certain = all(one.sentences is not None for one in reviewed)
    return Verdict(tuple(further), tuple(sorted(theirs - mine)), is_certain)


def acceptance(stack: str, present: Actions) -> str:
    """What a person says with ``--accept``: exactly these actions, on this stack and no other. Looks are left out: a
    task that was started again meanwhile makes no other set."""
    said = Actions.saying(sentence for sentence in present.sentences or () if not _is_look(sentence))
    return hashlib.sha256(f"{stack}\n{said.digest}".encode()).hexdigest()


def _is_harmless(sentence: str, reviewed: set[str]) -> bool:
    verb, _, resource = sentence.partition(" ")
    return _is_look(sentence) or any(f"{begun} {resource}" in reviewed for begun in _ENDS.get(verb, ()))


def _is_look(sentence: str) -> bool:
    verb, kind = [*sentence.split(" ", 2), "", ""][:2]
    return verb == "read" or (verb in _OF_LOOKS and kind in LOOKS)
