"""What Azure's blob storage and its client say when a request fails, as a ``Fault``.

Codes are those of https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and of
azure/storage/blob/_shared/models.py (``StorageErrorCode``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.stores.s3_faults import one_line

if TYPE_CHECKING:
    from asset_values.stores.places import BlobPlace

READER: Final = "the role Storage Blob Data Reader"
WRITER: Final = "the role Storage Blob Data Contributor"

_KINDS: Final = {
    "BlobNotFound": FaultKind.ABSENT,
    "ResourceNotFound": FaultKind.ABSENT,
    "PathNotFound": FaultKind.ABSENT,
    "BlobAlreadyExists": FaultKind.CHANGED,
    "ConditionNotMet": FaultKind.CHANGED,
    "TargetConditionNotMet": FaultKind.CHANGED,
    "LeaseIdMissing": FaultKind.CHANGED,  # Dagster's IO manager holds a lease while it writes
    "LeaseAlreadyPresent": FaultKind.CHANGED,
    "InvalidBlockList": FaultKind.CHANGED,  # somebody else's write has taken the blocks away
    "ServerBusy": FaultKind.THROTTLED,
    "AccountIsDisabled": FaultKind.DENIED,
    "InsufficientAccountPermissions": FaultKind.DENIED,
    "ContainerNotFound": FaultKind.MISPLACED,
    "FilesystemNotFound": FaultKind.MISPLACED,
    "ContainerBeingDeleted": FaultKind.MISPLACED,
    "ContainerDisabled": FaultKind.MISPLACED,
    "Md5Mismatch": FaultKind.CORRUPT,
    "InternalError": FaultKind.UNREACHABLE,
    "OperationTimedOut": FaultKind.UNREACHABLE,
    "RequestBodyTooLarge": FaultKind.FULL,
    "ResourceTypeMismatch": FaultKind.UNUSABLE,
    "PathConflict": FaultKind.UNUSABLE,
    "InvalidResourceName": FaultKind.UNUSABLE,
    "InvalidUri": FaultKind.UNUSABLE,
    "BlobArchived": FaultKind.OTHER,
}
_STATUSES: Final = {
    401: FaultKind.DENIED,
    403: FaultKind.DENIED,
    404: FaultKind.ABSENT,
    408: FaultKind.UNREACHABLE,
    409: FaultKind.OTHER,
    412: FaultKind.CHANGED,
    429: FaultKind.THROTTLED,
    503: FaultKind.THROTTLED,
}
_WORDS: Final = {
    FaultKind.ABSENT: "Nothing lies there in {place}",
    FaultKind.CHANGED: "What lies in {place} is not what was expected there",
    FaultKind.DENIED: "{place} may not be used so with this login",
    FaultKind.THROTTLED: "{place} asks for fewer requests",
    FaultKind.UNREACHABLE: "{place} did not answer as it should",
    FaultKind.FULL: "{place} has no room for it",
    FaultKind.MISPLACED: "The container of {place} is not there",
    FaultKind.UNUSABLE: "{place} does not take such a key: a value lies where it needs a folder, or it is no name",
    FaultKind.CORRUPT: "{place} got other bytes than were sent",
    FaultKind.OTHER: "{place} refused the request",
}


def fault_of(error: Exception, place: BlobPlace, role: str) -> Fault:
    """``role`` is what the request needs. A ``Fault`` is given back as it is."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, MemoryError):
        raise error
    status: int | None = getattr(error, "status_code", None)
    code = _code(error)
    if status is None or (not code and _is_of_a_login(error)):
        return _unanswered(error, place, role)
    kind = _KINDS.get(code) or _of_status(status)
    if kind is FaultKind.ABSENT and role == WRITER:
        kind = FaultKind.CHANGED  # what was to be replaced has gone
    said = f"{code}: {_message(error)}" if code else f"status {status}"
    reason = f"{_WORDS[kind].format(place=place.url)} ({one_line(said)})."
    return Fault(kind, reason, action=role if kind is FaultKind.DENIED else None)


def _code(error: Exception) -> str:
    code: Any = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _of_status(status: int) -> FaultKind:
    return _STATUSES.get(status, FaultKind.UNREACHABLE if status >= 500 else FaultKind.OTHER)


def _unanswered(error: Exception, place: BlobPlace, role: str) -> Fault:
    """There was no answer, or no login to ask with. Azure's libraries say of a login all ways that they tried, on many
    lines, which belongs to ``az login`` and not here."""
    if _is_of_a_login(error):
        return Fault(FaultKind.DENIED, f"There is no login to Azure here for {place.url}: `az login`.", action=role)
    if "AzureError" in _names(error) or isinstance(error, OSError):
        return Fault(FaultKind.UNREACHABLE, f"{place.url} did not answer as it should ({type(error).__name__}).")
    return Fault(FaultKind.OTHER, f"{place.url} refused the request ({type(error).__name__}).")


def _is_of_a_login(error: Exception) -> bool:
    return bool(_names(error) & {"CredentialUnavailableError", "ClientAuthenticationError"})


def _names(error: Exception) -> set[str]:
    """Of its classes: Azure's libraries are not everywhere."""
    return {found.__name__ for found in type(error).__mro__}


def _message(error: Exception) -> str:
    """The first line: the ones after it name the request and its time."""
    return (str(getattr(error, "message", "") or "").splitlines() or [""])[0]
