"""The comment: what is in it, in what order, how it is cut, and that nobody's words leave their place. That it looks as
it should is for eyes; docs/ci.md has a picture of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings

from hybrid.review.actions import Actions, embedded
from hybrid.review.document import (
    BuildFileDiff,
    Costs,
    IamChange,
    Missing,
    PolicyFinding,
    Restart,
    Review,
    Statement,
    Step,
)
from hybrid.review.markdown import LONGEST, MARKER, markdown
from tests.unit.review.reviews import review, reviews, stack

pytestmark = pytest.mark.unit


def steps(count: int, operation: str = "create") -> tuple[Step, ...]:
    return tuple(Step(resource=f"Bucket b{n}", operation=operation, because=("tags",)) for n in range(count))  # type: ignore[arg-type]


def test_what_matters_comes_before_what_is_folded() -> None:
    text = markdown(
        review(
            stack(
                steps=(*steps(2), Step(resource="Service agent-service", operation="delete")),
                restarts=(Restart(resource="TaskDefinition agent-task", because=("cpu",)),),
                policies=(PolicyFinding(policy="no-star", level="mandatory", resource="Role x", message="too much"),),
                missing=(Missing(part="dagster_plus", why="It does not answer.", next_step="look"),),
                costs=Costs(before=60.0, after=75.5, prices_as_of="2026-06"),
                iam=(IamChange(resource="Role x", added=(Statement(effect="Allow", action="s3:*", resource="*"),)),),
            )
        )
    )
    top = text.partition("<details>")[0]
    assert text.startswith(MARKER), "by it the comment is found again"
    for said in ("1 stack would change", "**1 delete**", "**restarts**", "**1 broken**", "**+1**", "60.00 → 75.50"):
        assert said in top, f"{said} is seen without a click"
    assert "what Dagster+ has could not be looked at" in top, "what is missing is said first too"


def test_a_review_of_nothing_is_short() -> None:
    text = markdown(review(untouched=("prod", "staging")))
    assert "no stack is touched" in text
    assert "<details>" not in text
    assert len(text) < 1000


def test_a_long_review_is_cut_and_says_so() -> None:
    huge = stack(
        steps=steps(3000),
        build_files=tuple(BuildFileDiff(path=f"f{n}", diff="+x\n" * 500) for n in range(40)),
    )
    text = markdown(review(huge, stack("staging", steps=steps(3))))
    assert len(text.encode()) <= LONGEST, "GitHub refuses a longer one"
    assert len(text) > LONGEST // 2, "and it is not cut to nothing"
    assert re.search(r"_\d+ more are left out here\._", text), "what is cut is counted"
    assert "The whole is in `review.json`" in text
    assert "Bucket b2" in text.partition("<code>staging</code>: resources")[2], "the short stack is whole"


def test_even_very_many_stacks_fit() -> None:
    text = markdown(review(*(stack(f"s{n}", steps=steps(40)) for n in range(400))))
    assert len(text.encode()) <= LONGEST
    assert embedded(text) is not None, "the actions, if only their digests, are in it"


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reviews)
def test_whatever_the_words_are_the_comment_holds_its_shape(made: Review) -> None:
    text = markdown(made)
    assert text.startswith(MARKER)
    assert text.count(MARKER) == 1, "nobody else can place our marker"
    assert len(text.encode()) <= LONGEST
    outside = _outside_of_blocks(text)
    assert outside.count("<details>") == outside.count("</details>"), "every fold is closed"
    for forbidden in ("<script", "<h1", "\u202e", "\x1b", "[link](", "![image]("):
        assert forbidden not in outside, f"{forbidden!r} must not act"
    assert not re.search(r"@everyone(?![^<]*</code>)", outside), "nobody is called"
    for line in outside.splitlines():
        if line.startswith("| ") and "<code>" in line:
            assert re.search(r"^\|.*\|$", line), f"a row stays a row: {line!r}"


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reviews)
def test_the_actions_come_back_out_of_the_comment(made: Review) -> None:
    found = embedded(markdown(made))
    assert found is not None
    assert found.head == made.head.sha
    wanted = {each.stack: Actions.of(each).digest for each in made.stacks if each.standing != "removed"}
    assert {name: actions.digest for name, actions in found.stacks.items()} == wanted


def test_words_in_a_diff_cannot_close_its_block() -> None:
    text = markdown(review(stack(build_files=(BuildFileDiff(path="x", diff="+```\n+@everyone\n"),))))
    assert "````diff" in text, "the fence is longer than any in it"


def _outside_of_blocks(text: str) -> str:
    """Without what stands in blocks of code, where nothing acts."""
    kept, fence = [], ""
    for line in text.splitlines():
        opened = re.match(r"^(`{3,})\w*$", line)
        if fence:
            if line == fence:
                fence = ""
        elif opened:
            fence = opened[1]
        else:
            kept.append(line)
    assert not fence, "every block is closed"
    return "\n".join(kept)
