"""The set of actions of a review, by which a deploy knows whether it is about to do what was reviewed.

It travels in the review's own comment, which is what the reviewers have read. Pure: texts and values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.review.document import Review, StackReview

LARGEST_EMBEDDED: Final = 12_000
"""Characters of what a comment carries for all stacks, of the 65,536 that it may have; above that only digests."""

_MARK: Final = re.compile(r"<!-- hybrid-review-actions:1:([A-Za-z0-9+/=]+) -->")
_LARGEST_PACKED: Final = 65_536
_LARGEST_UNPACKED: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Actions:
    """What would be done to one stack: sorted sentences, such as ``create Repository hello-images``, ``restart
    TaskDefinition agent-task``, ``grant RolePolicy agent-agent: Allow s3:GetObject on *``.

    ``sentences`` is None for those that were too many to be carried: then only ``digest`` can be compared.
    """

    digest: str
    sentences: tuple[str, ...] | None

    @classmethod
    def of(cls, stack: StackReview) -> Actions:
        return cls.saying(_sentences(stack))

    @classmethod
    def saying(cls, sentences: Iterable[str]) -> Actions:
        found = tuple(sorted(set(sentences)))
        return cls(hashlib.sha256("\n".join(found).encode()).hexdigest(), found)

    def difference(self, reviewed: Actions) -> ActionsDifference | None:
        """What these are more and less than ``reviewed``; None when they are the same."""
        if self.digest == reviewed.digest:
            return None
        if self.sentences is None or reviewed.sentences is None:
            return ActionsDifference(None, None)
        mine, theirs = set(self.sentences), set(reviewed.sentences)
        return ActionsDifference(tuple(sorted(mine - theirs)), tuple(sorted(theirs - mine)))


@dataclass(frozen=True)
class ActionsDifference:
    """``further``: would be done and was not reviewed. ``absent``: was reviewed and would not be done. None: one side
    was too large to be carried, so that only its digest is known."""

    further: tuple[str, ...] | None
    absent: tuple[str, ...] | None


def embed(review: Review) -> str:
    """The actions of a whole review as one HTML comment, which no reader sees."""
    found = {stack.stack: Actions.of(stack) for stack in review.stacks if stack.standing != "removed"}
    text = _packed({name: list(actions.sentences or ()) for name, actions in found.items()}, review.head.sha)
    if len(text) > LARGEST_EMBEDDED:
        text = _packed({name: actions.digest for name, actions in found.items()}, review.head.sha)
    return f"<!-- hybrid-review-actions:1:{text} -->"


@dataclass(frozen=True)
class ReviewedActions:
    """What a comment carries. ``head`` is the commit that was reviewed."""

    head: str
    stacks: Mapping[str, Actions]


def embedded(body: str) -> ReviewedActions | None:
    """What ``embed`` has put into a comment; None: nothing, or nothing that can be read. Ours is the last: before it
    stand the words of a pull request. A comment may have been edited by anybody who may write to the repository."""
    found = _MARK.findall(body)
    if not found or len(found[-1]) > _LARGEST_PACKED:
        return None
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(base64.b64decode(found[-1], validate=True), _LARGEST_UNPACKED)
        document = json.loads(text)
        stacks = {str(name): _actions(said) for name, said in document["stacks"].items()}
        return ReviewedActions(str(document["head"]), stacks)
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def _actions(said: Any) -> Actions:
    if isinstance(said, str):
        return Actions(said, None)
    return Actions.saying(str(sentence) for sentence in said)


def _packed(stacks: Mapping[str, Any], head: str) -> str:
    text = json.dumps({"head": head, "stacks": stacks}, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _sentences(stack: StackReview) -> Iterable[str]:
    for step in stack.steps:
        yield f"{step.operation} {step.resource}"
    for restart in stack.restarts:
        yield f"restart {restart.resource}"
    for change in stack.iam:
        for verb, statements in (("grant", change.added), ("withdraw", change.removed)):
            for said in statements:
                condition = f" if {said.condition}" if said.condition else ""
                yield f"{verb} {change.resource}: {said.effect} {said.action} on {said.resource}{condition}"
        if change.unknown:
            yield f"change {change.resource}, of which it is not known what it grants"
