"""What the stack file says of an agent queue of the stack's own, by which its locations live beside Serverless ones."""

from __future__ import annotations

from typing import Final

from pydantic import field_validator

from agent.any_spec import AgentQueues, AnyAgentSpec, LocationName, QueueName, Spec

STANDBY_QUEUE: Final = "hybrid-standby"
"""No location is on it."""


class OwnQueueSettings(Spec):
    """An agent queue of the stack's own: its agent takes no requests of the default queue, which is Serverless's, and
    its locations are on this one. Agent queues are of Dagster+ Pro."""

    name: QueueName
    """The queue that all locations of the stack are on that name none themselves."""

    locations: tuple[LocationName, ...] = ()
    """In the phase prepare: the locations that are registered nevertheless, since they were moved to the queue. In the
    phase serve all are registered, and this does not count. `hybrid switch run` writes it. Default: none."""

    @field_validator("locations")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("a location is named twice; remove one")
        return names

    def queues_of(self, given: AgentQueues) -> AgentQueues:
        """Those that the agent takes instead of the ``given`` ones."""
        queues = tuple(dict.fromkeys((*given.additional, self.name)))
        return given.model_copy(update={"include_default": False, "additional": queues})


def standing_by(agent: AnyAgentSpec) -> dict[str, object]:
    """What of ``agent`` changes so that it runs and takes no work: a queue that no location is on, and, should Dagster+
    hand out locations whatever the queue, none that it may load.

    One that loads what only Serverless can run waits for each code server until the start-up time is over, and again
    half a minute later, since Dagster+ says that the location is well (``_should_trigger_recovery`` of
    dagster_cloud/workspace/user_code_launcher/user_code_launcher.py); whatever it is told meanwhile has to wait. And
    requests that it takes from Serverless's queue fail.
    """
    queues = agent.queues.model_copy(update={"include_default": False, "additional": (STANDBY_QUEUE,)})
    return {"queues": queues, "allowed_locations": ()}
