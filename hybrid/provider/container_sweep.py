"""The ``ContainerSweep`` resource: what an agent's containers leave on a Docker engine is taken away with the stack."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from hybrid.containers.labels import STACK_LABEL
from hybrid.errors import NotReadyError
from hybrid.provider.definition import Definition, Number, Property, Text
from hybrid.provider.end_rule import EndRule
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.containers.docker import Docker

HOST: Final = Property(
    Text(),
    "the engine's address, as DOCKER_HOST has it; when absent, Docker's own settings decide",
    required=False,
)

DEFINITION: Final = Definition(
    name="ContainerSweep",
    description="Removes all containers of a stack from the Docker engine when it is deleted: those on the stack's "
    "network and those with its label, running or not. The agent's container depends on it and it depends on the "
    "network, so it is deleted between them.",
    inputs={
        "stack": Property(Text(), f"the stack's name, which its containers have as {STACK_LABEL}", replaces=True),
        "network": Property(Text(), "name of the network that only this stack's containers are on", replaces=True),
        "host": HOST,
        "timeoutSeconds": Property(Number(1, 3600, whole=False), "how long removing them may take", default=120),
    },
)

_POLL: Final = 0.2  # seconds
_NAMED: Final = 5  # containers named when they stay


class ContainerSweep(EndRule):
    """See ``DEFINITION``. The id is ``stack/network``.

    Containers are killed: runs that should end by themselves are waited for before that, by ``AgentDrain``.
    """

    definition = DEFINITION

    def create(self, inputs: Properties, call: Call) -> Existing:
        return Existing(f"{inputs['stack']}/{inputs['network']}", {})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Raises ``EngineAbsent`` when no engine answers: containers may be there, so nothing is called gone."""
        docker = engine(inputs)
        removed = _sweep(docker, inputs, call)
        if removed:
            call.report.info(f"removed {_counted(removed)} of the stack")


def engine(inputs: Properties) -> Docker:
    """The engine that a container resource is about. Raises ``EngineAbsent`` or ``EngineTooOld``."""
    from hybrid.containers.docker import Docker  # only needed where something is done

    host = inputs.get("host")
    environ = dict(os.environ)
    if host:
        environ.pop("DOCKER_CONTEXT", None)  # it would overrule the address
        environ["DOCKER_HOST"] = str(host)
    return Docker.find(environ)


def _sweep(docker: Docker, inputs: Properties, call: Call) -> int:
    """Remove until none is left: a run that is still up may start containers meanwhile. How many it were."""
    deadline = time.monotonic() + inputs["timeoutSeconds"]
    seen: set[str] = set()
    while found := _of_the_stack(docker, inputs):
        seen |= found
        if time.monotonic() >= deadline:
            raise _late(found, inputs)
        call.report.status(f"removing {_counted(len(found))}")
        # One that is being removed already is an error to docker and none to us: the next look tells.
        docker.run("rm", "--force", "--volumes", *sorted(found), seconds=inputs["timeoutSeconds"], check=False)
        if _of_the_stack(docker, inputs) & found:
            call.wait(_POLL)
    return len(seen)


def _of_the_stack(docker: Docker, inputs: Properties) -> set[str]:
    """Ids of the containers on the network or with the label. A network that is gone has none."""
    found: set[str] = set()
    for condition in (f"label={STACK_LABEL}={inputs['stack']}", f"network={inputs['network']}"):
        found |= set(docker.lines("ps", "--all", "--quiet", "--no-trunc", "--filter", condition))
    return found


def _late(found: set[str], inputs: Properties) -> NotReadyError:
    names = ", ".join(sorted(one[:12] for one in found)[:_NAMED]) + (", …" if len(found) > _NAMED else "")
    return NotReadyError(
        f"After {inputs['timeoutSeconds']:g} s {_counted(len(found))} of the stack {inputs['stack']} could not be "
        f"removed: {names}.",
        why="The network cannot go while they are on it.",
        next_step="look at `docker ps --all` and the engine's log, then run the same command again.",
    )


def _counted(number: int) -> str:
    return "1 container" if number == 1 else f"{number} containers"


__all__ = ["DEFINITION", "HOST", "STACK_LABEL", "ContainerSweep", "engine"]
