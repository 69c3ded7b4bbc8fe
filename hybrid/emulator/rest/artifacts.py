"""Artifacts, up and down.

Rests on ``client`` (dagster_cloud_cli/core/artifacts.py, dagster_rest_resources/s3_client.py):
``POST /gen_artifact_post`` and ``/gen_artifact_get`` with ``{"key"}`` give ``{"url", "fields"}`` and ``{"url"}``; the
file is then POSTed as a form, the fields first and the part ``file`` last, as S3 takes it, or got. The scope is the
header's; a client that sends none (``dg api artifact``) means the deployment that it names, or else the organization.
``invented``: writing takes the role EDITOR, and agents may write the artifacts of deployments that they serve, as
their components' state is there; the organization's may be read with any token.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import BinaryIO, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybrid.emulator.api.context import DEPLOYMENT_HEADER, SCOPE_HEADER, Context, Refusal
from hybrid.emulator.api.rights import shortage
from hybrid.emulator.organization.artifacts import ORGANIZATION, Artifacts, deployment_scope
from hybrid.emulator.presigned import Signer
from hybrid.emulator.rest.files import (
    MAX_KEY_BYTES,
    Misplaced,
    draft_of_body,
    origin_of,
    permitted,
    presigned_url,
    sent,
)

_PATH: Final = "/presigned/artifact"
_HEAD_BYTES: Final = 64 * 1024  # of a form before its file
_BOUNDARY: Final = re.compile(r"""multipart/form-data;.*?boundary="?([^";,\s]{1,70})"?""", re.IGNORECASE)
_FILE_PART: Final = re.compile(rb'content-disposition:[^\r\n]*;\s*name="file"', re.IGNORECASE)


class ArtifactTransfers:
    """The endpoints."""

    def __init__(self, artifacts: Artifacts, signer: Signer) -> None:
        self._artifacts = artifacts
        self._signer = signer

    def routes(self) -> list[Route]:
        return [
            Route("/gen_artifact_get", self._download_url, methods=["POST"], name="gen_artifact_get"),
            Route("/gen_artifact_post", self._upload_url, methods=["POST"], name="gen_artifact_post"),
            Route(_PATH, self._artifact, methods=["GET", "POST"], name="presigned:artifact"),
        ]

    async def _download_url(self, request: Request) -> Response:
        scope, key = self._asked(request, writes=False), await _key(request)
        return JSONResponse({"url": self._url(request, "GET", scope, key)})

    async def _upload_url(self, request: Request) -> Response:
        scope, key = self._asked(request, writes=True), await _key(request)
        return JSONResponse({"url": self._url(request, "POST", scope, key), "fields": {"key": key}})

    def _url(self, request: Request, method: str, scope: str, key: str) -> str:
        subject = {"method": method, "scope": scope, "key": key}
        return presigned_url(origin_of(request), self._signer, _PATH, subject)

    def _asked(self, request: Request, *, writes: bool) -> str:
        """The scope that is asked for. Raises ``Refusal`` when the caller may not."""
        context: Context = request.scope["context"]
        deployment = context["deployment"]
        named = request.headers.get(SCOPE_HEADER) or ("deployment" if DEPLOYMENT_HEADER in request.headers else "")
        whole = named != "deployment"
        fault = None
        if not whole:
            fault = shortage(context, "EDITOR" if writes else "VIEWER", deployment, agents=True)
        elif writes:
            fault = shortage(context, "EDITOR", organization=True)
        if fault is not None:
            raise Refusal(403, fault)
        return ORGANIZATION if whole else deployment_scope(deployment.name)

    async def _artifact(self, request: Request) -> Response:
        query = permitted(request, self._signer, _PATH)
        if request.method == "GET":
            found = await asyncio.to_thread(self._artifacts.find, query["scope"], query["key"])
            if found is None:
                return JSONResponse({"message": "There is no such artifact."}, 404)
            return await sent(found.file, "such artifact")
        content_type = request.headers.get("content-type", "")
        async with draft_of_body(request, self._artifacts.folder) as form:
            await asyncio.to_thread(self._keep, form, content_type, query["scope"], query["key"])
        return Response(status_code=204)

    def _keep(self, form: Path, content_type: str, scope: str, key: str) -> None:
        draft = form.with_name(f"{form.name}-file")
        try:
            with form.open("rb") as source, draft.open("xb") as target:
                _copy_file_part(source, form.stat().st_size, content_type, target)
            self._artifacts.put(scope, key, draft)
        finally:
            draft.unlink(missing_ok=True)


async def _key(request: Request) -> str:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    key = body.get("key") if isinstance(body, dict) else None
    if not isinstance(key, str) or not key:
        raise Refusal(400, "The body has to be an object with a key.")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Misplaced("it is not Unicode text") from None
    if size > MAX_KEY_BYTES:
        raise Misplaced(f"it has more than {MAX_KEY_BYTES} bytes")
    return key


def _copy_file_part(source: BinaryIO, size: int, content_type: str, target: BinaryIO) -> None:
    """Write the form's part ``file``, which is its last, to ``target``. Raises ``Refusal``."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise Refusal(400, "The body is not multipart/form-data.")
    boundary = b"--" + found.group(1).encode()
    start = _start_of_file(source.read(_HEAD_BYTES), boundary)
    source.seek(max(start, size - len(boundary) - 16))
    tail = source.read()
    end = tail.rfind(b"\r\n" + boundary + b"--")
    if end < 0:
        raise Refusal(400, "The form does not end with its part file, or is cut short.")
    left = source.tell() - len(tail) + end - start
    source.seek(start)
    while left > 0:
        chunk = source.read(min(left, 1024 * 1024))
        target.write(chunk)
        left -= len(chunk)
    target.flush()


def _start_of_file(head: bytes, boundary: bytes) -> int:
    """Where the content of the part ``file`` begins."""
    position = 0
    while (position := head.find(boundary, position)) >= 0:
        end = head.find(b"\r\n\r\n", position)
        if end < 0:
            break
        if _FILE_PART.search(head, position, end):
            return end + 4
        position += len(boundary)
    raise Refusal(400, f"The form has no part file within its first {_HEAD_BYTES} bytes.")
