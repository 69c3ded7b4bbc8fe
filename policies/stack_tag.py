"""The rule about tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from policies.rule import ResourceRule
from policies.subjects import Subject, Unknown, mapping

STACK_TAG: Final = "dagster-hybrid/stack"
"""The same as ``agent.ecs_names.STACK_TAG``, which this room may not import; a test holds them together."""

TABLE: Final = Path(__file__).parent / "taggable_types.txt"
"""Made by ``python -m policies.tables taggable``."""


def _untagged(subject: Subject) -> Iterator[str]:
    if subject.type not in _taggable():
        return
    said = [subject.properties.get("tagsAll"), subject.properties.get("tags"), _default_tags(subject.provider)]
    if any(isinstance(tags, Unknown) or _has_tag(tags) for tags in said):
        return
    yield f"{subject} does not bear the tag {STACK_TAG}."


def _has_tag(tags: Any) -> bool:
    value = mapping(tags).get(STACK_TAG)
    return isinstance(value, Unknown) or bool(value)


def _default_tags(provider: Mapping[str, Any]) -> Any:
    """Providers are told nested settings as JSON."""
    said = provider.get("defaultTags")
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return None
    return said if isinstance(said, Unknown) else mapping(said).get("tags")


@lru_cache(maxsize=1)
def _taggable() -> frozenset[str]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


TAGS: Final = ResourceRule(
    name="stack-tag",
    level="advisory",
    reason=f"By the tag {STACK_TAG} people find what a stack costs, and commands of hybrid what is left of it.",
    todo="make it with the stack's own provider, whose default tags have it.",
    looks_at="Everything of pulumi-aws that takes tags (`policies/taggable_types.txt`): that the tag is among its own "
    "or its provider's default tags.",
    judges={"*": ("tags", "tagsAll")},
    check=_untagged,
)
