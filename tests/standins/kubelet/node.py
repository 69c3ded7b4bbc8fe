"""The node: registered, its lease renewed, its Pods brought to life."""

from __future__ import annotations

import json
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.standins.kubelet.cluster import Cluster, Object, now
from tests.standins.kubelet.engine import Engine
from tests.standins.kubelet.log_server import LogServer
from tests.standins.kubelet.place import CPUS, GATEWAY, MEMORY, NODE, Place
from tests.standins.kubelet.pod_life import PodLife
from tests.standins.kubelet.service_names import ServiceNames

_RENEW_SECONDS: Final = 10.0
_AGAIN_SECONDS: Final = 0.5
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Node:
    """``start`` returns when it is registered and ready."""

    def __init__(self, place: Place, *, certificate: Path, key: Path, authority: Path) -> None:
        self._place = place
        self._cluster = Cluster(place.kubeconfig)
        self._names = ServiceNames(place.folder / "hosts", place.server)
        self._lives: dict[str, PodLife] = {}
        self._pulled: set[str] = set()
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._logs = LogServer(
            GATEWAY, self._find, certificate=str(certificate), key=str(key), authority=str(authority)
        )

    def start(self) -> None:
        self._logs.start()
        self._register()
        for name, work in (("lease", self._renew), ("pods", self._follow_pods), ("names", self._follow_names)):
            threading.Thread(target=work, daemon=True, name=name).start()

    def end(self) -> None:
        """Remove all containers, as they are."""
        self._ended.set()
        self._logs.stop()
        Engine().clear()

    def _register(self) -> None:
        architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
        self._cluster.post("/api/v1/nodes", {
            "kind": "Node", "apiVersion": "v1",
            "metadata": {"name": NODE, "labels": {
                "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture,
            }},
        })  # fmt: skip
        has = {"cpu": CPUS, "memory": MEMORY, "pods": "110", "ephemeral-storage": "64Gi"}
        self._cluster.patch(f"/api/v1/nodes/{NODE}/status", {"status": {
            "capacity": has, "allocatable": has,
            "addresses": [{"type": "InternalIP", "address": GATEWAY}, {"type": "Hostname", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs.port}},
            "nodeInfo": {
                "architecture": architecture, "operatingSystem": "linux", "kubeletVersion": "v0-standin",
                "containerRuntimeVersion": "docker://standin", "osImage": "STAND-IN (tests/standins/kubelet)",
                "bootID": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "systemUUID": "",
            },
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now(),
                 "lastTransitionTime": now()},
            ],
        }})  # fmt: skip

    def _renew(self) -> None:
        lease: dict[str, Any] = {
            "kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"name": NODE},
            "spec": {"holderIdentity": NODE, "leaseDurationSeconds": 40},
        }  # fmt: skip
        while True:
            with self._recorded():
                spec = {"renewTime": f"{now()[:-1]}.000000Z"}
                # there is none yet, nor its namespace while the API server is young: without one the node is lost
                if self._cluster.patch(f"{_LEASES}/{NODE}", {"spec": spec}) is None:
                    self._cluster.post(_LEASES, {**lease, "spec": {**lease["spec"], **spec}})
                beat = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now()}
                self._cluster.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"conditions": [beat]}})
            if self._ended.wait(_RENEW_SECONDS):
                return

    def _follow_pods(self) -> None:
        there: set[str] = set()

        def take(kind: str, pod: dict[str, Any]) -> None:
            if kind == "SYNCED":
                for uid in set(self._lives) - there:  # went while nobody watched
                    self._lives.pop(uid).gone()
                return
            uid = pod["metadata"]["uid"]
            there.add(uid)
            if kind == "DELETED":
                there.discard(uid)
                if uid in self._lives:
                    self._lives.pop(uid).gone()
            elif uid in self._lives:
                self._lives[uid].seen(pod)
            else:
                self._begin(uid, pod)

        self._follow("/api/v1/pods", there.clear, take, fieldSelector=f"spec.nodeName={NODE}")

    def _begin(self, uid: str, pod: Object) -> None:
        self._lives[uid] = PodLife(pod, self._cluster, self._place, self._pulled, self._names.file_for, self._event)
        self._lives[uid].start()

    def _follow_names(self) -> None:
        def take(kind: str, endpoints: dict[str, Any]) -> None:
            if kind != "SYNCED":
                self._names.change(kind, endpoints)

        self._follow("/apis/discovery.k8s.io/v1/endpointslices", self._names.forget, take)

    def _follow(
        self, path: str, before: Callable[[], None], take: Callable[[str, dict[str, Any]], None], **selectors: str
    ) -> None:
        """Give all there is and each change to ``take``, until the end."""
        while not self._ended.is_set():
            with self._recorded():
                before()
                for kind, found in self._cluster.watch(path, **selectors):
                    if kind != "BOOKMARK":
                        take(kind, found)
            self._ended.wait(_AGAIN_SECONDS)

    def _find(self, namespace: str, pod: str, container: str, previous: bool) -> str | None:
        for life in list(self._lives.values()):
            meta = life.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, pod):
                return life.container(container, previous=previous)
        return None

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """What goes wrong in a loop is an event, and the loop goes on: the API server may be busy, or ending."""
        try:
            yield
        except httpx.TransportError:
            return
        except Exception:
            if not self._ended.is_set():
                self._event("fault", error=traceback.format_exc())

    def _event(self, what: str, **more: Any) -> None:
        line = json.dumps({"at": time.time(), "what": what, **more}, default=str)
        with self._writing, self._place.events.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
