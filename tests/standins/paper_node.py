"""A double of a node that runs nothing: its Pods have the life that their annotations tell. For tests of what the API
server, its rights and its controllers do with Pods; ``tests.standins.kubelet`` is the one with containers.

Annotations of a Pod: ``LIFE`` is ``ready`` (the default), ``crashing`` (its container ended and waits to be started
again) or ``failed`` (it ended, for good); ``AFTER`` are the seconds until then; ``SAYS`` is its log.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from tests.standins.kubelet.cluster import Cluster, Object, now, pod_path

NODE: Final = "paper-node"
ADDRESS: Final = "127.0.0.1"
LIFE: Final = "paper.test/life"
AFTER: Final = "paper.test/after"
SAYS: Final = "paper.test/says"

_AGAIN_SECONDS: Final = 0.2
_EXIT: Final = 3


class PaperNode:
    """``start`` returns when it is registered and ready."""

    def __init__(self, kubeconfig: Path, *, certificate: Path, key: Path, authority: Path) -> None:
        self._cluster = Cluster(kubeconfig)
        self._ended = threading.Event()
        self._begun: set[str] = set()
        said = type("Handler", (_Logs,), {"cluster": self._cluster})
        self._server = ThreadingHTTPServer((ADDRESS, 0), said)
        trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
        trusted.verify_mode = ssl.CERT_REQUIRED
        trusted.load_cert_chain(certificate, key)
        self._server.socket = trusted.wrap_socket(self._server.socket, server_side=True)

    def start(self) -> None:
        self._register()
        for work in (self._server.serve_forever, self._follow):
            threading.Thread(target=work, daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        self._server.shutdown()

    def _register(self) -> None:
        self._cluster.post("/api/v1/nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {"name": NODE}})
        has = {"cpu": "64", "memory": "64Gi", "pods": "110"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now(),
                 "lastTransitionTime": now()}  # fmt: skip
        self._cluster.patch(f"/api/v1/nodes/{NODE}/status", {"status": {
            "capacity": has, "allocatable": has, "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": ADDRESS}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": int(self._server.server_address[1])}},
        }})  # fmt: skip

    def _follow(self) -> None:
        while not self._ended.wait(_AGAIN_SECONDS):
            with contextlib.suppress(httpx.HTTPError):  # the API server may be busy, or ending
                for kind, pod in self._cluster.watch("/api/v1/pods", fieldSelector=f"spec.nodeName={NODE}"):
                    if kind in {"ADDED", "MODIFIED"}:
                        self._see(pod)

    def _see(self, pod: Object) -> None:
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            self._cluster.delete_now(pod_path(pod), meta["uid"])
        elif meta["uid"] not in self._begun:
            self._begun.add(meta["uid"])
            after = float((meta.get("annotations") or {}).get(AFTER, "0"))
            threading.Timer(after, self._live, [pod]).start()

    def _live(self, pod: Object) -> None:
        life = (pod["metadata"].get("annotations") or {}).get(LIFE, "ready")
        with contextlib.suppress(httpx.HTTPError):
            self._cluster.patch(f"{pod_path(pod)}/status", {"status": status_of(pod, life)})
            if life == "crashing":
                self._cluster.event(pod, "Warning", "BackOff", "Back-off restarting failed container")


def status_of(pod: Object, life: str) -> dict[str, Any]:
    """A Pod's status, as the merge patch. Pure."""
    ended = {"terminated": {"exitCode": _EXIT, "reason": "Error", "startedAt": now(), "finishedAt": now()}}
    state, last, phase = {
        "ready": ({"running": {"startedAt": now()}}, {}, "Running"),
        "crashing": ({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, ended, "Running"),
        "failed": (ended, {}, "Failed"),
    }[life]
    ready = life == "ready"
    containers = [
        {"name": one["name"], "image": one["image"], "imageID": "", "ready": ready, "started": ready,
         "restartCount": int(life == "crashing"), "state": state, "lastState": last}
        for one in pod["spec"]["containers"]
    ]  # fmt: skip
    holds = {"Initialized": True, "ContainersReady": ready, "Ready": ready}
    return {
        "phase": phase, "hostIP": ADDRESS, "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}], "startTime": now(),
        "conditions": [{"type": kind, "status": str(held)} for kind, held in holds.items()],
        "containerStatuses": containers,
    }  # fmt: skip


class _Logs(BaseHTTPRequestHandler):
    """A kubelet's port, as far as the API server asks it for logs."""

    cluster: Cluster

    def do_GET(self) -> None:
        _, namespace, pod, _ = self.path.partition("?")[0].strip("/").split("/")
        found = self.cluster.get(f"/api/v1/namespaces/{namespace}/pods/{pod}") or {"metadata": {}}
        said = (found["metadata"].get("annotations") or {}).get(SAYS, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        return
