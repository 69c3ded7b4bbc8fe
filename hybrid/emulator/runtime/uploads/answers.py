"""Answers of agents to requests, one by one or in batches, and events of run workers that come over REST.

Rests on ``client``: dagster_cloud/agent/dagster_cloud_agent.py ``upload_api_response`` and
``batch_upload_api_response``, dagster_cloud/storage/event_logs/storage.py ``_store_events_http``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from dagster._serdes import serialize_value
from dagster_cloud.api.dagster_cloud_api import (
    BatchDagsterCloudUploadApiResponse,
    DagsterCloudApiErrorResponse,
    DagsterCloudUploadApiResponse,
    StoreEventBatchRequest,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from hybrid.emulator.runtime.bridge.events import take_events
from hybrid.emulator.runtime.bridge.operation import Bridge
from hybrid.emulator.runtime.uploads.body import RefusedUpload, file_part, file_parts, read_value, unpack_text
from hybrid.emulator.runtime.uploads.endpoint import deployment_of, route

ErrorAnswer = Callable[[str, str, str, DagsterCloudApiErrorResponse], None]
BridgeOfDeployment = Callable[[str], Bridge]


class Waiting(Protocol):
    """What answers need of the organization's requests."""

    def answer(self, request_id: str, response: str) -> object: ...


class Answers:
    """The endpoints. ``refused(deployment, request_id, api, error)`` is told of each request that an agent could not
    serve."""

    def __init__(self, bridge_of: BridgeOfDeployment, requests: Waiting, refused: ErrorAnswer) -> None:
        self._bridge_of = bridge_of
        self._requests = requests
        self._refused = refused

    def routes(self) -> Sequence[BaseRoute]:
        return [
            route("/upload_api_response", "PUT", "upload_api_response", self._responses),
            route("/store_events", "POST", "store_events", self._events),
        ]

    def _responses(self, request: Request, body: bytes) -> Response:
        for answer in _answers(file_parts(request.headers.get("content-type", ""), body)):
            if isinstance(answer.response, DagsterCloudApiErrorResponse):
                self._refused(deployment_of(request), answer.request_id, answer.request_api, answer.response)
            self._requests.answer(answer.request_id, serialize_value(answer.response))
        return PlainTextResponse("ok")

    def _events(self, request: Request, body: bytes) -> Response:
        text = unpack_text(file_part(request.headers.get("content-type", ""), body, "store_events.tmp"))
        bridge = self._bridge_of(deployment_of(request))
        take_events(bridge, read_value(text, StoreEventBatchRequest).event_log_entries, request.headers)
        return JSONResponse({})


def _answers(parts: Mapping[str, bytes]) -> Sequence[DagsterCloudUploadApiResponse]:
    if "api_response_batch.tmp" in parts:
        return read_value(unpack_text(parts["api_response_batch.tmp"]), BatchDagsterCloudUploadApiResponse).batch
    if "api_response.tmp" in parts:
        return [read_value(unpack_text(parts["api_response.tmp"]), DagsterCloudUploadApiResponse)]
    raise RefusedUpload(400, "The body has neither the part api_response.tmp nor api_response_batch.tmp.")
