"""The ``ContainerState`` resource: a container that somebody else declares was seen running, and since when."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import HybridError, NotReadyError
from hybrid.provider.container_sweep import HOST, engine
from hybrid.provider.definition import Definition, Number, Property, Text
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.redaction import redact

if TYPE_CHECKING:
    from hybrid.containers.docker import Docker

DEFINITION: Final = Definition(
    name="ContainerState",
    description="The statement that a container runs, which is started if it does not. Pulumi's docker provider does "
    "not say since when it runs, which readiness needs to know; it would delete one that ended, with its log, already "
    "at a refresh (`mustRun`); and a container that ends again and again is told of with its last lines.",
    inputs={
        "container": Property(Text(), "the container's id", replaces=True),
        "host": HOST,
        "settleSeconds": Property(
            Number(0, 600, whole=False), "how long it must run before that counts as standing", default=2
        ),
        "timeoutSeconds": Property(Number(1, 3600, whole=False), "how long it may take until then", default=60),
    },
    outputs={
        "startedAt": Property(Text(), "when its program was last started, in ISO 8601"),
        "instance": Property(Text(), "changes whenever its program is started anew"),
    },
)

_POLL: Final = 0.2  # seconds
_TAIL: Final = 30  # lines of its log in an error


class ContainerState(Resource):
    """See ``DEFINITION``. The id is the container's."""

    definition = DEFINITION
    import_refusal = "It says something of a container, and is not a thing."

    def create(self, inputs: Properties, call: Call) -> Existing:
        """Start it if it stands still: somebody stopped it, or it ended and was not to be started again."""
        docker = engine(inputs)
        if _is_still(_inspect(docker, inputs["container"])):
            call.report.info("the container stood still and is started")
            docker.run("start", inputs["container"], check=False)  # one that cannot be started is told of below
        return self._watched(docker, inputs, call)

    def _watched(self, docker: Docker, inputs: Properties, call: Call) -> Existing:
        deadline = time.monotonic() + inputs["timeoutSeconds"]
        since: tuple[str, float] | None = None
        restarts: int | None = None
        while True:
            state = _inspect(docker, inputs["container"])
            if state is None:
                raise _gone(inputs)
            restarts = state["RestartCount"] if restarts is None else restarts
            if _failed(state, restarts):
                raise _ended(docker, inputs, state)
            started = str(state["StartedAt"])
            if state.get("Running") and (since is None or since[0] != started):
                since = (started, time.monotonic())
            if since is not None and time.monotonic() - since[1] >= inputs["settleSeconds"]:
                return _existing(inputs, state)
            if time.monotonic() >= deadline:
                raise _ended(docker, inputs, state)
            call.report.status("waiting for the container to stay up")
            call.wait(_POLL)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        state = _inspect(engine(inputs), id)
        if state is None or not state.get("Running"):
            call.report.warning("the container does not run")
            return None
        return _existing(inputs, state)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """It states something; there is nothing to take away."""


def _inspect(docker: Docker, container: str) -> dict[str, Any] | None:
    """The container's ``State`` with ``RestartCount``, or None when there is none. Raises ``DockerFailed``."""
    if not docker.lines("ps", "--all", "--quiet", "--no-trunc", "--filter", f"id={container}"):
        return None
    answer = docker.run("inspect", "--type", "container", container, check=False)
    if answer.code != 0:
        return None  # removed between the two questions
    (found,) = json.loads(answer.out)
    return {**found["State"], "RestartCount": found.get("RestartCount", 0)}


def _is_still(state: dict[str, Any] | None) -> bool:
    return state is not None and state.get("Status") in {"created", "dead", "exited"}


def _failed(state: dict[str, Any], restarts: int) -> bool:
    """Whether it ended, be it that the engine starts it again. ``restarts``: how many there were at first, which may
    be long ago."""
    ended = state.get("Restarting") or state.get("Status") in {"exited", "dead"}
    return bool(ended or state["RestartCount"] > restarts)


def _existing(inputs: Properties, state: dict[str, Any]) -> Existing:
    started = _milliseconds(str(state["StartedAt"]))
    return Existing(
        str(inputs["container"]), {"startedAt": started, "instance": f"{str(inputs['container'])[:12]} {started}"}
    )


def _milliseconds(moment: str) -> str:
    """Docker's nine digits of a second are more than ISO readers take; ``2026-01-02T03:04:05.123+00:00``."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3].ljust(3, '0')}+00:00"


def _gone(inputs: Properties) -> HybridError:
    return NotReadyError(
        f"The container {str(inputs['container'])[:12]} is gone.",
        why="Somebody removed it since it was made.",
        next_step="run the same command again; it makes another.",
    )


def _ended(docker: Docker, inputs: Properties, state: dict[str, Any]) -> HybridError:
    container = str(inputs["container"])
    log = docker.run("logs", "--tail", str(_TAIL), container, check=False)
    said = redact("\n".join((log.out + log.err).splitlines()[-_TAIL:])) or "(its log is empty)"
    how = f"exit code {state.get('ExitCode')}" + (", out of memory" if state.get("OOMKilled") else "")
    return NotReadyError(
        f"The container {container[:12]} does not stay up ({state.get('Status')}, {how}).",
        why=said,
        next_step=f"`docker logs {container[:12]}` shows more; mend the cause, then run the same command again.",
    )
