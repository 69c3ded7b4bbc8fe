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

AZURE_TAG: Final = "dagster-hybrid-stack"
"""The same as ``agent.azure_names.STACK_TAG``, likewise."""

AZURE_TABLE: Final = TABLE.with_name("taggable_azure_types.txt")
"""Made by ``python -m policies.tables taggable-azure``."""


def _untagged(subject: Subject) -> Iterator[str]:
    if subject.kind in _taggable(AZURE_TABLE):
        yield from _untagged_in_azure(subject)
    if subject.type not in _taggable(TABLE):
        return
    said = [subject.properties.get("tagsAll"), subject.properties.get("tags"), _default_tags(subject.provider)]
    if any(isinstance(tags, Unknown) or _has_tag(tags) for tags in said):
        return
    yield f"{subject} does not bear the tag {STACK_TAG}."


def _untagged_in_azure(subject: Subject) -> Iterator[str]:
    """Azure's provider puts no tags on by itself."""
    tags = subject.properties.get("tags")
    if not isinstance(tags, Unknown) and not _has_tag(tags, AZURE_TAG):
        yield f"{subject} does not bear the tag {AZURE_TAG}."


def _has_tag(tags: Any, name: str = STACK_TAG) -> bool:
    value = mapping(tags).get(name)
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


@lru_cache(maxsize=2)
def _taggable(table: Path) -> frozenset[str]:
    lines = table.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


TAGS: Final = ResourceRule(
    name="stack-tag",
    level="advisory",
    reason=f"By the tag {STACK_TAG} people find what a stack costs, and commands of hybrid what is left of it.",
    todo="make it with the stack's own provider, whose default tags have it; in Azure give it the stack's tags.",
    looks_at="Everything of pulumi-aws that takes tags (`policies/taggable_types.txt`): that the tag is among its own "
    "or its provider's default tags. Everything of pulumi-azure-native that does "
    f"(`policies/taggable_azure_types.txt`): that its own tags have {AZURE_TAG}, since Azure takes no slash there.",
    judges={"*": ("tags", "tagsAll")},
    check=_untagged,
)
