"""What the stack file says of an agent queue of the stack's own, by which its locations live beside Serverless ones."""

from __future__ import annotations

from pydantic import field_validator

from agent.any_spec import AgentQueues, LocationName, QueueName, Spec


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
