"""Requests to agents as objects: asked and answered, or handed over for later.

Rests on ``client``: dagster_cloud/api/dagster_cloud_api.py for the shapes, dagster_cloud/agent/dagster_cloud_agent.py
``_handle_api_request`` for what each request does.
"""

from __future__ import annotations

from typing import Any, Final, Protocol
from uuid import uuid4

from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from dagster._serdes import deserialize_value, serialize_value
from dagster_cloud.api.dagster_cloud_api import (
    DagsterCloudApi,
    DagsterCloudApiErrorResponse,
    DagsterCloudApiGrpcResponse,
    DagsterCloudApiRequest,
    DagsterCloudApiSuccess,
    DagsterCloudApiUnknownCommandResponse,
    PingLocationArgs,
)

ANSWER_SECONDS: Final = 75.0
"""How long an answer is waited for: code servers have 60 s by default (dagster/_grpc/utils.py), and agents poll."""


class RequestQueue(Protocol):
    """The organization's requests, as far as they are made here."""

    def submit(self, deployment: str, api: str, request_id: str, body: str, queue: str | None = None) -> None: ...
    def wait(self, request_id: str, timeout_s: float) -> str: ...


class AgentRequests:
    """Requests to the agents of one deployment."""

    def __init__(self, queue: RequestQueue, deployment: str) -> None:
        self._queue = queue
        self._deployment = deployment

    def ask(self, api: DagsterCloudApi, arguments: Any, agent_queue: str | None) -> str:
        """What the code server answered, serialized.

        Raises ``DagsterUserCodeUnreachableError``, which daemons try again, when no agent answers, and
        ``DagsterUserCodeProcessError`` with the agent's own error when it could not serve the request.
        """
        response = self._answer(api, arguments, agent_queue)
        if not isinstance(response, DagsterCloudApiGrpcResponse):
            raise DagsterUserCodeUnreachableError(_misfit(api, response))
        return response.serialized_response_or_error

    def ping(self, location: str, agent_queue: str | None) -> None:
        """Ask the location's agent to have a code server for it, and to keep it. Raises as ``ask``."""
        api = DagsterCloudApi.PING_LOCATION
        response = self._answer(api, PingLocationArgs(location_name=location), agent_queue)
        if not isinstance(response, DagsterCloudApiSuccess):
            raise DagsterUserCodeUnreachableError(_misfit(api, response))

    def _answer(self, api: DagsterCloudApi, arguments: Any, agent_queue: str | None) -> Any:
        request_id = self.hand_over(api, arguments, agent_queue)
        try:
            answer = self._queue.wait(request_id, ANSWER_SECONDS)
        except TimeoutError as error:
            raise DagsterUserCodeUnreachableError(f"No agent served {api.value}: {error}") from error
        response = deserialize_value(answer)
        if isinstance(response, DagsterCloudApiErrorResponse):
            raise DagsterUserCodeProcessError.from_error_info(response.error_infos[0])  # type: ignore[no-untyped-call]
        return response

    def hand_over(
        self, api: DagsterCloudApi, arguments: Any, agent_queue: str | None, request_id: str | None = None
    ) -> str:
        """Leave a request to whichever agent asks first; returns its id."""
        request_id = request_id or str(uuid4())
        request = DagsterCloudApiRequest(
            request_id=request_id, request_api=api, request_args=arguments, deployment_name=self._deployment
        )
        self._queue.submit(self._deployment, api.value, request_id, serialize_value(request), agent_queue)
        return request_id


def _misfit(api: DagsterCloudApi, response: object) -> str:
    if isinstance(response, DagsterCloudApiUnknownCommandResponse):
        return f"The agent does not know {api.value}: it is older than this emulator's. Upgrade dagster-cloud there."
    return f"An agent answered {api.value} with {type(response).__name__}."
