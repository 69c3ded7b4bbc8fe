"""What an answer means: pure judgement of status, headers and text, in words that end with the next step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.plus.credentials import VARIABLE
from hybrid.plus.endpoint import Endpoint
from hybrid.plus.errors import (
    PlusAnswerLost,
    PlusError,
    PlusForbidden,
    PlusMaintenance,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    PlusUnauthorized,
    PlusUnreachable,
)
from hybrid.plus.patience import Passing, retry_after
from hybrid.redaction import redact

Json = dict[str, Any]

# What the installed clients try again, too (RETRY_STATUS_CODES in dagster_cloud_cli/core/graphql_client.py).
_BUSY: Final = {
    409: "is at work on the same thing",
    429: "asks for fewer requests",
    502: "has no healthy server",
    503: "is busy",
    504: "took too long",
}
# Behind a gateway the request may have been carried out although no answer came.
_MAY_HAVE_HAPPENED: Final = frozenset({502, 504})
# The least role that may do it; what only reads needs Viewer
# (https://docs.dagster.io/dagster-plus/features/authentication-and-access-control/rbac/user-roles-permissions).
_ROLES: Final = {
    "HybridPutBranchDeployment": "Editor",
    "HybridPutLocation": "Editor",
    "HybridDeleteLocation": "Editor",
    "HybridLaunchRun": "Launcher",
    "HybridTerminateRun": "Launcher",
    "HybridStartSchedule": "Editor",
    "HybridStopSchedule": "Editor",
    "HybridResetSchedule": "Editor",
    "HybridStartSensor": "Editor",
    "HybridStopSensor": "Editor",
    "HybridResetSensor": "Editor",
    "HybridPauseDeclarativeAutomation": "Editor",
    "HybridCancelBackfill": "Launcher",
    "HybridAgentToken": "Organization Admin",
    "HybridAgentTokens": "Organization Admin",
    "HybridCreateAgentToken": "Organization Admin",
    "HybridRevokeAgentToken": "Organization Admin",
    "HybridGrantAgent": "Organization Admin",
    "HybridWithdrawAgentGrant": "Organization Admin",
    "HybridEnvironmentVariables": "Editor",
    "HybridEnvironmentVariableValues": "Editor",
    "HybridCreateEnvironmentVariable": "Editor",
    "HybridUpdateEnvironmentVariable": "Editor",
    "HybridDeleteEnvironmentVariable": "Editor",
    "HybridPutAlertPolicy": "Editor",
    "HybridDeleteAlertPolicy": "Editor",
    "HybridUpdateDeploymentSettings": "Admin",
    "HybridSetAgentType": "Organization Admin",
    "HybridCreateDeployment": "Organization Admin",
    "HybridDeleteDeployment": "Organization Admin",
}
# What helps against one kind of refusal; all others name the fault themselves.
_STEPS: Final = {
    "TooManySecretsError": "delete environment variables that nobody needs (Dagster+ > Deployment > Environment "
    "variables), or ask Dagster+ support for more.",
    "InvalidSecretInputError": "correct the environment variable's name, scopes or locations in the program.",
    "DuplicateDeploymentError": "choose another name, or use the deployment that has it.",
    "DeploymentLimitError": "delete a deployment that nobody needs, or ask Dagster+ support for a larger plan.",
    "DeleteFinalDeploymentError": "keep it: an organization needs one full deployment.",
}
_SCHEMA_MOVED: Final = ("Cannot query field", "Unknown type", "Unknown argument", "Unknown fragment", "Fragment cannot")
_EXCERPT: Final = 300


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as far as it is judged. ``now`` is when it came, in seconds since the epoch."""

    status: int
    headers: Mapping[str, str]
    text: str
    now: float


def data_of(answer: Answer, operation: str, endpoint: Endpoint) -> Json:
    """The answer's ``data``. Raises a ``PlusError``, or ``Passing`` for what may be different in a moment."""
    body = _body(answer.text)
    maintenance = body.get("maintenance")
    if isinstance(maintenance, Mapping):
        raise _maintenance(maintenance)
    if answer.status in _BUSY:
        may_have_happened = answer.status in _MAY_HAVE_HAPPENED
        error = (PlusAnswerLost if may_have_happened else PlusUnreachable)(
            f"Dagster+ {_BUSY[answer.status]} (HTTP {answer.status}, {operation}).",
            why=_excerpt(answer, body),
            next_step="run the same command again in a minute.",
            reason="busy",
        )
        seconds = retry_after(answer.headers, answer.now)
        raise Passing(error, seconds=seconds, was_sent=may_have_happened)
    fault = _status_fault(answer, body, operation, endpoint)
    if fault:
        raise fault
    if "errors" in body:
        raise _graphql_fault(body["errors"], operation)
    data = body.get("data")
    if not isinstance(data, dict):
        raise _not_the_api(answer, body, endpoint)
    return data


