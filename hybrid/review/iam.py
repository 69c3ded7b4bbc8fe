"""What a policy would grant more or less than it does: statement by statement, action by action. Pure.

A policy that cannot be read as one, or that only the update itself will know, is said to be unknown: never that
nothing changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from hybrid.redaction import redact
from hybrid.review.document import IamChange, Statement

_LARGEST: Final = 128 * 1024  # characters; AWS takes 20,480 at most for any policy
_MOST: Final = 2000
"""Statements of one policy, taken apart; more are not told one by one."""
_NOT_KNOWN: Final = "only the update itself will know what it says"


def policy_change(resource: str, old: Any, new: Any, *, unknown: str) -> IamChange | None:
    """What ``new`` grants more or less than ``old``; None: the same. Both are policies as JSON texts, or None where
    there is none; ``unknown`` is the text that stands for one that is not known yet."""
    if old == new and new != unknown:
        return None
    if unknown in str(new) or unknown in str(old):
        return IamChange(resource=resource, unknown=_NOT_KNOWN)
    before, after = _statements(old), _statements(new)
    if before is None or after is None:
        return IamChange(resource=resource, unknown="it cannot be read as a policy, or has too many statements")
    added = tuple(sorted(after - before, key=_order))
    removed = tuple(sorted(before - after, key=_order))
    return IamChange(resource=resource, added=added, removed=removed) if added or removed else None


def attached_policy(resource: str, old: Any, new: Any, *, unknown: str) -> IamChange | None:
    """The same for a managed policy that is attached by its ARN: what it grants is AWS's, or another's, to say."""
    if old == new and new != unknown:
        return None

    def said(arn: Any) -> tuple[Statement, ...]:
        if not arn:
            return ()
        text = "(known after the update)" if arn == unknown else redact(str(arn))
        return (Statement(effect="Allow", action="all that the managed policy grants", resource=text),)

    return IamChange(resource=resource, added=said(new), removed=said(old))


def _order(statement: Statement) -> tuple[str, ...]:
    return (
        statement.action,
        statement.resource,
        statement.effect,
        statement.principal or "",
        statement.condition or "",
    )


def _statements(policy: Any) -> frozenset[Statement] | None:
    if policy is None:
        return frozenset()
    try:
        if len(str(policy)) > _LARGEST:
            return None
        document = json.loads(policy) if isinstance(policy, str) else policy
        found = document["Statement"]
        taken: set[Statement] = set()
        for each in found if isinstance(found, list) else [found]:
            for statement in _taken_apart(each):
                taken.add(statement)
                if len(taken) > _MOST:
                    return None
        return frozenset(taken)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _taken_apart(statement: Mapping[str, Any]) -> Iterator[Statement]:
    effect = statement["Effect"]
    if effect not in ("Allow", "Deny"):
        raise ValueError(effect)
    actions = [*_texts(statement.get("Action")), *(f"all but {each}" for each in _texts(statement.get("NotAction")))]
    resources = [
        *_texts(statement.get("Resource")),
        *(f"all but {each}" for each in _texts(statement.get("NotResource"))),
    ]
    principals: list[str | None] = [*_principals(statement)]
    condition = statement.get("Condition")
    for action, resource, principal in product(actions, resources or [""], principals or [None]):
        yield Statement(
            effect=effect,
            action=redact(action),
            resource=redact(resource),
            principal=None if principal is None else redact(principal),
            condition=redact(json.dumps(condition, sort_keys=True, separators=(",", ":"))) if condition else None,
        )


def _principals(statement: Mapping[str, Any]) -> list[str]:
    found = []
    for key, words in (("Principal", ""), ("NotPrincipal", "all but ")):
        said = statement.get(key)
        if isinstance(said, Mapping):
            found += [f"{words}{kind} {each}" for kind, many in said.items() for each in _texts(many)]
        else:
            found += [f"{words}{each}" for each in _texts(said)]
    return found


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
