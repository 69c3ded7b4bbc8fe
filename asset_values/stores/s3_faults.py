"""What S3, obstore and botocore say when a request fails, as a ``Fault``.

Codes are those of S3's API reference ("Error responses") and of MinIO. Of a message only one line is kept: obstore's
hold whole documents and addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from asset_values.faults import Fault, FaultKind

if TYPE_CHECKING:
    from asset_values.stores.places import S3Place

_KINDS: Final[dict[FaultKind, frozenset[str]]] = {
    FaultKind.ABSENT: frozenset({"NoSuchKey", "NoSuchVersion"}),
    FaultKind.CHANGED: frozenset({"PreconditionFailed", "ConditionalRequestConflict"}),
    FaultKind.EXPIRED: frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}),
    FaultKind.THROTTLED: frozenset(
        {"SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "TooManyRequests"}
        | {"TooManyRequestsException", "RequestLimitExceeded", "ServiceUnavailable", "KMS.ThrottlingException"}
    ),
    FaultKind.FULL: frozenset(
        {"EntityTooLarge", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "StorageFull"}
    ),
    FaultKind.MISPLACED: frozenset(
        {"NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
        | {"IllegalLocationConstraint", "TemporaryRedirect", "Redirect"}
    ),
    FaultKind.UNUSABLE: frozenset({"KeyTooLong", "KeyTooLongError", "InvalidURI", "XMinioInvalidObjectName"}),
    FaultKind.CORRUPT: frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"}),
    FaultKind.DENIED: frozenset(
        {"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"}
        | {"InvalidClientTokenId", "UnrecognizedClientException", "AccessDeniedException", "AccountProblem"}
    ),
    FaultKind.UNREACHABLE: frozenset({"InternalError", "RequestTimeout", "OperationAborted", "NoSuchUpload"}),
}
_STATUSES: Final = {
    301: FaultKind.MISPLACED,
    307: FaultKind.MISPLACED,
    401: FaultKind.DENIED,
    403: FaultKind.DENIED,
    404: FaultKind.ABSENT,
    408: FaultKind.UNREACHABLE,
    409: FaultKind.CHANGED,
    412: FaultKind.CHANGED,
    429: FaultKind.THROTTLED,
    503: FaultKind.THROTTLED,
    507: FaultKind.FULL,
}
_WRITING: Final = frozenset({"s3:PutObject", "s3:AbortMultipartUpload"})
_MESSAGE_LENGTH: Final = 240  # characters


@dataclass(frozen=True)
class Refusal:
    """What a server said. ``status`` None: there was no answer. ``code`` empty: an answer without a body (to HEAD)."""

    status: int | None
    code: str
    message: str
    region: str | None = None

    @property
    def is_unexplained(self) -> bool:
        """Whether the same request with a body in its answer would tell more."""
        return self.status in (301, 307, 400, 403) and not self.code


def refusal_of(error: Exception) -> Refusal:
    """Read an error of obstore or botocore."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return _of_botocore(response)
    return _of_text(error)


def fault_of(error: Exception, place: S3Place, action: str) -> Fault:
    """``action`` is the permission that the request needs. A ``Fault`` is given back as it is."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, MemoryError):
        raise error
    refusal = refusal_of(error)
    kind = _kind(refusal)
    if kind is FaultKind.ABSENT and action in _WRITING:
        kind = FaultKind.CHANGED  # what was to be replaced has gone
    return Fault(kind, _reason(kind, refusal, place), action=_missing(refusal, action) if _is_denial(kind) else None)


def _of_botocore(response: dict[str, Any]) -> Refusal:
    told, meta = response["Error"], response.get("ResponseMetadata", {})
    headers = meta.get("HTTPHeaders", {})
    code = str(told.get("Code", ""))
    region = told.get("Region") or headers.get("x-amz-bucket-region")
    # botocore gives the status as the code when an answer has no body, and words of its own as the message.
    if code.isdigit():
        return Refusal(meta.get("HTTPStatusCode", int(code)), "", "", region)
    return Refusal(meta.get("HTTPStatusCode"), code, str(told.get("Message", "")), region)


def _of_text(error: Exception) -> Refusal:
    """obstore has classes for the usual statuses and says the rest in text; botocore's own errors have no answer."""
    text = str(error).split("Debug source:")[0]
    status = re.search(r"status code: (\d{3})", text)
    if "redirect without LOCATION" in text:
        return Refusal(301, "", "", None)
    code = _element(text, "Code")
    if status is None:
        return Refusal(None, _code_of_class(error), _of_no_answer(error, text), None)
    return Refusal(int(status[1]), code, _element(text, "Message"), _element(text, "Region") or None)