def member(operation: str, chosen: Json | None, *wanted: str) -> Json:
    """``chosen`` if it is one of the ``wanted`` members of its union, else the error that its other member means."""
    if chosen is None:
        raise PlusProtocolError(
            f"Dagster+ answered {operation} with nothing.",
            next_step="check the deployment's name; if it is right, update this checkout.",
        )
    kind = str(chosen["__typename"])
    if kind in wanted:
        return chosen
    message = str(chosen.get("message") or kind)
    if kind == "UnauthorizedError":
        raise PlusForbidden(
            f"The API token's role may not do this ({operation}).",
            why=message,
            next_step=_role_step(operation),
        )
    if kind.endswith("NotFoundError"):
        raise PlusNotFound(message, next_step="check the name or id; `hybrid status` lists what is there.")
    raise PlusRejected(
        f"Dagster+ refused {operation} ({kind}).",
        errors=_errors_of(chosen) or [message],
        next_step=_STEPS.get(kind, "correct what it names and run the same command again."),
    )


def _role_step(operation: str) -> str:
    role = _ROLES.get(operation, "Viewer")
    return (
        f"set {VARIABLE} to a token of a user who has the role {role} or more in this deployment "
        "(Dagster+ > Organization Settings > Users)."
    )


def _errors_of(chosen: Json) -> list[str]:
    listed = [error["message"] if isinstance(error, Mapping) else error for error in chosen.get("errors") or ()]
    steps = [f"there is no step '{chosen[key]}'" for key in ("invalidStepKey", "stepKey") if key in chosen]
    return [str(error) for error in [*listed, *steps]]


def _status_fault(answer: Answer, body: Json, operation: str, endpoint: Endpoint) -> PlusError | None:
    if answer.status == 401:
        return PlusUnauthorized(
            f"Dagster+ does not accept the API token (organization '{endpoint.organization}', {endpoint.url}).",
            why=_excerpt(answer, body),
            next_step=f"make a new user token of this organization (Dagster+ > Organization Settings > Tokens) and set "
            f"{VARIABLE}; a token of the European region needs `region: eu`.",
        )
    if answer.status == 403:
        return PlusForbidden(
            f"The API token may not do this ({operation}, deployment '{endpoint.deployment}').",
            why=_excerpt(answer, body),
            next_step=_role_step(operation),
        )
    if 300 <= answer.status < 400:
        return PlusProtocolError(
            f"{endpoint.url} answers with a redirect, not with Dagster+'s API.",
            why=f"It leads to {answer.headers.get('Location', answer.headers.get('location', 'nowhere'))}.",
            next_step="give that address' base as url, or correct the organization and region in the stack file.",
        )
    if answer.status == 404:
        return PlusNotFound(
            f"There is no deployment '{endpoint.deployment}' of an organization '{endpoint.organization}' "
            f"at {endpoint.url}.",
            next_step="check both names and the region in the stack file against Dagster+'s address in the browser.",
        )
    return None


def _graphql_fault(errors: Any, operation: str) -> PlusError:
    listed = errors if isinstance(errors, list) else [errors]
    messages = [str(error.get("message", error) if isinstance(error, Mapping) else error) for error in listed]
    if any(message.startswith(_SCHEMA_MOVED) for message in messages):
        return PlusProtocolError(
            f"This Dagster+ does not know the operation {operation} in this form.",
            why="\n".join(messages),
            next_step="update this checkout; if it is up to date, report this operation's name.",
        )
    return PlusRejected(
        f"Dagster+ answered {operation} with errors.",
        errors=messages,
        next_step="correct what they name; if they name nothing of yours, try again and then ask Dagster+ support.",
    )


def _maintenance(announced: Mapping[str, Any]) -> Passing:
    error = PlusMaintenance(
        "Dagster+ is in maintenance.",
        why=str(announced.get("message") or "") or None,
        next_step="run the same command again later; nothing was changed by this call.",
    )
    return Passing(
        error,
        seconds=_seconds(announced.get("retry_interval")),
        maintenance_seconds=_seconds(announced.get("timeout")) or float("inf"),
    )


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < float("inf") else None


def _not_the_api(answer: Answer, body: Json, endpoint: Endpoint) -> PlusProtocolError:
    if answer.text.lstrip()[:1] == "<":
        return PlusProtocolError(
            f"{endpoint.url} answers with a web page (HTTP {answer.status}), not with Dagster+'s API.",
            why="A login page or a proxy's page answers like this when the address is wrong.",
            next_step="check organization, region and url in the stack file; it must be the API's base address.",
        )
    return PlusProtocolError(
        f"{endpoint.url} answered HTTP {answer.status} with something that is not Dagster+'s API.",
        why=_excerpt(answer, body),
        next_step="check organization, region and url in the stack file; if they are right, try again later.",
    )


def _body(text: str) -> Json:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _excerpt(answer: Answer, body: Json) -> str | None:
    said = body.get("message") or body.get("error") or body.get("errors")
    if isinstance(said, list | dict):
        said = json.dumps(said)
    if said is None and answer.text.lstrip()[:1] == "<":
        return None
    # Redacted before it is cut: half a token has no shape.
    return redact(str(said or answer.text))[:_EXCERPT].strip() or None
