"""What a connection that failed means: httpx's exceptions in words. Imported only where httpx is."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from hybrid.plus.endpoint import Endpoint
from hybrid.plus.errors import PlusAnswerLost, PlusError, PlusProtocolError, PlusUnreachable, Reason
from hybrid.plus.patience import Passing
from hybrid.redaction import redact

# Raised before a byte of the request was sent.
_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_AFTER_SENDING = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


def fault_of(error: httpx.HTTPError | httpx.InvalidURL, endpoint: Endpoint, operation: str) -> PlusError | Passing:
    """``Passing`` when trying again may help, else the final error."""
    reason = _reason(error)
    if reason == "tls":
        return _untrusted(error, endpoint)
    if isinstance(error, _BEFORE_SENDING):
        return Passing(_unreachable(error, endpoint, reason))
    if isinstance(error, _AFTER_SENDING):
        return Passing(_answer_lost(error, endpoint, operation, reason), was_sent=True)
    return PlusProtocolError(
        f"{endpoint.url} cannot be spoken to ({type(error).__name__}).",
        why=_words(error),
        next_step="check the url, and HTTP_PROXY, HTTPS_PROXY and ALL_PROXY if they are set.",
    )


def _untrusted(error: Exception, endpoint: Endpoint) -> PlusUnreachable:
    return PlusUnreachable(
        f"The certificate of {endpoint.url} is not trusted, or it does not speak TLS.",
        why=_words(error),
        next_step="if your network inspects TLS, point SSL_CERT_FILE at its certificate authority; "
        "if the address is plain, write http:// in the url.",
        reason="tls",
    )


def _unreachable(error: Exception, endpoint: Endpoint, reason: Reason) -> PlusUnreachable:
    what, next_step = {
        "dns": (
            f"There is no host of the name in {endpoint.url}.",
            "check the organization's name and region in the stack file, and this machine's DNS.",
        ),
        "refused": (
            f"Nothing listens at {endpoint.url}.",
            "start it (`hybrid up local` for the embedded Dagster+), or correct the url.",
        ),
        "timeout": (
            f"No connection to {endpoint.url} came about in time.",
            "check the network (proxy, VPN, firewall) and run the same command again.",
        ),
    }.get(
        reason,
        (
            f"{endpoint.url} could not be connected to.",
            "check the network (proxy, VPN, firewall) and run the same command again.",
        ),
    )
    return PlusUnreachable(what, why=_words(error), next_step=next_step, reason=reason)


def _answer_lost(error: Exception, endpoint: Endpoint, operation: str, reason: Reason) -> PlusAnswerLost:
    timed_out = isinstance(error, httpx.TimeoutException)
    return PlusAnswerLost(
        f"{endpoint.url} took {operation} and did not answer"
        + (" in time." if timed_out else ": the connection broke."),
        why=_words(error),
        next_step="look whether it had its effect (`hybrid status`), then run the same command again.",
        reason="timeout" if timed_out else reason,
    )


def _reason(error: Exception) -> Reason:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return "tls"
        if isinstance(cause, socket.gaierror):
            return "dns"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    return "closed" if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) else "other"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _words(error: Exception) -> str | None:
    return redact(str(error)).strip() or None
