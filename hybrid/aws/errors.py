"""What can go wrong between this machine and AWS, told apart by what the reader does next."""

from __future__ import annotations

from typing import Final

from hybrid.errors import HybridError
from hybrid.redaction import redact


class AwsError(HybridError):
    """AWS refused, or could not be asked. ``code`` is AWS's own word for it, such as ``ClusterNotFoundException``."""

    code: str = ""


class AwsCredentialsMissing(AwsError):
    """No credentials were found where the AWS tools look for them."""


class AwsCredentialsRefused(AwsError):
    """There are credentials, and they are expired, revoked or wrong."""


class AwsWrongAccount(AwsError):
    """The credentials belong to another account than the stack's."""


class AwsDenied(AwsError):
    """The identity may not do this."""


class AwsThrottled(AwsError):
    """AWS asks for patience, also after several attempts."""


class AwsUnreachable(AwsError):
    """No answer from AWS."""


class AwsNotFound(AwsError):
    """What was asked for is not there."""


_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_INVALID: Final = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_THROTTLED: Final = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
_ABSENT: Final = ("NoSuchEntity", "NotFound", "NotFoundException", "NoSuchBucket")
_LOGIN: Final = "`aws sso login`, or new keys in the environment or in ~/.aws, then the same command again."
# Failures of a login that botocore raises by itself, before AWS is asked (botocore/exceptions.py).
_LOGIN_ERRORS: Final = frozenset(
    {"UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError", "SSOError", "CredentialRetrievalError"}
)
_ABSENT_LOGINS: Final = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})


def refused(doing: str, code: str, message: str) -> AwsError:
    """The error for an answer of AWS. ``doing``: what was tried, as in "list the services of the cluster x"."""
    said = f"{code}: {redact(message)}"
    if code in _EXPIRED:
        error: AwsError = AwsCredentialsRefused(
            "The AWS credentials have expired.", why=f"It was to {doing}. {said}", next_step=_LOGIN
        )
    elif code in _INVALID:
        error = AwsCredentialsRefused(
            "AWS does not know these credentials.",
            why=f"It was to {doing}. {said}",
            next_step=f"look at `aws sts get-caller-identity`; {_LOGIN}",
        )
    elif code in _DENIED:
        error = AwsDenied(
            f"AWS does not allow this identity to {doing}.",
            why=said,
            next_step="take an identity that may, or have its policy allow the action that AWS names.",
        )
    elif code in _THROTTLED:
        error = AwsThrottled(
            f"AWS has too many requests at once to {doing}.",
            why=f"It was asked several times. {said}",
            next_step="wait a minute and run the same command again.",
        )
    else:
        kind = AwsNotFound if code.endswith(_ABSENT) else AwsError
        error = kind(f"AWS refused to {doing}.", why=said, next_step="mend what AWS names, and run the command again.")
    error.code = code
    return error


def unasked(doing: str, fault: Exception) -> AwsError:
    """The error for a request that got no answer, or was not even sent. ``fault`` is botocore's."""
    name, said = type(fault).__name__, redact(str(fault))
    if name in _ABSENT_LOGINS:
        return AwsCredentialsMissing(
            "There are no AWS credentials.",
            why=f"They are needed to {doing}. {said}.",
            next_step="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in by `aws sso login`.",
        )
    if name in _LOGIN_ERRORS:
        return AwsCredentialsRefused(
            "The AWS login is not valid any more.", why=f"It was to {doing}. {said}", next_step=_LOGIN
        )
    return AwsUnreachable(
        f"AWS could not be asked to {doing}.",
        why=f"{name}: {said}",
        next_step="look at the network, the proxy, the region's name and AWS_ENDPOINT_URL, if it is set.",
    )
