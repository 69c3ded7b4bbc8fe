"""A control plane of real parts: etcd, the API server with RBAC, the controllers, the scheduler.

It listens on this machine's own addresses only: etcd and the controllers on 127.0.0.1, the API server on the address
by which containers of the lab's network reach this machine.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from tests.kubernetes import kubeconfig
from tests.kubernetes.certificates import Authority, Pair
from tests.kubernetes.parts import Parts
from tests.ports import free_port
from tests.processes import end, whole_lines

SERVICE_NETWORK: Final = "10.96.0.0/16"
_LOOK: Final = 0.1
_READY_SECONDS: Final = 120.0
_END_SECONDS: Final = 15.0
_NODE_PATIENCE: Final = "10m"  # a machine that is busy with other tests is not a node that is lost

_CONTROLLERS: Final = (
    # all that Pods, their owners and their rights need; none of clouds, volumes and the certificates of nodes
    "clusterrole-aggregation", "cronjob", "daemonset", "deployment", "disruption", "endpointslice",
    "garbage-collector", "job", "namespace", "node-lifecycle", "pod-garbage-collector", "replicaset", "resourcequota",
    "root-ca-certificate-publisher", "serviceaccount", "statefulset", "taint-eviction", "ttl-after-finished",
)  # fmt: skip

_AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]},
        {"level": "None", "users": ["kubelet-standin"]},
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},  # each controller is one
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*", "/openapi*"]},
        {"level": "Metadata"},  # never the bodies: there are Secrets among them
    ],
}


class ControlPlaneError(Exception):
    """A part did not start; with the end of what it said."""


class ControlPlane:
    """``start`` returns when the API server is ready; ``stop`` ends all parts."""

    def __init__(self, parts: Parts, folder: Path, address: str) -> None:
        self._parts, self.folder, self._address = parts, folder, address
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.port = free_port()
        self.authority = Authority(folder / "certificates")

    @property
    def server(self) -> str:
        return f"https://{self._address}:{self.port}"

    @property
    def admin(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def kubelet(self) -> Path:
        return self.folder / "kubelet.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.jsonl"

    def start(self) -> None:
        etcd = self._start_etcd()
        self._start_apiserver(etcd)
        for path, user in ((self.admin, "admin"), (self.kubelet, "kubelet-standin")):
            pair = self.authority.client(user, "system:masters")
            kubeconfig.by_certificate(path, self.server, self.authority.certificate, pair)
        self._until_ready()
        self._start_controllers()

    def stop(self) -> None:
        for name in reversed(list(self._processes)):
            end(self._processes.pop(name), _END_SECONDS)

    def check(self) -> None:
        """Raises ControlPlaneError when a part has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise ControlPlaneError(f"{name} ended with {process.returncode}:\n{self._last_words(name)}")

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd", self._parts.etcd,
            "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        )  # fmt: skip
        return client

    def _start_apiserver(self, etcd: str) -> None:
        names = ("127.0.0.1", self._address, "localhost", "kubernetes.default", "kubernetes.default.svc",
                 "kubernetes.default.svc.cluster.local", "10.96.0.1")  # fmt: skip
        serving = self.authority.server("apiserver", *names)
        self._accounts = self.authority.signing_key("service-accounts")
        to_kubelet = self.authority.client("apiserver", "system:masters")
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_AUDIT_POLICY))
        self._run(
            "kube-apiserver", self._parts.apiserver,
            f"--etcd-servers={etcd}", f"--bind-address={self._address}", f"--advertise-address={self._address}",
            f"--secure-port={self.port}", f"--service-cluster-ip-range={SERVICE_NETWORK}",
            *_files(serving), f"--client-ca-file={self.authority.certificate}",
            "--authorization-mode=RBAC", "--anonymous-auth=false", "--endpoint-reconciler-type=none",
            f"--service-account-issuer={self.server}", f"--service-account-key-file={self._accounts}",
            f"--service-account-signing-key-file={self._accounts}",
            f"--kubelet-client-certificate={to_kubelet.certificate}", f"--kubelet-client-key={to_kubelet.key}",
            f"--kubelet-certificate-authority={self.authority.certificate}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-mode=blocking",
            "--enable-priority-and-fairness=false", "--profiling=false", "--v=1",
        )  # fmt: skip

    def _start_controllers(self) -> None:
        for name, program in (
            ("kube-controller-manager", self._parts.controller_manager),
            ("kube-scheduler", self._parts.scheduler),
        ):
            pair = self.authority.client(f"system:{name}")
            path = self.folder / f"{name}.kubeconfig"
            kubeconfig.by_certificate(path, self.server, self.authority.certificate, pair)
            more: Sequence[str] = ()
            if name == "kube-controller-manager":
                more = (
                    "--use-service-account-credentials=true",
                    f"--root-ca-file={self.authority.certificate}",
                    f"--service-account-private-key-file={self._accounts}",
                    f"--controllers={','.join(f'{one}-controller' for one in _CONTROLLERS)}",
                    f"--node-monitor-grace-period={_NODE_PATIENCE}",
                )
            self._run(
                name, program, f"--kubeconfig={path}", "--leader-elect=false", "--bind-address=127.0.0.1",
                f"--secure-port={free_port()}", f"--cert-dir={self.folder / 'certificates'}", *more,
            )  # fmt: skip

    def _until_ready(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        trusted = ssl.create_default_context(cafile=str(self.authority.certificate))
        pair = self.authority.client("readiness", "system:masters")
        trusted.load_cert_chain(pair.certificate, pair.key)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
        )
        why = ""
        while time.monotonic() < end:
            self.check()
            try:
                with opener.open(f"{self.server}/readyz", timeout=5):
                    return
            except OSError as error:
                why = str(error)
            time.sleep(_LOOK)
        raise ControlPlaneError(f"kube-apiserver is not ready: {why}\n{self._last_words('kube-apiserver')}")

    def _run(self, name: str, program: Path, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def _last_words(self, name: str) -> str:
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:])


def _files(pair: Pair) -> tuple[str, str]:
    return f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}"


def audited(log: Path) -> list[dict[str, object]]:
    """The calls of an audit log so far, whole lines only."""
    return [json.loads(line) for line in whole_lines(log)]
