"""A REST endpoint as a function: bounded body in, response out, run in a thread, refusals as their status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybrid.emulator.runtime.uploads.body import RefusedUpload, taken

Handler = Callable[[Request, bytes], Response]

PRESIGNED: Final = "presigned:"
"""Routes whose name begins so check their own signature; all others are behind the token (hybrid/emulator/seam.py)."""


def route(path: str, method: str, name: str, handler: Handler) -> Route:
    return Route(path, _endpoint(handler), methods=[method], name=name)


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await taken(request, handler)
        except RefusedUpload as refused:
            return JSONResponse({"error": str(refused)}, status_code=refused.status)

    return endpoint


def deployment_of(request: Request) -> str:
    """The name of the deployment that the request was admitted to."""
    return str(request.scope["deployment"].name)


def one_of(value: str | None, allowed: Sequence[str], what: str) -> str:
    """A query parameter that has to be one of a few."""
    if value not in allowed:
        raise RefusedUpload(400, f"{what} is one of {', '.join(allowed)}, not {str(value)[:40]!r}.")
    return str(value)
