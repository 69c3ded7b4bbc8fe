"""Logins to Azure Container Registry, as Azure gives them for three hours."""

from __future__ import annotations

import re
from typing import Final

from hybrid.azure.errors import AzureError
from hybrid.azure.session import Azure
from hybrid.redaction import Token

USER: Final = "00000000-0000-0000-0000-000000000000"
"""Who says so comes with a token:
https://learn.microsoft.com/azure/container-registry/container-registry-authentication"""

_ADDRESS: Final = re.compile(r"[a-z0-9]{5,50}(-[a-z0-9]+)?\.azurecr\.io")
_ARM_SCOPE: Final = "https://management.azure.com/.default"
_SECONDS: Final = 30


def is_acr(registry: str) -> bool:
    """Whether a registry's host name is one of Azure's."""
    return _ADDRESS.fullmatch(registry) is not None


def acr_login(registry: str) -> tuple[str, Token]:
    """User and password for ``registry``, of the login that Azure's tools have. Whether they may push is a matter of
    roles. Raises ``AzureError``, and ``ToolchainError`` without Azure's libraries."""
    access = Azure("").token(_ARM_SCOPE, doing=f"log in to {registry}")
    return USER, _exchanged(registry, access)


def _exchanged(registry: str, access: str) -> Token:
    import httpx

    form = {"grant_type": "access_token", "service": registry, "access_token": access}
    try:
        answer = httpx.post(f"https://{registry}/oauth2/exchange", data=form, timeout=_SECONDS)
        found = answer.json().get("refresh_token") if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError, AttributeError) as fault:
        raise AzureError(
            f"The registry {registry} does not answer.",
            why=type(fault).__name__,
            next_step="look at its name and at the network; `az acr check-health` says more.",
        ) from None
    if not found:
        raise AzureError(
            f"The registry {registry} does not take this login.",
            why=f"It answered {answer.status_code}.",
            next_step="have somebody give it `AcrPush` on the registry.",
        )
    return Token(str(found))
