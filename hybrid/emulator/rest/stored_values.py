"""Asset values of Serverless deployments, behind URLs that are asked for one by one.

Rests on ``client`` (dagster_cloud/serverless/io_manager.py, ``ServerlessPresignedURLIOManager``):
``GET /gen_io_storage_url?key=&method=`` with an agent's headers gives ``{"url"}``; the key comes quoted once more than
HTTP would; a value that is not there is 404 on GET, and HEAD tells whether it is there. ``invented``: that the URL
serves the one method it was asked for, and what a deployment gets that is no longer SERVERLESS
(``ServerlessOptions.values_after_switch``). The API offers no list of what is stored, so there is none.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybrid.emulator.api.context import Context, Refusal, require_agent
from hybrid.emulator.presigned import Signer
from hybrid.emulator.rest.files import (
    draft_of_body,
    origin_of,
    path_of_key,
    permitted,
    placed,
    presigned_url,
    sent,
)
from hybrid.emulator.serverless.options import ServerlessOptions

METHODS: Final = ("GET", "PUT", "HEAD", "DELETE")
_PATH: Final = "/presigned/value"


class StoredValues:
    """The endpoints; values lie in ``folder``, a folder a deployment."""

    def __init__(self, signer: Signer, folder: Path, options: ServerlessOptions) -> None:
        self._signer = signer
        self._folder = folder
        self._options = options

    def routes(self) -> list[Route]:
        return [
            Route("/gen_io_storage_url", self._url, methods=["GET"], name="gen_io_storage_url"),
            Route(_PATH, self._value, methods=list(METHODS), name="presigned:value"),
        ]

    async def _url(self, request: Request) -> Response:
        context: Context = request.scope["context"]
        self._check(context)
        method, key = request.query_params.get("method", ""), unquote(request.query_params.get("key", ""))
        if method not in METHODS:
            raise Refusal(400, f"method is one of {', '.join(METHODS)}, not {method[:40]!r}.")
        path_of_key(self._folder, key)
        subject = {"deployment": context["deployment"].name, "key": key, "method": method}
        return JSONResponse({"url": presigned_url(origin_of(request), self._signer, _PATH, subject)})

    def _check(self, context: Context) -> None:
        deployment = context["deployment"]
        require_agent(context)
        if deployment.agent_type != "SERVERLESS" and not self._options.values_after_switch:
            raise Refusal(
                403,
                f"The deployment '{deployment.name}' is HYBRID, and only SERVERLESS ones have values here. Whether "
                "Dagster+ serves them after the switch is not known; --serverless-values-after-switch yes does.",
            )

    async def _value(self, request: Request) -> Response:
        query = permitted(request, self._signer, _PATH)
        path = path_of_key(self._folder / query["deployment"], query["key"])
        if request.method == "PUT":
            async with draft_of_body(request, self._folder / ".drafts") as draft:
                await asyncio.to_thread(placed, draft, path)
            return Response(status_code=200)
        if request.method == "DELETE":
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return Response(status_code=204)
        return await sent(path, "value with that key")
