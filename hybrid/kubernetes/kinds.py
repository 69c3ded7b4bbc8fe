"""The kinds of objects that are looked at, and where the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """``group`` is the API group, empty for the core; ``noun`` is for sentences."""

    name: str
    group: str
    version: str
    plural: str
    noun: str
    namespaced: bool = True

    @property
    def prefix(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


CONFIG_MAP: Final = Kind("ConfigMap", "", "v1", "configmaps", "config map")
CLAIM: Final = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", "volume claim")
CRON_JOB: Final = Kind("CronJob", "batch", "v1", "cronjobs", "cron job")
DAEMON_SET: Final = Kind("DaemonSet", "apps", "v1", "daemonsets", "daemon set")
DEPLOYMENT: Final = Kind("Deployment", "apps", "v1", "deployments", "deployment")
EVENT: Final = Kind("Event", "", "v1", "events", "event")
JOB: Final = Kind("Job", "batch", "v1", "jobs", "job")
NAMESPACE: Final = Kind("Namespace", "", "v1", "namespaces", "namespace", namespaced=False)
NODE: Final = Kind("Node", "", "v1", "nodes", "node", namespaced=False)
POD: Final = Kind("Pod", "", "v1", "pods", "pod")
REPLICA_SET: Final = Kind("ReplicaSet", "apps", "v1", "replicasets", "replica set")
SECRET: Final = Kind("Secret", "", "v1", "secrets", "secret")
SERVICE: Final = Kind("Service", "", "v1", "services", "service")
SERVICE_ACCOUNT: Final = Kind("ServiceAccount", "", "v1", "serviceaccounts", "service account")
STATEFUL_SET: Final = Kind("StatefulSet", "apps", "v1", "statefulsets", "stateful set")
