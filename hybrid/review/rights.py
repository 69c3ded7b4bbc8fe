"""What roles and their bindings grant more or less than they do, in a cluster of Kubernetes and in Azure. Pure.

Each of these resources says all that it grants, so that the rights before and after are compared as sets. What a
binding gives is said by the role's name: what is in the role is told of the role.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final

from hybrid.redaction import redact
from hybrid.review.document import IamChange, Statement

Inputs = Mapping[str, Any]
_MOST: Final = 2000
"""Statements of one role, taken apart; more are not told one by one."""
_NOT_KNOWN: Final = "only the update itself will know what it says"
_LATER: Final = "(known after the update)"


def rights_change(resource: str, type_: str, old: Inputs, new: Inputs, *, unknown: str) -> IamChange | None:
    """What the resource of the Pulumi type ``type_`` grants with the inputs ``new`` more or less than with ``old``
    (empty: it is not there). None: the same, or no resource that grants. ``unknown`` is the text that stands for what
    is not known yet."""
    reader = _reader(type_)
    if reader is None or old == new:
        return None
    try:
        before, after = (_read(reader, inputs, unknown) for inputs in (old, new))
    except (ValueError, KeyError, TypeError, AttributeError):
        return IamChange(resource=resource, unknown="it cannot be read as a role, or grants too much to be listed")
    if before is None or after is None:
        return IamChange(resource=resource, unknown=_NOT_KNOWN)
    added, removed = (tuple(sorted(each, key=_order)) for each in (after - before, before - after))
    return IamChange(resource=resource, added=added, removed=removed) if added or removed else None


def _reader(type_: str) -> Callable[[Inputs, str], Iterator[Statement] | None] | None:
    """Types have the version of an API in them: ``kubernetes:rbac.authorization.k8s.io/v1:Role``."""
    package, _, rest = type_.partition(":")
    module, _, kind = rest.partition(":")
    return _READERS.get((package, module.partition("/")[0], kind))


def _read(
    reader: Callable[[Inputs, str], Iterator[Statement] | None], inputs: Inputs, unknown: str
) -> frozenset[Statement] | None:
    found = reader(inputs, unknown) if inputs else iter(())
    if found is None:
        return None
    taken: set[Statement] = set()
    for statement in found:
        taken.add(statement)
        if len(taken) > _MOST:
            raise ValueError
    return frozenset(taken)


def _order(statement: Statement) -> tuple[str, ...]:
    return statement.action, statement.resource, statement.principal or "", statement.condition or ""


# Kubernetes: https://kubernetes.io/docs/reference/access-authn-authz/rbac/


def _cluster_role(inputs: Inputs, unknown: str) -> Iterator[Statement] | None:
    rules = inputs.get("rules") or []
    if inputs.get("aggregationRule") or _has(rules, unknown):
        return None
    return (statement for rule in rules for statement in _of_rule(rule, _where(inputs, unknown)))


def _of_rule(rule: Mapping[str, Any], where: str) -> Iterator[Statement]:
    verbs, names = _texts(rule.get("verbs")), _texts(rule.get("resourceNames"))
    groups = _texts(rule.get("apiGroups")) or [""]
    kinds = [
        f"{kind}.{group}" if group else kind for group, kind in product(groups, _texts(rule.get("resources")))
    ] + _texts(rule.get("nonResourceURLs"))
    condition = json.dumps({"names": sorted(names)}, separators=(",", ":")) if names else None
    for verb, kind in product(verbs, kinds):
        yield _allowed(f"{verb} {kind}", where, condition=condition)


def _cluster_binding(inputs: Inputs, unknown: str) -> Iterator[Statement] | None:
    role = inputs["roleRef"]
    if _has(role, unknown):
        return None
    where = _where(inputs, unknown)
    action = f"all that the {role['kind']} {role['name']} grants"
    subjects = inputs.get("subjects") or []
    if subjects == unknown:
        return None
    return (_allowed(action, where, principal=_subject(each, unknown)) for each in subjects)


def _subject(subject: Mapping[str, Any], unknown: str) -> str:
    name, namespace = (_shown(subject.get(key), unknown) for key in ("name", "namespace"))
    return f"{subject.get('kind')} {namespace}/{name}" if subject.get("namespace") else f"{subject.get('kind')} {name}"


def _where(inputs: Inputs, unknown: str) -> str:
    namespace = (inputs.get("metadata") or {}).get("namespace")
    return f"the namespace {_shown(namespace, unknown)}" if namespace else "the cluster"


# Azure: https://learn.microsoft.com/azure/role-based-access-control/role-definitions


def _azure_role(inputs: Inputs, unknown: str) -> Iterator[Statement] | None:
    permissions = inputs.get("permissions") or []
    if _has(permissions, unknown):
        return None
    scopes = inputs.get("assignableScopes") or []
    where = _LATER if _has(scopes, unknown) else ", ".join(sorted(_texts(scopes)))
    return (statement for each in permissions for statement in _of_permission(each, where))


def _of_permission(permission: Mapping[str, Any], where: str) -> Iterator[Statement]:
    for granted, excepted in (("actions", "notActions"), ("dataActions", "notDataActions")):
        but = sorted(_texts(permission.get(excepted)))
        condition = json.dumps({"except": but}, separators=(",", ":")) if but else None
        for action in _texts(permission.get(granted)):
            yield _allowed(action, where, condition=condition)


def _azure_assignment(inputs: Inputs, unknown: str) -> Iterator[Statement] | None:
    role = _shown(inputs["roleDefinitionId"], unknown)
    conditioned = inputs.get("condition")
    statement = _allowed(
        f"all that the role {role.rpartition('/')[2]} grants",
        _shown(inputs["scope"], unknown),
        principal=_shown(inputs["principalId"], unknown),
        condition=_shown(conditioned, unknown) if conditioned else None,
    )
    return iter((statement,))


def _allowed(action: str, resource: str, *, principal: str | None = None, condition: str | None = None) -> Statement:
    return Statement(
        effect="Allow",
        action=redact(action),
        resource=redact(resource),
        principal=None if principal is None else redact(principal),
        condition=None if condition is None else redact(condition),
    )


def _shown(value: Any, unknown: str) -> str:
    return _LATER if unknown in str(value) else str(value)


def _has(value: Any, unknown: str) -> bool:
    return unknown in json.dumps(value, default=str)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError
    return [str(each) for each in value]


_RBAC: Final = "rbac.authorization.k8s.io"
_READERS: Final[Mapping[tuple[str, str, str], Callable[[Inputs, str], Iterator[Statement] | None]]] = {
    ("kubernetes", _RBAC, "Role"): _cluster_role,
    ("kubernetes", _RBAC, "ClusterRole"): _cluster_role,
    ("kubernetes", _RBAC, "RoleBinding"): _cluster_binding,
    ("kubernetes", _RBAC, "ClusterRoleBinding"): _cluster_binding,
    ("azure-native", "authorization", "RoleDefinition"): _azure_role,
    ("azure-native", "authorization", "RoleAssignment"): _azure_assignment,
}
