"""Agent tokens and what they are good for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.redaction import Token

_AGENT: Final = "AGENT"


@dataclass(frozen=True)
class AgentGrants:
    """Which deployments agents with a token may serve. A new token is good for the whole organization."""

    organization: bool = False
    deployments: Collection[str] = frozenset()
    """Names of full deployments; kept as a set, so that grants compare whatever they were made from."""
    all_branch_deployments: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "deployments", frozenset(self.deployments))

    @classmethod
    def of(cls, permissions: Mapping[str, Any] | None, names: Mapping[int, str]) -> AgentGrants:
        """From ``DagsterCloudScopedPermissionGrants``; ``names`` are the deployments' by id. A deployment that is not
        among them appears as its id with a number sign, which no name begins with."""
        if permissions is None:
            return cls()
        return cls(
            organization=_is_agents(permissions["organizationPermissionGrant"]),
            deployments=frozenset(
                names.get(grant["deploymentId"], f"#{grant['deploymentId']}")
                for grant in permissions["deploymentPermissionGrants"]
                if _is_agents(grant)
            ),
            all_branch_deployments=_is_agents(permissions["allBranchDeploymentsPermissionGrant"]),
        )

    def scopes(self, ids: Mapping[str, int]) -> set[tuple[str, int | None]]:
        """As pairs of scope and deployment id, which is how Dagster+ grants and withdraws. Raises ``KeyError`` with
        the name of a deployment that is not among ``ids``."""
        scopes: set[tuple[str, int | None]] = {
            ("DEPLOYMENT", int(name[1:]) if name.startswith("#") else ids[name]) for name in self.deployments
        }
        if self.organization:
            scopes.add(("ORGANIZATION", None))
        if self.all_branch_deployments:
            scopes.add(("ALL_BRANCH_DEPLOYMENTS", None))
        return scopes


def _is_agents(grant: Mapping[str, Any] | None) -> bool:
    return grant is not None and grant["grant"] == _AGENT


@dataclass(frozen=True)
class AgentToken:
    """An agent token. ``token`` is there right after creation and never again; ``grants`` is None then, for Dagster+
    does not say them in that answer."""

    id: int
    description: str | None
    revoked: bool
    token: Token | None = None
    grants: AgentGrants | None = None

    @classmethod
    def created(cls, answer: Mapping[str, Any]) -> AgentToken:
        return cls(answer["id"], answer["description"], answer["revoked"], token=Token(answer["token"]))

    @classmethod
    def listed(cls, answer: Mapping[str, Any], names: Mapping[int, str]) -> AgentToken:
        grants = AgentGrants.of(answer["permissions"], names)
        return cls(answer["id"], answer["description"], answer["revoked"], grants=grants)


def deployment_names(data: Mapping[str, Any]) -> dict[int, str]:
    """Names by id, from the ``fullDeployments`` of the same answer."""
    return {deployment["deploymentId"]: deployment["deploymentName"] for deployment in data["fullDeployments"]}
