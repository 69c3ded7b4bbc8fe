"""The policy language: does this document allow this request?

After AWS's page on evaluation logic
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html): an explicit deny anywhere
wins; then something must allow; a boundary must allow too; within one account a policy of the resource that names the
role is as good as a policy of the role. Service control policies and session policies are not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.standins.iam.conditions import Values, arn_like, fulfilled, like, with_variables

Document = Mapping[str, Any]
NO_ALLOW = "because no identity-based policy allows the {action} action"
BOUNDARY = "because no permissions boundary allows the {action} action"
EXPLICIT = "with an explicit deny in {where}"


@dataclass(frozen=True)
class Verdict:
    """``because``: in AWS's words; ``sid`` of the statement that decided, if one did."""

    allowed: bool
    because: str
    sid: str | None = None


def judge(
    documents: Sequence[Document],
    action: str,
    resource: str,
    context: Mapping[str, Values],
    *,
    boundary: Document | None = None,
    resource_policy: Document | None = None,
    principal: Mapping[str, str] | None = None,
) -> Verdict:
    """One request against the role's documents, its boundary and the resource's own policy.

    ``principal``: who asks, for the policy of the resource: ``{"AWS": role_arn}``.
    """
    ask = (action, resource, context)
    kinds: list[tuple[str, Sequence[Document]]] = [("an identity-based policy", documents)]
    kinds += [("a permissions boundary", [boundary])] if boundary is not None else []
    for where, given in kinds:
        for statement in _statements(given):
            if statement["Effect"] == "Deny" and _applies(statement, *ask):
                return Verdict(False, EXPLICIT.format(where=where), statement.get("Sid"))
    own = _statements([resource_policy] if resource_policy is not None else [])
    asker = principal or {}
    for statement in own:
        if statement["Effect"] == "Deny" and _names(statement, asker, by_account=True) and _applies(statement, *ask):
            return Verdict(False, EXPLICIT.format(where="a resource-based policy"), statement.get("Sid"))
    allowing = next((s for s in _statements(documents) if s["Effect"] == "Allow" and _applies(s, *ask)), None)
    if allowing is not None and boundary is not None and not _allows(boundary, *ask):
        return Verdict(False, BOUNDARY.format(action=action))
    named = (s for s in own if s["Effect"] == "Allow" and _names(s, asker, by_account=False) and _applies(s, *ask))
    allowing = allowing or next(named, None)
    if allowing is None:
        return Verdict(False, NO_ALLOW.format(action=action))
    return Verdict(True, "allowed", allowing.get("Sid"))


def trusts(trust: Document, principal: Mapping[str, str], context: Mapping[str, Values]) -> Verdict:
    """Whether a trust policy lets the principal (``{"Service": …}`` or ``{"AWS": arn}``) take the role."""
    statements = [
        statement
        for statement in _statements([trust])
        if _names(statement, principal, by_account=True)
        and _matches_any(_listed(statement.get("Action", "sts:AssumeRole")), "sts:AssumeRole")
        and _conditions_hold(statement, context)
    ]
    for statement in statements:
        if statement["Effect"] == "Deny":
            return Verdict(False, EXPLICIT.format(where="the trust policy"), statement.get("Sid"))
    if not statements:
        return Verdict(False, "because no resource-based policy allows the sts:AssumeRole action")
    return Verdict(True, "allowed", statements[0].get("Sid"))


def _applies(statement: Document, action: str, resource: str, context: Mapping[str, Values]) -> bool:
    if "Action" in statement:
        if not _matches_any(_listed(statement["Action"]), action):
            return False
    elif _matches_any(_listed(statement["NotAction"]), action):
        return False
    if "Resource" in statement:
        if not _resource_matches(_listed(statement["Resource"]), resource, context):
            return False
    elif "NotResource" in statement and _resource_matches(_listed(statement["NotResource"]), resource, context):
        return False
    return _conditions_hold(statement, context)


def _resource_matches(patterns: Iterable[str], resource: str, context: Mapping[str, Values]) -> bool:
    return any(filled == "*" or arn_like(filled, resource) for filled in with_variables(patterns, context))


def _conditions_hold(statement: Document, context: Mapping[str, Values]) -> bool:
    return all(
        fulfilled(operator, key, wanted, context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _names(statement: Document, principal: Mapping[str, str], *, by_account: bool) -> bool:
    """Whether a statement of a resource's policy speaks of the principal. ``by_account``: also when it names the whole
    account: that denies to all of it, and allows its roles only what their own policies allow too.
    """
    if "NotPrincipal" in statement:
        return not _among(statement["NotPrincipal"], principal, by_account=by_account)
    return _among(statement.get("Principal", {}), principal, by_account=by_account)


def _among(named: Any, principal: Mapping[str, str], *, by_account: bool) -> bool:
    if named == "*":
        return True
    for kind, who in principal.items():
        wanted = set(_listed(named.get(kind, ())))
        meant = {who, "*"}
        if by_account and who.startswith("arn:"):
            partition, account = who.split(":")[1], who.split(":")[4]
            meant |= {account, f"arn:{partition}:iam::{account}:root"}
        if meant & wanted:
            return True
    return False


def _allows(document: Document, action: str, resource: str, context: Mapping[str, Values]) -> bool:
    return any(s["Effect"] == "Allow" and _applies(s, action, resource, context) for s in _statements([document]))


def _matches_any(patterns: Iterable[str], value: str) -> bool:
    return any(like(pattern.lower(), value.lower()) for pattern in patterns)


def _statements(documents: Iterable[Document]) -> list[Document]:
    return [statement for document in documents for statement in _listed(document["Statement"])]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
