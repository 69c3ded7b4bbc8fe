"""What can go wrong between this machine and a cluster, told apart by what the reader does next."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from hybrid.errors import HybridError
from hybrid.redaction import redact


class KubernetesError(HybridError):
    """The cluster refused, or could not be asked. ``status`` is HTTP's, 0 when there was no answer; ``reason`` is
    Kubernetes' own word for it, such as ``NotFound``."""

    status: int = 0
    reason: str = ""


class KubeconfigMissing(KubernetesError):
    """There is no kubeconfig where the Kubernetes tools look for one, or it cannot be read."""


class KubeContextMissing(KubernetesError):
    """The kubeconfig has not the context that is asked for, or no current one."""


class KubernetesWrongCluster(KubernetesError):
    """The context leads to another cluster than the stack's."""


class KubernetesUnreachable(KubernetesError):
    """No answer from the cluster."""


class KubernetesCertificateRefused(KubernetesError):
    """The cluster's certificate is not the one that the kubeconfig expects, or ours is not valid any more."""


class KubernetesCredentialsRefused(KubernetesError):
    """The cluster does not know these credentials, or they could not be had."""


class KubernetesDenied(KubernetesError):
    """The identity may not do this."""


class KubernetesQuotaReached(KubernetesError):
    """A quota or a limit of the namespace stands against it."""


class KubernetesThrottled(KubernetesError):
    """The cluster asks for patience."""


class KubernetesNotFound(KubernetesError):
    """What was asked for is not there."""


class KubernetesConflict(KubernetesError):
    """It was changed, or made anew, between a look and a change."""


class KubernetesTooOld(KubernetesError):
    """The cluster's version lacks what a stack needs."""


_ANONYMOUS: Final = "system:anonymous"
_QUOTA: Final = re.compile(r"exceeded quota|LimitRanger|is forbidden: (maximum|minimum) ", re.I)
_LOGIN: Final = (
    "log in again (`aws eks update-kubeconfig`, `az aks get-credentials`, `gcloud container clusters get-credentials`, "
    "or what your cluster has), try `kubectl get namespaces`, then run the same command again."
)
_CERTIFICATE: Final = re.compile(r"SSLError|SSLCertVerificationError|certificate|CERTIFICATE|TLSV1|tlsv13", re.I)


def refused(doing: str, status: int, body: str) -> KubernetesError:
    """The error for an answer of the API server. ``doing``: what was tried, as in "list the pods of team-a"."""
    reason, message = _told(body)
    said = f"{reason or status}: {redact(message)}"
    error = _kind(doing, status, message, said)
    error.status, error.reason = status, reason
    return error


def _kind(doing: str, status: int, message: str, said: str) -> KubernetesError:
    if status == 401 or (status == 403 and _ANONYMOUS in message):
        return KubernetesCredentialsRefused(
            "The cluster does not accept the credentials of this context.",
            why=f"It was to {doing}. {said}",
            next_step=_LOGIN,
        )
    if status == 403 and _QUOTA.search(message):
        return KubernetesQuotaReached(
            f"A quota or limit of the namespace does not let the cluster {doing}.",
            why=said,
            next_step="raise the ResourceQuota or LimitRange that is named, or ask for less, then run it again.",
        )
    if status == 403:
        return KubernetesDenied(
            f"The cluster does not allow this identity to {doing}.",
            why=said,
            next_step="take a context that may, or have a Role with the verb and resource that are named bound to it.",
        )
    if status == 429:
        return KubernetesThrottled(
            f"The cluster has too many requests at once to {doing}.",
            why=said,
            next_step="wait a minute and run the same command again.",
        )
    kinds = {404: KubernetesNotFound, 409: KubernetesConflict}
    return kinds.get(status, KubernetesError)(
        f"The cluster refused to {doing}.", why=said, next_step="mend what it names, and run the command again."
    )


def unasked(doing: str, server: str, fault: Exception) -> KubernetesError:
    """The error for a request that got no answer. ``fault`` is the client's; ``server`` the API server's address."""
    said = redact(f"{type(fault).__name__}: {' '.join(str(fault).split())}")
    if _CERTIFICATE.search(said):
        return KubernetesCertificateRefused(
            f"No trusted connection to the cluster at {server}.",
            why=f"It was to {doing}. {said}",
            next_step="get the cluster's kubeconfig anew: its certificate-authority, or the client certificate in it, "
            "is of another cluster or has expired; behind a proxy that opens TLS, add its authority to the file.",
        )
    return KubernetesUnreachable(
        f"The cluster at {server} could not be asked to {doing}.",
        why=said,
        next_step="look whether the cluster runs, at the network, VPN and proxy (HTTPS_PROXY, NO_PROXY), and at "
        "`kubectl cluster-info`; a private endpoint answers from its own network alone.",
    )


def _told(body: str) -> tuple[str, str]:
    """Reason and message of a Status object; anything else is a message, cut short: it may be a proxy's page."""
    try:
        status: Any = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return "", " ".join(body.split())[:300]
    return str(status.get("reason") or ""), str(status.get("message") or "")
