"""One cluster: a client by kubeconfig and context, calls in plain JSON, and errors that people can read."""

from __future__ import annotations

import logging
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.kubernetes.errors import (
    KubeconfigMissing,
    KubeContextMissing,
    KubernetesConflict,
    KubernetesCredentialsRefused,
    KubernetesNotFound,
    KubernetesTooOld,
    KubernetesWrongCluster,
    refused,
    unasked,
)
from hybrid.kubernetes.kinds import POD, SECRET, Kind
from hybrid.redaction import redact

OLDEST: Final = (1, 22)
"""Server-side apply, by which Pulumi's provider works, and policy/v1 are there from this version on
(kubernetes.io/docs/reference/using-api/server-side-apply, deprecation-guide)."""

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30
_PAGE: Final = 500
_JSON: Final = "application/json"
# Names and labels without contents (kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches)
_METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_METADATA_OF_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_ANSWERS: Final = dict.fromkeys((200, 201, 202), "object")  # "object": plain JSON, not the client's models


@dataclass(frozen=True)
class Version:
    """An API server's version, such as 1.34 and ``v1.34.2-eks-1a2b3c``."""

    major: int
    minor: int
    text: str

    def __str__(self) -> str:
        return self.text


class Cluster:
    """The door to one cluster.

    ``kubeconfig``: a file; None takes KUBECONFIG, then ~/.kube/config, then, inside of a pod, its own service account.
    ``context``: one of its names; None takes the current one. ``server``: the API server's address; a context that
    leads elsewhere is refused before anything is asked, None takes any. Safe for threads; nothing is opened before it
    is needed.
    """

    def __init__(self, kubeconfig: str | None = None, context: str | None = None, server: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.context = context
        self._expected = server
        self._lock = threading.RLock()
        self._api: Any = None

    @property
    def server(self) -> str:
        """The API server's address. Raises ``KubernetesError``."""
        return str(self._client().configuration.host)

    def version(self) -> Version:
        """Raises ``KubernetesError``."""
        told = self._json("say of which version it is", "GET", "/version")
        numbers = [re.match(r"\d+", str(told.get(part, ""))) for part in ("major", "minor")]
        major, minor = (int(number[0]) if number else 0 for number in numbers)
        return Version(major, minor, str(told.get("gitVersion") or f"{major}.{minor}"))

    def check_version(self) -> Version:
        """Raises ``KubernetesTooOld``, and other ``KubernetesError`` when the cluster cannot be asked."""
        found = self.version()
        if (found.major, found.minor) < OLDEST:
            raise KubernetesTooOld(
                f"The cluster at {self.server} is of version {found}; a stack needs {OLDEST[0]}.{OLDEST[1]} or newer.",
                why="Older ones have no server-side apply and no policy/v1.",
                next_step="upgrade the cluster, or name another context.",
            )
        return found

    def listed(
        self, kind: Kind, namespace: str, labels: str = "", fields: str = "", *, contents: bool = True
    ) -> list[Any]:
        """Objects of a namespace as the API tells them, page by page. ``labels`` and ``fields`` are selectors;
        without ``contents`` metadata alone, which is all that is ever asked of Secrets. Raises ``KubernetesError``."""
        found: list[Any] = []
        more = ""
        asked = {"labelSelector": labels, "fieldSelector": fields, "limit": str(_PAGE)}
        accept = _accept(kind, contents, listed=True)
        doing = f"list the {kind.noun}s" + (f" of {namespace}" if namespace else "")
        while True:
            told = self._json(doing, "GET", _path(kind, namespace), {**asked, "continue": more}, accept=accept)
            found += told.get("items") or []
            more = str((told.get("metadata") or {}).get("continue") or "")
            if not more:
                return found

    def find(self, kind: Kind, namespace: str, name: str, *, contents: bool = True) -> Any | None:
        """One object, or None when it is not there. Of a Secret its metadata only. Raises ``KubernetesError``."""
        try:
            path = _path(kind, namespace, name)
            return self._json(f"look at the {kind.noun} {name}", "GET", path, accept=_accept(kind, contents))
        except KubernetesNotFound:
            return None

    def remove(self, kind: Kind, namespace: str, name: str, uid: str) -> bool:
        """Ask for the end of this very object (``uid``), and of what belongs to it. False when it is gone, or another
        one has its name. Raises ``KubernetesError``."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            self._json(f"remove the {kind.noun} {name}", "DELETE", _path(kind, namespace, name), body=body)
        except (KubernetesNotFound, KubernetesConflict):
            return False
        return True

    def ask(self, doing: str, path: str, body: Mapping[str, Any]) -> Any:
        """Have the API answer a question that is put as an object, such as an access review."""
        return self._json(doing, "POST", path, body=body)

    def log(self, namespace: str, pod: str, query: Mapping[str, str]) -> str:
        """What a container of a pod logged. ``query`` as in
        kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1 (read log). Raises ``KubernetesError``."""
        with self._doing(f"read the log of the pod {pod}"):
            response = self._call("GET", f"{_path(POD, namespace, pod)}/log", query, accept="*/*", whole=False)
            return bytes(response.data).decode("utf-8", "replace")

    def _json(
        self,
        doing: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        accept: str = _JSON,
    ) -> Any:
        with self._doing(doing):
            told = self._call(method, path, query or {}, body=body, accept=accept)
        if not isinstance(told, dict):
            raise refused(doing, 200, "the answer is no JSON object; something other than an API server answered")
        return told

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any = None,
        accept: str = _JSON,
        whole: bool = True,
    ) -> Any:
        return self._client().call_api(
            path,
            method,
            query_params=[(name, value) for name, value in query.items() if value],
            header_params={"Accept": accept, "Content-Type": _JSON},
            body=body,
            auth_settings=["BearerToken"],
            response_types_map=_ANSWERS,
            _return_http_data_only=True,
            _preload_content=whole,
            _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        """Turns the client's errors into ours. ``what`` completes "The cluster refused to …"."""
        import urllib3
        from kubernetes.client import ApiException

        client = self._client()  # its own errors are of the kubeconfig, whatever was to be done
        host = str(client.configuration.host)
        try:
            yield
        except ApiException as error:
            if not error.status:  # the client's way to tell of TLS
                raise unasked(what, host, error) from None
            body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
            raise refused(what, int(error.status), body) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unasked(what, host, error) from None
        except ValueError as error:  # JSON that is none, or an address that is none
            raise unasked(what, host, error) from None

    def _client(self) -> Any:
        with self._lock:
            if self._api is None:
                self._api = _opened(self.kubeconfig, self.context, self._expected)
            return self._api


def _opened(kubeconfig: str | None, context: str | None, expected: str | None) -> Any:
    import urllib3
    from kubernetes import client

    settings = client.Configuration()
    files = _files(kubeconfig)
    if files:
        _load(settings, files, context)
    elif kubeconfig is None and context is None and _SERVICE_ACCOUNT.is_file():
        from kubernetes import config

        config.load_incluster_config(client_configuration=settings)
    else:
        raise _no_kubeconfig(kubeconfig)
    if not str(settings.host).startswith(("https://", "http://")):
        raise _unusable(", ".join(files), ValueError(f"its server '{settings.host}' is no address"))
    if expected is not None and _address(settings.host) != _address(expected):
        raise KubernetesWrongCluster(
            f"The context {context or '(the current one)'} leads to {settings.host}, the stack's cluster is "
            f"{expected}.",
            why="Nothing was asked of it, and nothing was changed.",
            next_step="name the context of the stack's cluster; or, when the stack is to move, correct its file.",
        )
    # one more attempt for a connection that broke; what was sent is never sent twice
    settings.retries = urllib3.Retry(total=1, connect=1, read=0, redirect=0, status=0, backoff_factor=0.2)
    return client.ApiClient(settings)


def _files(kubeconfig: str | None) -> list[str]:
    """The files that are there, by the rules of kubectl. Read anew each time: the client keeps what KUBECONFIG was
    when it was imported."""
    named = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    each = [named] if kubeconfig else named.split(os.pathsep)
    return [str(path) for one in each if one and (path := Path(one).expanduser()).is_file()]


def _load(settings: Any, files: list[str], context: str | None) -> None:
    from kubernetes import config
    from kubernetes.config.kube_config import KubeConfigMerger
    from yaml import YAMLError

    joined = os.pathsep.join(files)
    said = _Said()
    root = logging.getLogger()
    root.addHandler(said)  # of a login program that fails the client tells by the log alone
    try:
        told = KubeConfigMerger(joined).config.value
        known = sorted(str(one["name"]) for one in told.get("contexts") or [])
        if (context or told.get("current-context")) not in known:
            raise _no_context(joined, context or told.get("current-context"), known)
        config.load_kube_config(joined, context=context, client_configuration=settings, persist_config=False)
    except config.ConfigException as error:
        raise _unusable(joined, error) from None
    except (YAMLError, OSError, TypeError, AttributeError, KeyError, ValueError) as error:
        # a file of another shape than a kubeconfig's fails in the client wherever it looks first
        raise _unusable(joined, error) from None
    finally:
        root.removeHandler(said)
    if said.lines:
        raise KubernetesCredentialsRefused(
            "The program that logs in to the cluster failed.",
            why=redact("\n".join(said.lines)),
            next_step="run `kubectl get namespaces`, which uses the same program; log in, or install what it names.",
        )


class _Said(logging.Handler):
    """Keeps what the client logs as an error while it reads a kubeconfig."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _no_kubeconfig(kubeconfig: str | None) -> KubeconfigMissing:
    if kubeconfig:
        what = f"There is no kubeconfig {kubeconfig}."
    elif named := os.environ.get("KUBECONFIG"):
        what = f"There is no kubeconfig at {named}, which KUBECONFIG names."
    else:
        what = "There is no kubeconfig: KUBECONFIG is not set, and ~/.kube/config is not there."
    return KubeconfigMissing(
        what,
        why="It says where the cluster is and how to log in; nothing was asked of any cluster.",
        next_step="`aws eks update-kubeconfig --name NAME`, `az aks get-credentials`, `gcloud container clusters "
        "get-credentials`, or set KUBECONFIG to the file.",
    )


def _no_context(files: str, context: str | None, known: list[str]) -> KubeContextMissing:
    step = "name one of those as `context` in the stack's file" if context else "`kubectl config use-context NAME`"
    return KubeContextMissing(
        f"The kubeconfig {files} has no {f'context {context}' if context else 'current context'}.",
        why=f"It has {', '.join(known)}." if known else "It has none at all.",
        next_step=f"{step}; a cluster that is not among them has to be added first, as by `aws eks update-kubeconfig`.",
    )


def _unusable(files: str, fault: Exception) -> KubeconfigMissing:
    return KubeconfigMissing(
        f"The kubeconfig {files} cannot be used.",
        why=redact(f"{type(fault).__name__}: {fault}"),
        next_step="look at it by `kubectl config view`, or get it anew.",
    )


def _address(server: str) -> str:
    return str(server).rstrip("/").lower()


def _accept(kind: Kind, contents: bool, *, listed: bool = False) -> str:
    """What to ask for: never the contents of a Secret."""
    if contents and kind is not SECRET:
        return _JSON
    return _METADATA_OF_LIST if listed else _METADATA


def _path(kind: Kind, namespace: str, name: str | None = None) -> str:
    within = f"/namespaces/{_quoted(namespace)}" if kind.namespaced and namespace else ""
    return f"{kind.prefix}{within}/{kind.plural}" + (f"/{_quoted(name)}" if name is not None else "")


def _quoted(segment: str) -> str:
    """A part of a path: a name from a repository must not lead to another path."""
    if not segment.strip("."):
        raise KubernetesNotFound(f"'{segment}' is no name.", next_step="correct it where it is written.")
    return urllib.parse.quote(segment, safe="")
