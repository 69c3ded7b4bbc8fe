"""What of a review somebody does not want to pass: ``--fail-on delete,replace,policy``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

from hybrid.errors import HybridError, UsageError
from hybrid.review.document import Review

Ground = Literal["delete", "replace", "policy"]
GROUNDS: Final[tuple[Ground, ...]] = get_args(Ground)


class ReviewFailed(HybridError):
    """The review has what `--fail-on` names."""

    exit_code = 11


def grounds(text: str) -> tuple[Ground, ...]:
    """``delete,policy`` as values. Raises ``UsageError`` for another word."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if word not in GROUNDS:
            raise UsageError(
                f"--fail-on knows no '{word}'.", next_step=f"give one or more of {', '.join(GROUNDS)}, with commas."
            )
    return tuple(ground for ground in GROUNDS if ground in found)


def reasons(review: Review, on: Sequence[Ground]) -> list[str]:
    """Sentences that say what there is of what ``on`` names; empty: the review passes."""
    found = []
    for stack in review.stacks:
        for ground in on:
            if ground == "policy":
                broken = [each for each in stack.policies if each.level == "mandatory"]
                named = [f"{each.policy} ({each.resource or 'the stack'})" for each in broken]
                words = "breaks mandatory rules"
            else:
                named = [step.resource for step in stack.steps if step.operation == ground]
                words = f"would {ground}"
                if ground == "delete" and stack.standing == "removed":
                    named.append("its own file")
            if named:
                found.append(f"{stack.stack} {words}: {', '.join(named)}")
    return found
