"""GraphQL over HTTP for clients that carry a token.

Rests on: ``client`` for the body (``query``, ``variables``, sometimes ``operationName``), for 503 being tried again,
and for what an answer must hold (dagster_cloud_cli/core/graphql_client.py). The agents' own operations have threads of
their own: an operation that waits for an agent's answer must not keep that agent from delivering it.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybrid.emulator.api.context import Context, Refusal, admitted
from hybrid.emulator.api.parsing import Operation, parsed
from hybrid.emulator.api.repetition import Repetition
from hybrid.emulator.api.service import Answer, Service
from hybrid.emulator.errors import RuntimeNotLoadedError
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization

_THREADS: Final = 16  # in each of the two pools


@dataclass(frozen=True)
class _Body:
    operation: Operation
    variables: dict[str, Any]


class GraphQLEndpoint:
    """``POST /graphql`` with a token."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader, service: Service) -> None:
        self._organization = organization
        self._runtime = runtime
        self._service = service
        self._repetition = Repetition(organization, service.record)
        self._agents = ThreadPoolExecutor(_THREADS, thread_name_prefix="graphql-agents")
        self._others = ThreadPoolExecutor(_THREADS, thread_name_prefix="graphql-others")

    async def respond(self, request: Request, deployment: str | None) -> Response:
        """``deployment`` is the one named in the path, if any."""
        try:
            context = admitted(self._organization, request.headers, deployment, elsewhere=True)
            raw = await request.body()
            known = self._repetition.answer(raw, context)
            if known is not None:
                return Response(known, media_type="application/json")
            body, moment = _read(raw), self._repetition.moment()
            if self._service.needs_runtime(body.operation, context):
                await self._runtime.arrival()
            answer = await self._answer(body, context)
            response = _json(answer)
            if "errors" not in answer and self._service.is_agents_own(body.operation, context):
                self._repetition.learn(raw, body.operation, body.variables, context, moment, bytes(response.body))
            return response
        except Refusal as refusal:
            return refused(refusal)
        except RuntimeNotLoadedError as error:
            return not_ready(error)
        except GraphQLError as error:
            return _json({"errors": [error.formatted]}, 400)

    def close(self) -> None:
        for pool in (self._agents, self._others):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, body: _Body, context: Context) -> Answer:
        pool = self._agents if self._service.is_agents_own(body.operation, context) else self._others
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, self._service.answer, body.operation, body.variables, context)


def refused(refusal: Refusal) -> Response:
    """The answer to a request that is not let in."""
    return JSONResponse({"message": refusal.message}, refusal.status)


def not_ready(error: RuntimeNotLoadedError) -> Response:
    """The answer while Dagster is not loaded; clients try again."""
    return JSONResponse({"message": error.sentence()}, 503, {"Retry-After": "1"})


def _read(raw: bytes) -> _Body:
    try:
        body = json.loads(raw)
        if b"\\u" in raw:  # half a surrogate pair is a text that can neither be stored nor answered
            json.dumps(body, ensure_ascii=False).encode()
    except RecursionError:
        raise GraphQLError("The body is JSON that is nested too deeply.") from None
    except ValueError as error:
        raise GraphQLError(f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise GraphQLError("The body must be an object with the text of a query.")
    variables = body.get("variables") or {}
    name = body.get("operationName")
    if not isinstance(variables, dict) or not isinstance(name, str | None):
        raise GraphQLError("variables must be an object, and operationName a text.")
    return _Body(parsed(body["query"], name), variables)


def _json(answer: Answer, status: int = 200) -> Response:
    return JSONResponse(answer, status)
