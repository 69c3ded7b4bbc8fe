"""What can go wrong between this machine and Azure, told apart by what the reader does next."""

from __future__ import annotations

from typing import Final

from hybrid.errors import HybridError, ToolchainError
from hybrid.redaction import redact

INSTALL: Final = "make azure"
"""The command that gets Azure's libraries."""


class AzureError(HybridError):
    """Azure refused, or could not be asked. ``code`` is Azure's own word for it, such as ``ResourceGroupNotFound``."""

    code: str = ""


class AzureLoginMissing(AzureError):
    """No login was found where Azure's tools look for one, or it has lapsed."""


class AzureDenied(AzureError):
    """The identity may not do this."""


class AzureNotFound(AzureError):
    """What was asked for is not there."""


class AzureThrottled(AzureError):
    """Azure asks for patience, also after several attempts."""


class AzureUnreachable(AzureError):
    """No answer from Azure."""


_LOGIN: Final = "`az login`, or AZURE_TENANT_ID, AZURE_CLIENT_ID and a credential in the environment."


def not_installed() -> ToolchainError:
    """For who has a stack in Azure and not its libraries."""
    return ToolchainError(
        "Azure's libraries are not installed.",
        why="They take 400 MB, so they are installed only where a stack has an agent of kind `azure`.",
        next_step=f"`{INSTALL}`, then the same command again.",
    )


def refused(doing: str, status: int, code: str, message: str) -> AzureError:
    """The error for an answer of Azure. ``doing`` completes "Azure refused to …"."""
    said = f"{code or status}: {redact(message)}"
    if status == 401:
        error: AzureError = AzureLoginMissing("Azure does not take this login.", why=said, next_step=_LOGIN)
    elif status == 403:
        error = AzureDenied(
            f"Azure does not allow this identity to {doing}.",
            why=said,
            next_step="take an identity that may, or have somebody give it the role that is missing.",
        )
    elif status == 429:
        error = AzureThrottled(
            f"Azure has too many requests at once to {doing}.",
            why=f"It was asked several times. {said}",
            next_step="wait a minute and run the same command again.",
        )
    else:
        kind = AzureNotFound if status == 404 else AzureError
        error = kind(f"Azure refused to {doing}.", why=said, next_step="mend what Azure names, and run it again.")
    error.code = code
    return error


def unasked(doing: str, fault: Exception) -> AzureError:
    """The error for a request that got no answer, or was not even sent. ``fault`` is azure-core's."""
    said = redact(str(fault)).strip()
    if type(fault).__name__ in {"ClientAuthenticationError", "CredentialUnavailableError"}:
        return AzureLoginMissing(
            "There is no login to Azure.", why=f"It is needed to {doing}. {_why_no_login(said)}", next_step=_LOGIN
        )
    return AzureUnreachable(
        f"Azure could not be asked to {doing}.",
        why=f"{type(fault).__name__}: {_short(said)}",
        next_step="look at the network and the proxy, then run the same command again.",
    )


def _why_no_login(said: str) -> str:
    """What the directory said, if it was asked: its codes begin with AADSTS. The rest is a dozen places in which nobody
    has put a login."""
    told = [line.strip() for line in said.splitlines() if "AADSTS" in line]
    return told[0][:600] if told else "It was looked for in the environment, with this machine's identity and by az."


def _short(said: str) -> str:
    """In one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join(lines)[:600]
