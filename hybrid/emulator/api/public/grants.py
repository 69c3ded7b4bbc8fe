"""Grants as clients of the public API see them.

Rests on: ``schema``; ``invented``: roles for single code locations are not kept, so none is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid.emulator.api.public.errors import Typed
from hybrid.emulator.organization import Grant, Organization
from hybrid.emulator.organization.grants import Scope


def by_scope(grants: Sequence[Grant]) -> Typed:
    """The fields of ``DagsterCloudScopedPermissionGrants``."""
    return {
        "organizationPermissionGrant": _of_scope(grants, "ORGANIZATION"),
        "allBranchDeploymentsPermissionGrant": _of_scope(grants, "ALL_BRANCH_DEPLOYMENTS"),
        "deploymentPermissionGrants": [_described(grant) for grant in grants if grant.scope == "DEPLOYMENT"],
    }


def deployment_of(asked: Mapping[str, Any]) -> int | None:
    """The id of the deployment that an input asks a grant for, if its scope is a deployment."""
    return asked.get("deploymentId") if asked["deploymentScope"] == "DEPLOYMENT" else None


def fault_of_scope(organization: Organization, asked: Mapping[str, Any]) -> str | None:
    """What is wrong with the scope that an input asks a grant for."""
    number = asked.get("deploymentId")
    if asked["deploymentScope"] != "DEPLOYMENT":
        return None
    if number is None or organization.deployments.numbered(number) is None:
        return f"There is no deployment with the id {number}."
    return None


def _of_scope(grants: Sequence[Grant], scope: Scope) -> Typed | None:
    return next((_described(grant) for grant in grants if grant.scope == scope), None)


def _described(grant: Grant) -> Typed:
    return {
        "id": grant.id,
        "organizationId": 1,
        "deploymentId": grant.deployment_id,
        "grant": grant.role,
        "locationGrants": [],
        "deploymentScope": grant.scope,
    }
