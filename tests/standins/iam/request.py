"""What AWS asks the policies, and small words for the rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standins.iam.facts import Facts

Params = Mapping[str, Any]
Context = dict[str, str | tuple[str, ...]]


class UnknownCall(LookupError):
    """The table has no row for this call."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """One question that AWS puts to the policies: may this action be done on this resource in this context?"""

    action: str
    """``ecs:CreateService``."""
    resource: str
    """An ARN, or ``*`` for actions that take no resource."""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Condition keys in AWS's spelling; several values for keys that hold lists (``aws:TagKeys``)."""


Row = Callable[[Params, Facts], Iterator[AuthorizationRequest]]


def anything(action: str) -> Row:
    """A row for an action without resource and keys."""

    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        yield AuthorizationRequest(action, "*")

    return row


def nothing(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """A row for a call that needs no permission."""
    yield from ()


def arn(facts: Facts, service: str, resource: str) -> str:
    return f"arn:{facts.partition}:{service}:{facts.region}:{facts.account}:{resource}"


def resource_tags(facts: Facts, of: str) -> Context:
    return {f"aws:ResourceTag/{key}": value for key, value in facts.tags(of).items()}


def request_tags(given: Iterable[Mapping[str, Any]] | None) -> Context:
    """From ``tags=[{key, value}]`` or ``Tags=[{Key, Value}]``."""
    pairs = [({k.lower(): v for k, v in tag.items()}) for tag in given or ()]
    context: Context = {f"aws:RequestTag/{pair['key']}": pair.get("value") or "" for pair in pairs}
    if pairs:
        context["aws:TagKeys"] = tuple(pair["key"] for pair in pairs)
    return context
