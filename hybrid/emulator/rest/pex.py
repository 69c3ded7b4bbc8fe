"""PEX files of Serverless locations: put by command-line clients, at URLs that ``generateServerlessPexUrl`` gives.

Rests on ``client`` (dagster_cloud_cli/core/pex_builder/pex_registry.py): the file is PUT, or its cached details are
got, without a token; 404 means that nothing is cached. They are the organization's, not a deployment's: the agents
find them under ``org-storage/…/pex`` (dagster_cloud/pex/grpc/server/registry.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hybrid.emulator.presigned import Signer
from hybrid.emulator.rest.files import draft_of_body, permitted, placed, sent
from hybrid.emulator.serverless.pex_files import PexFiles

PEX_PATH: Final = "/presigned/pex"


class PexUploads:
    """The endpoint."""

    def __init__(self, signer: Signer, files: PexFiles) -> None:
        self._signer = signer
        self._files = files

    def routes(self) -> list[Route]:
        return [Route(PEX_PATH, self._file, methods=["GET", "PUT"], name="presigned:pex")]

    async def _file(self, request: Request) -> Response:
        path = self._files.path(permitted(request, self._signer, PEX_PATH)["name"])
        if request.method != "PUT":
            return await sent(path, "such file")
        async with draft_of_body(request, self._files.folder) as draft:
            await asyncio.to_thread(placed, draft, path)
        return Response(status_code=200)
