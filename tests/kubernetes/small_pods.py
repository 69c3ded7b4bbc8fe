"""Small Pods on the lab: a shell of the tests' base image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kubernetes.client import ApiException

from tests.kubernetes.lab import KubernetesLab

OBEDIENT: Final = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
"""Runs until it is asked to end."""
STUBBORN: Final = "trap '' TERM; while :; do sleep 0.1; done"
"""Runs until it is killed."""


@dataclass
class SmallPods:
    """Makes and asks, in one namespace."""

    lab: KubernetesLab
    namespace: str
    image: str

    def __post_init__(self) -> None:
        self.core, self.apps, self.batch = self.lab.core(), self.lab.apps(), self.lab.batch()

    def spec(
        self, script: str, *, grace: int = 2, container: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Of a Pod that runs ``script`` in a shell; ``container`` and ``more`` are laid over it."""
        main = {"name": "main", "image": self.image, "command": ["sh", "-c", script], **(container or {})}
        return {"containers": [main], "terminationGracePeriodSeconds": grace, **more}

    def make(self, name: str, script: str, **more: Any) -> None:
        """A Pod that is not started again, unless ``more`` says so."""
        spec = self.spec(script, **{"restartPolicy": "Never", **more})
        self.core.create_namespaced_pod(
            self.namespace, {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
        )

    def run(self, name: str, script: str, *, seconds: float = 60, **more: Any) -> Any:
        """The same, and the Pod once it has ended."""
        self.make(name, script, **more)
        return self.until_phase(name, "Succeeded", "Failed", seconds=seconds)

    def deploy(self, name: str, script: str, *, replicas: int = 1, **more: Any) -> None:
        """A Deployment of Pods with the label ``app``."""
        template = {"metadata": {"labels": {"app": name}}, "spec": self.spec(script, **more)}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        self.apps.create_namespaced_deployment(self.namespace, {"metadata": {"name": name}, "spec": spec})

    def serve(self, name: str, port: int) -> None:
        """A Service before the Pods with the label ``app``."""
        spec = {"selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]}
        self.core.create_namespaced_service(self.namespace, {"metadata": {"name": name}, "spec": spec})

    def job(self, name: str, script: str, *, backoff: int = 0, **more: Any) -> None:
        template = {"spec": self.spec(script, **{"restartPolicy": "Never", **more})}
        spec = {"backoffLimit": backoff, "template": template}
        self.batch.create_namespaced_job(self.namespace, {"metadata": {"name": name}, "spec": spec})

    def pod(self, name: str) -> Any:
        return self.core.read_namespaced_pod(name, self.namespace)

    def pods(self, selector: str) -> list[Any]:
        return list(self.core.list_namespaced_pod(self.namespace, label_selector=selector).items)

    def gone(self, name: str) -> bool:
        try:
            self.pod(name)
        except ApiException as error:
            return bool(error.status == 404)
        return False

    def log(self, name: str, **more: Any) -> str:
        # the client decodes what looks like JSON, and shows bytes as Python does
        answer = self.core.read_namespaced_pod_log(name, self.namespace, _preload_content=False, **more)
        return str(answer.data.decode())

    def until_phase(self, name: str, *phases: str, seconds: float = 60) -> Any:
        def there() -> Any:
            found = self.pod(name)
            return found if found.status.phase in phases else None

        return self.lab.until(there, seconds=seconds, what=f"{name} is {' or '.join(phases)}")

    def until_waiting(self, name: str, *reasons: str, seconds: float = 30) -> Any:
        """The state ``waiting`` of the Pod's container, once it has one of ``reasons``."""

        def waits() -> Any:
            states = [one.state.waiting for one in self.pod(name).status.container_statuses or []]
            return next((one for one in states if one and one.reason in reasons), None)

        return self.lab.until(waits, seconds=seconds, what=f"{name} waits because of {' or '.join(reasons)}")

    def until_available(self, name: str, *, seconds: float = 60) -> Any:
        """The Deployment, once all its Pods of the newest template are available and alone."""

        def steady() -> Any:
            found = self.apps.read_namespaced_deployment(name, self.namespace)
            status, wanted = found.status, found.spec.replicas
            done = status.observed_generation == found.metadata.generation
            counts = {status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0}
            return found if done and counts == {wanted} else None

        return self.lab.until(steady, seconds=seconds, what=f"{name} is available")

    def reasons(self, name: str) -> list[str]:
        """The reasons of the events about an object, in their order."""
        found = self.core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}").items
        return [event.reason for event in sorted(found, key=lambda one: int(one.metadata.resource_version))]
