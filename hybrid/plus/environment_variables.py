"""Dagster+'s environment variables, which its API calls secrets: names, scopes and, only when asked for, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hybrid.plus.errors import PlusError
from hybrid.redaction import MASK, Token


@dataclass(frozen=True)
class Scopes:
    """Where a variable is set: full deployments, all branch deployments, one branch deployment (by name), and what
    ``dg plus pull env`` brings to people's machines."""

    full_deployment: bool = False
    all_branch_deployments: bool = False
    branch_deployment: str | None = None
    local: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Scopes:
        return cls(
            full_deployment=bool(answer["fullDeploymentScope"]),
            all_branch_deployments=bool(answer["allBranchDeploymentsScope"]),
            branch_deployment=answer["specificBranchDeploymentScope"] or None,
            local=bool(answer["localDeploymentScope"]),
        )

    def described(self) -> dict[str, Any]:
        """As ``SecretScopesInput``."""
        return {
            "fullDeploymentScope": self.full_deployment,
            "allBranchDeploymentsScope": self.all_branch_deployments,
            "specificBranchDeploymentScope": self.branch_deployment,
            "localDeploymentScope": self.local,
        }

    def overlaps(self, other: Scopes) -> bool:
        """Whether a place has both."""
        return (
            (self.full_deployment and other.full_deployment)
            or (self.all_branch_deployments and other.all_branch_deployments)
            or (self.branch_deployment is not None and self.branch_deployment == other.branch_deployment)
            or (self.local and other.local)
        )


@dataclass(frozen=True)
class EnvironmentVariable:
    """One variable. ``locations`` are names of code locations; none of them means all.

    ``value`` is None when it was not asked for or when the token may not view it. ``updated_at`` is in seconds since
    the epoch and None for a variable that was never changed.
    """

    id: str
    name: str
    scopes: Scopes
    locations: frozenset[str]
    value: Token | None = None
    updated_at: float | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> EnvironmentVariable:
        value = answer.get("secretValue") if answer["canViewSecretValue"] else None
        return cls(
            id=answer["id"],
            name=answer["secretName"],
            scopes=Scopes.of(answer),
            locations=frozenset(answer["locationNames"]),
            value=Token(value) if value is not None else None,
            updated_at=answer["updateTimestamp"],
        )

    def shares_place_with(self, scopes: Scopes, locations: frozenset[str]) -> bool:
        """Whether some code would see both this variable and one of these scopes and locations, and neither would go
        before the other: what is for one location goes before what is for all (client: dagster_cloud/secrets)."""
        same_code = bool(self.locations & locations) or not (self.locations or locations)
        return same_code and self.scopes.overlaps(scopes)


@contextmanager
def unspoken(value: Token) -> Iterator[None]:
    """Errors raised within do not quote the value. A ``Token`` is redacted anyway, but for the very short ones, which
    cannot be told from words everywhere; in the answer to this one call they can."""
    try:
        yield
    except PlusError as error:
        error.what, error.why = _masked(error.what, value) or "", _masked(error.why, value)
        error.args = (error.sentence(),)
        if hasattr(error, "errors"):
            error.errors = [_masked(text, value) for text in error.errors]
        raise


def _masked(text: str | None, value: Token) -> str | None:
    if not text or not value.reveal():
        return text
    return re.sub(rf"(?<!\w){re.escape(value.reveal())}(?!\w)", MASK, text)