def _code_of_class(error: Exception) -> str:
    name = type(error).__name__
    credentials = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
    return "AccessDenied" if name in credentials else ""


def _of_no_answer(error: Exception, text: str) -> str:
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return "there are no AWS credentials here"
    # Words of obstore's last cause; botocore's may hold the whole address.
    cause = re.search(r" - (HTTP error: [\w ,]+)|(HTTP error: [\w ,]+)", text)
    return (cause[1] or cause[2]) if cause else name


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""


def _kind(refusal: Refusal) -> FaultKind:
    for kind, codes in _KINDS.items():
        if refusal.code in codes:
            return kind
    if refusal.code.startswith("KMS."):
        return FaultKind.DENIED
    if refusal.status is None:
        return FaultKind.UNREACHABLE
    if refusal.status == 501 or (refusal.status == 409 and refusal.code):
        return FaultKind.OTHER
    return _STATUSES.get(refusal.status, FaultKind.UNREACHABLE if refusal.status >= 500 else FaultKind.OTHER)


def _is_denial(kind: FaultKind) -> bool:
    return kind is FaultKind.DENIED


def _missing(refusal: Refusal, action: str) -> str:
    """The permission as the message names it, else the one that the request needs."""
    if named := re.search(r"perform: ([a-z0-9-]+:[A-Za-z]+)|\b(kms:[A-Za-z]+)", refusal.message):
        return named[1] or named[2]
    if refusal.code.startswith("KMS.") or re.search(r"\bkms\b", refusal.message, re.I):
        return "kms:GenerateDataKey" if action in _WRITING else "kms:Decrypt"
    return action


def _reason(kind: FaultKind, refusal: Refusal, place: S3Place) -> str:
    """One line for people."""
    where = place.url
    if refusal.code == "NoSuchBucket":
        return f"There is no bucket {place.bucket}."
    if kind is FaultKind.MISPLACED:
        told = place.region or "the one that was asked"
        right = refusal.region or _region_in(refusal.message)
        return (
            f"The bucket {place.bucket} is not in {told} but in {right}."
            if right
            else f"The bucket {place.bucket} is in another region than {told}."
        )
    words = {
        FaultKind.ABSENT: f"Nothing lies there in {where}",
        FaultKind.CHANGED: f"What lies in {where} is not what was expected there",
        FaultKind.DENIED: f"{where} may not be used so with these credentials",
        FaultKind.EXPIRED: f"The credentials for {where} have expired",
        FaultKind.THROTTLED: f"{where} asks for fewer requests",
        FaultKind.UNREACHABLE: f"{where} did not answer as it should",
        FaultKind.FULL: f"{where} has no room for it",
        FaultKind.UNUSABLE: f"{where} does not take such a key",
        FaultKind.CORRUPT: f"{where} got other bytes than were sent",
        FaultKind.OTHER: f"{where} refused the request",
    }[kind]
    said = one_line(": ".join(part for part in (refusal.code, refusal.message) if part))
    status = f"status {refusal.status}" if refusal.status and not refusal.code else ""
    return f"{words} ({said or status})." if said or status else f"{words}."


def _region_in(message: str) -> str | None:
    found = re.search(r"expecting '([a-z0-9-]+)'", message)
    return found[1] if found else None


def one_line(text: str) -> str:
    """``text`` without line breaks, the queries of addresses and what is too long."""
    text = re.sub(r"\?[^\s\"'<>]*", "", " ".join(text.split()))
    return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"
