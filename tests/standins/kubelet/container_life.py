"""The life of one container of a Pod: pulled, started, probed, started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from tests.standins.kubelet import engine, failures
from tests.standins.kubelet.cluster import Object
from tests.standins.kubelet.engine import Engine, Seen
from tests.standins.kubelet.environment import Values, environment_of, expanded
from tests.standins.kubelet.failures import WaitingError
from tests.standins.kubelet.probes import Probe
from tests.standins.kubelet.volumes import Volumes

_FIRST_BACKOFF: Final = 10.0
_LONGEST_BACKOFF: Final = 300.0
_STEADY_SECONDS: Final = 600.0  # a container that ran so long is not in a crash loop
_TRY_CONFIG_SECONDS: Final = 2.0

Tell = Callable[[str, str, str], None]
"""Writes an event: kind, reason, message."""


class Pulled(Protocol):
    """What this node has pulled: an image that the engine has is not on the node before that."""

    def __contains__(self, image: str) -> bool: ...
    def add(self, image: str) -> None: ...


class Ground:
    """What the containers of a Pod stand on."""

    def __init__(
        self, pod: Object, engine_: Engine, volumes: Volumes, values: Values, pulled: Pulled, tell: Tell,
        *, held: str, address: str, server: str, hosts: Any,
    ) -> None:  # fmt: skip
        self.pod, self.engine, self.volumes, self.values = pod, engine_, volumes, values
        self.pulled, self.tell = pulled, tell
        self.held, self.address, self.server, self.hosts = held, address, server, hosts


class ContainerLife:
    """Call ``step`` again and again; ``state`` is what the Pod's status says."""

    def __init__(self, container: Object, ground: Ground, *, restarts: str) -> None:
        self.container, self._ground = container, ground
        self._restarts = restarts
        self.id: str | None = None
        self.previous: str | None = None
        self.state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: dict[str, Any] = {}
        self.restart_count = 0
        self.started = False
        self._next_try = 0.0
        self._failures = 0
        self._began = 0.0
        self._later: WaitingError | None = None
        self._probes = {
            name: Probe(container[f"{name}Probe"], container, ground.address)
            for name in ("startup", "liveness", "readiness")
            if container.get(f"{name}Probe")
        }

    @property
    def name(self) -> str:
        return str(self.container["name"])

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def ready(self) -> bool:
        probe = self._probes.get("readiness")
        return self.running and self.started and (probe is None or bool(probe.verdict))

    @property
    def exit_code(self) -> int | None:
        """Of a container that is done, for good."""
        ended = self.state.get("terminated")
        return int(ended["exitCode"]) if ended else None

    def step(self) -> None:
        if self.running and self.id is not None:
            seen = self._ground.engine.seen(self.id)
            if seen.exit_code is not None:
                self._ended(seen)
            else:
                self._probe()
        elif self.exit_code is None and time.monotonic() >= self._next_try:
            self._try()
        elif self._later is not None and self._later.later != self._later.reason:
            self.state = _waiting(self._later.later, f"Back-off: {self._later.message}")

    def status(self) -> dict[str, Any]:
        return {
            "name": self.name, "image": self.container["image"], "imageID": self.container["image"],
            "ready": self.ready, "started": self.started and self.running, "restartCount": self.restart_count,
            "state": self.state, "lastState": self.last_state,
            **({"containerID": f"docker://{self.id}"} if self.id else {}),
        }  # fmt: skip

    def _try(self) -> None:
        ground = self._ground
        self._later = None
        try:
            self._pull()
            if engine.runs_as_root(self.container, ground.pod, ground.engine.user_of(self.container["image"])):
                raise failures.config("container has runAsNonRoot and image will run as root")
            variables = environment_of(self.container, ground.pod, ground.values, ground.server, ground.address)
            made = ground.engine.create(
                self.container, ground.pod, held=ground.held, environment=variables,
                binds=ground.volumes.binds(self.container, ground.hosts),
                command=[expanded(word, variables) for word in self.container.get("command") or []],
                arguments=[expanded(word, variables) for word in self.container.get("args") or []],
                attempt=self.restart_count,
            )  # fmt: skip
            ground.tell("Normal", "Created", f"Container created: {self.name}")
            ground.engine.start(made)
        except WaitingError as error:
            self._wait(error)
            return
        if self.previous:
            ground.engine.remove(self.previous)
        self.previous, self.id = self.id, made
        ground.tell("Normal", "Started", f"Container started: {self.name}")
        self._began = time.monotonic()
        self.state = {"running": {"startedAt": ground.engine.seen(made).started}}
        self.started = "startup" not in self._probes
        for probe in self._probes.values():
            probe.begin()

    def _pull(self) -> None:
        ground, image = self._ground, self.container["image"]
        policy = self.container.get("imagePullPolicy") or "IfNotPresent"
        if policy == "Never":
            if not ground.engine.has(image):
                raise failures.never_pull(image)
            return
        if policy == "IfNotPresent" and image in ground.pulled and ground.engine.has(image):
            return
        names = [one["name"] for one in ground.pod["spec"].get("imagePullSecrets") or []]
        secrets = [data for name in names if (data := ground.values.of("secret", name)) is not None]
        ground.tell("Normal", "Pulling", f'Pulling image "{image}"')
        ground.engine.pull(image, engine.logins_of(secrets, image))
        ground.pulled.add(image)
        ground.tell("Normal", "Pulled", f'Successfully pulled image "{image}"')

    def _wait(self, error: WaitingError) -> None:
        self._ground.tell("Warning", "Failed", f"Error: {error.reason}: {error.message}")
        self.state = _waiting(error.reason, error.message)
        self._later = error
        if error.reason == "CreateContainerConfigError":
            self._next_try = time.monotonic() + _TRY_CONFIG_SECONDS
        else:
            self._back_off()

    def _back_off(self) -> None:
        self._failures += 1
        self._next_try = time.monotonic() + min(_FIRST_BACKOFF * 2 ** (self._failures - 1), _LONGEST_BACKOFF)

    def _ended(self, seen: Seen) -> None:
        code = int(seen.exit_code or 0)
        reason = "OOMKilled" if seen.out_of_memory else "Completed" if code == 0 else "Error"
        ended = {
            "exitCode": code, "reason": reason, "startedAt": seen.started or None, "finishedAt": seen.finished or None,
            "containerID": f"docker://{self.id}",
        }  # fmt: skip
        self.started = False
        again = self._restarts == "Always" or (self._restarts == "OnFailure" and code != 0)
        if not again:
            self.state = {"terminated": ended}
            return
        self.last_state = {"terminated": ended}
        self.restart_count += 1
        if time.monotonic() - self._began > _STEADY_SECONDS:
            self._failures = 0
        if self._failures == 0:  # the first restart is at once
            self._failures = 1
            self.state = {"terminated": ended}
            self._next_try = 0.0
            self.state = _waiting("ContainerCreating", "")
            return
        self._ground.tell("Warning", "BackOff", f"Back-off restarting failed container {self.name}")
        self.state = _waiting("CrashLoopBackOff", f"back-off restarting failed container={self.name}")
        self._next_try = time.monotonic() + min(_FIRST_BACKOFF * 2 ** (self._failures - 1), _LONGEST_BACKOFF)
        self._failures += 1

    def _probe(self) -> None:
        assert self.id is not None
        startup = self._probes.get("startup")
        if startup is not None and not self.started:
            startup.look(self.id)
            self.started = bool(startup.verdict)
            self._act(startup, "Startup")
            return
        if liveness := self._probes.get("liveness"):
            liveness.look(self.id)
            self._act(liveness, "Liveness")
        if readiness := self._probes.get("readiness"):
            readiness.look(self.id)
            if readiness.failed:
                self._ground.tell("Warning", "Unhealthy", "Readiness probe failed")

    def _act(self, probe: Probe, name: str) -> None:
        if probe.failed:
            self._ground.tell("Warning", "Unhealthy", f"{name} probe failed")
        if probe.verdict is False and self.id is not None:
            self._ground.tell(
                "Normal", "Killing", f"Container {self.name} failed {name.lower()} probe, will be restarted"
            )
            self._ground.engine.stop(self.id, int(self._ground.pod["spec"].get("terminationGracePeriodSeconds") or 30))
            probe.begin()


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
