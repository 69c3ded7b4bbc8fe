"""The cluster whose node is a double with containers, as tests hold it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.containers.stand import Containers
from tests.kubernetes.served_cluster import ServedCluster
from tests.standins.kubelet.place import GATEWAY, LABEL, NODE, POD_LABEL


class KubernetesLab(ServedCluster):
    """``with KubernetesLab(containers, folder) as lab:`` has one until the block ends. It leaves nothing behind. There
    is one at a time on a machine: another session's is waited for."""

    gateway: Final = GATEWAY
    """The address by which Pods reach this machine, and the API server's."""

    def __init__(self, containers: Containers, folder: Path) -> None:
        super().__init__(folder, NODE, ["--pause-image", containers.python_image], containers.environ)
        self._docker = containers

    def allow_pulls(self, namespace: str, account: str = "default", name: str = "registry") -> None:
        """A pull secret for the tests' registry, and Pods of ``account`` have it."""
        login = {"username": self._docker.username, "password": self._docker.password}
        text = json.dumps({"auths": {self._docker.registry: login}})
        self.apply({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "namespace": namespace}, "stringData": {".dockerconfigjson": text},
        })  # fmt: skip
        self.core().patch_namespaced_service_account(account, namespace, {"imagePullSecrets": [{"name": name}]})

    def containers(self, *more: str) -> list[str]:
        """The names of its containers, running or not; ``more`` are further filters of ``docker ps``."""
        return self._docker.names(f"label={LABEL}", *more)

    def containers_of(self, namespace: str, pod: str) -> list[str]:
        return self.containers(f"label={POD_LABEL}={namespace}/{pod}")

    def left_behind(self) -> list[str]:
        """What is there of its own Pods. Once it has ended, the containers may be those of the next cluster, which
        waited for that."""
        pods = {(str(event["namespace"]), str(event["pod"])) for event in self.events if "pod" in event}
        return [name for namespace, pod in sorted(pods) for name in self.containers_of(namespace, pod)]
