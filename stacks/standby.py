"""An agent that runs and takes no work, while a deployment still has what only others can run."""

from __future__ import annotations

from typing import Final, TypeVar

from agent.any_spec import AnyAgentSpec

STANDBY_QUEUE: Final = "hybrid-standby"
"""No location is on it."""

_Spec = TypeVar("_Spec", bound=AnyAgentSpec)


def standing_by(agent: _Spec) -> _Spec:
    """``agent`` with a queue that no location is on, and, should Dagster+ hand out locations whatever the queue, with
    none that it may load.

    One that loads what only Serverless can run waits for each code server until the start-up time is over, and again
    half a minute later, since Dagster+ says that the location is well (``_should_trigger_recovery`` of
    dagster_cloud/workspace/user_code_launcher/user_code_launcher.py); whatever it is told meanwhile has to wait. And
    requests that it takes from Serverless's queue fail.
    """
    queues = agent.queues.model_copy(update={"include_default": False, "additional": (STANDBY_QUEUE,)})
    return agent.model_copy(update={"queues": queues, "allowed_locations": ()})
