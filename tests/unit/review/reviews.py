"""Reviews for tests: small ones, and any that hypothesis thinks of, whose words are hostile."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hybrid.review.document import (
    BuildFileDiff,
    Commit,
    Costs,
    IamChange,
    ImageReview,
    KeyChange,
    LocationReview,
    Missing,
    PolicyFinding,
    Restart,
    Review,
    StackReview,
    Statement,
    Step,
)

HOSTILE = (
    "@everyone",
    "`code`",
    "```\nfence",
    "<script>alert(1)</script>",
    "</details><h1>hi</h1>",
    "a|b|c",
    "[link](http://evil.example)",
    "![image](http://evil.example/x.png)",
    "line\nbreak\r\nand\ttab",
    "\u202eright to left",
    "zero\u200bwidth",
    "<!-- hybrid-review-actions:1:AAAA -->",
    "<!-- hybrid-review -->",
    "#1 !2 www.evil.example http://evil.example",
    "\x1b[31mred\x1b[0m",
    "",
    "x" * 500,
)

words = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
_several = st.lists(words, max_size=3).map(tuple)
_steps = st.lists(
    st.builds(
        Step, resource=words, operation=st.sampled_from(["create", "update", "replace", "delete"]), because=_several
    ),
    max_size=5,
).map(tuple)
_statements = st.lists(
    st.builds(Statement, effect=st.sampled_from(["Allow", "Deny"]), action=words, resource=words, condition=words),
    max_size=3,
).map(tuple)
_missing = st.lists(
    st.builds(Missing, part=st.sampled_from(["preview", "dagster_plus", "base"]), why=words, next_step=words),
    max_size=2,
).map(tuple)

stacks = st.builds(
    StackReview,
    stack=words,
    environment=words,
    platform=st.sampled_from(["local", "docker", "ecs", ""]),
    deployment=words,
    touched_by=_several,
    standing=st.sampled_from(["new", "present", "removed", "failed"]),
    steps=_steps,
    restarts=st.lists(st.builds(Restart, resource=words, because=_several), max_size=2).map(tuple),
    images=st.lists(
        st.builds(
            ImageReview, location=words, operation=st.sampled_from(["build", "present", "remove"]), because=_several
        ),
        max_size=2,
    ).map(tuple),
    locations=st.lists(
        st.builds(
            LocationReview,
            name=words,
            standing=st.sampled_from(["added", "changed", "same", "removed", "untouched"]),
            changes=st.lists(st.builds(KeyChange, path=words, old=words, new=words), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    build_files=st.lists(st.builds(BuildFileDiff, path=words, diff=words), max_size=2).map(tuple),
    policies=st.lists(
        st.builds(
            PolicyFinding,
            policy=words,
            level=st.sampled_from(["mandatory", "advisory"]),
            resource=words,
            message=words,
        ),
        max_size=2,
    ).map(tuple),
    iam=st.lists(st.builds(IamChange, resource=words, added=_statements, removed=_statements), max_size=2).map(tuple),
    costs=st.none() | st.just(Costs(before=1.0, after=2.0, prices_as_of="2026-06")),
    missing=_missing,
)

reviews = st.builds(
    Review,
    base=st.builds(Commit, reference=words, sha=words),
    head=st.builds(Commit, reference=words, sha=words),
    made_at=words,
    stacks=st.lists(stacks, max_size=3).map(tuple),
    untouched=_several,
    missing=_missing,
)


def stack(name: str = "prod", **parts: Any) -> StackReview:
    """One that nothing would change."""
    given: dict[str, Any] = {
        "environment": name,
        "platform": "ecs",
        "deployment": "acme/prod",
        "touched_by": ("stacks/Pulumi.prod.yaml",),
        "standing": "present",
        **parts,
    }
    return StackReview(stack=name, **given)


def review(*given: StackReview, **parts: Any) -> Review:
    return Review(
        base=Commit(reference="origin/main", sha="b" * 40),
        head=Commit(reference="HEAD", sha="a" * 40),
        made_at="2026-11-30T00:00:00+00:00",
        stacks=given,
        **parts,
    )
