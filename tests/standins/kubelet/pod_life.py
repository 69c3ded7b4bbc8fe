"""The life of one Pod on this node, in a thread of its own: from ``Pending`` until nothing of it is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.standins.kubelet.cluster import Cluster, Object, now, pod_path
from tests.standins.kubelet.container_life import ContainerLife, Ground, Pulled
from tests.standins.kubelet.engine import Engine
from tests.standins.kubelet.environment import Values
from tests.standins.kubelet.failures import VolumeError
from tests.standins.kubelet.place import GATEWAY, Place
from tests.standins.kubelet.pod_status import status_of
from tests.standins.kubelet.volumes import Volumes

_LOOK: Final = 0.2
_TRY_VOLUMES_SECONDS: Final = 2.0
_GRACE: Final = 30


class PodLife(threading.Thread):
    """``seen`` gives it the Pod as it is now; ``gone`` that there is none any more."""

    def __init__(
        self, pod: Object, cluster: Cluster, place: Place, pulled: Pulled, hosts: Callable[[str], Path],
        say: Callable[..., None],
    ) -> None:  # fmt: skip
        super().__init__(daemon=True, name=f"pod {pod['metadata']['name']}")
        self.pod = pod
        self._cluster, self._place, self._pulled, self._hosts, self._say_what = cluster, place, pulled, hosts, say
        self._changed = threading.Event()
        self._object_gone = False
        self._held, self._address = "", ""
        self._init: list[ContainerLife] = []
        self._main: list[ContainerLife] = []
        self._told: dict[str, Any] = {}
        self._since = now()
        self._conditions: dict[str, tuple[str, str]] = {}
        self._volumes = Volumes(cluster, pod, place.volumes / pod["metadata"]["uid"])

    def seen(self, pod: Object) -> None:
        self.pod = pod
        self._changed.set()

    def gone(self) -> None:
        self._object_gone = True
        self._changed.set()

    def container(self, name: str, *, previous: bool) -> str | None:
        """Docker's id of a container of the Pod, for its log."""
        for one in (*self._init, *self._main):
            if one.name == name:
                return one.previous if previous else one.id
        return None

    def run(self) -> None:
        self._engine = Engine()
        try:
            if self._start():
                self._live()
        except Exception as error:
            self._say("fault", error=f"{type(error).__name__}: {error}")
        try:
            self._end()
        except Exception as error:
            self._say("fault", error=f"while it ended: {type(error).__name__}: {error}")

    @property
    def _over(self) -> bool:
        return self._object_gone or "deletionTimestamp" in self.pod["metadata"]

    def _start(self) -> bool:
        """Network and volumes. False when it was deleted meanwhile."""
        self._held = self._engine.hold(self._place.pause_image, self.pod)
        self._address = self._engine.address(self._held)
        self._say("pod starts")
        while not self._over:
            try:
                self._volumes.set_up(self._address)
            except VolumeError as error:
                self._tell("Warning", "FailedMount", str(error))
                self._report_creating()
                self._changed.wait(_TRY_VOLUMES_SECONDS)
                self._changed.clear()
                continue
            namespace, spec = self.pod["metadata"]["namespace"], self.pod["spec"]
            ground = Ground(
                self.pod, self._engine, self._volumes, Values(self._cluster, namespace), self._pulled, self._tell,
                held=self._held, address=self._address, server=self._place.server, hosts=self._hosts(namespace),
            )  # fmt: skip
            restarts = spec.get("restartPolicy") or "Always"
            of_init = "Never" if restarts == "Never" else "OnFailure"
            self._init = [
                ContainerLife(one, ground, restarts=one.get("restartPolicy") or of_init)
                for one in spec.get("initContainers") or []
            ]
            self._main = [ContainerLife(one, ground, restarts=restarts) for one in spec["containers"]]
            return True
        return False

    def _live(self) -> None:
        while not self._over:
            initialized = self._initialize()
            if initialized:
                for one in self._main:
                    one.step()
            failed = any(one.exit_code not in (None, 0) for one in self._init)
            self._report(initialized=initialized, failed=failed)
            if failed or all(one.exit_code is not None for one in self._main):
                break
            self._changed.wait(_LOOK)
            self._changed.clear()
        while not self._over:  # it has ended, and stays until somebody deletes it
            self._changed.wait()
            self._changed.clear()

    def _initialize(self) -> bool:
        """Whether all init containers are done. One with ``restartPolicy: Always`` is a sidecar: started is enough."""
        for one in self._init:
            sidecar = one.container.get("restartPolicy") == "Always"
            if one.exit_code is None:
                one.step()
            if not (one.started and one.running if sidecar else one.exit_code == 0):
                return False
        return True

    def _end(self) -> None:
        """Grace, SIGKILL, and what the API server still has of it."""
        began = time.monotonic()
        grace = 0 if self._object_gone else int(self.pod["metadata"].get("deletionGracePeriodSeconds", _GRACE))
        running = [one for one in (*self._init, *self._main) if one.running and one.id]
        stopping = [threading.Thread(target=self._stop, args=(one, grace), daemon=True) for one in running]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        exits = {one.name: self._engine.seen(str(one.id)).exit_code for one in running}
        for one in (*self._init, *self._main):
            for id_ in filter(None, (one.id, one.previous)):
                self._engine.remove(id_)
        if self._held:
            self._engine.remove(self._held)
        self._volumes.remove()
        if not self._object_gone:
            self._cluster.delete_now(pod_path(self.pod), self.pod["metadata"]["uid"])
        self._say("pod ended", seconds=round(time.monotonic() - began, 2), exits=exits)

    def _stop(self, one: ContainerLife, grace: int) -> None:
        self._tell("Normal", "Killing", f"Stopping container {one.name}")
        before = ((one.container.get("lifecycle") or {}).get("preStop") or {}).get("exec")
        if before and grace:
            Engine().succeeds(str(one.id), before["command"])
        Engine().stop(str(one.id), grace)

    def _report_creating(self) -> None:
        names = [one["name"] for one in self.pod["spec"]["containers"]]
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        self._patch({
            "phase": "Pending", "hostIP": GATEWAY, "startTime": self._since,
            "containerStatuses": [
                {"name": name, "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
                for name in names
            ],
        })  # fmt: skip

    def _report(self, *, initialized: bool, failed: bool) -> None:
        self._patch(
            status_of(
                self._init, self._main, initialized=initialized, address=self._address, host=GATEWAY,
                since=self._since, failed=failed,
            )
        )  # fmt: skip

    def _patch(self, status: dict[str, Any]) -> None:
        for condition in status.get("conditions", []):
            kind, holds = condition["type"], condition["status"]
            if self._conditions.get(kind, ("", ""))[0] != holds:
                self._conditions[kind] = (holds, now())
            condition["lastTransitionTime"] = self._conditions[kind][1]
        if status == self._told:
            return
        if self._cluster.patch(f"{pod_path(self.pod)}/status", {"status": status}) is not None:
            if status["phase"] != self._told.get("phase"):
                self._say("pod phase", phase=status["phase"])
            self._told = status

    def _tell(self, kind: str, reason: str, message: str) -> None:
        self._cluster.event(self.pod, kind, reason, message)

    def _say(self, what: str, **more: Any) -> None:
        meta = self.pod["metadata"]
        self._say_what(what, pod=meta["name"], namespace=meta["namespace"], **more)
