"""The page at ``/hybrid``, the state behind it as JSON at ``/hybrid/state``, and its one button, ``/hybrid/switch``.

The page is one fixed text: it fetches the state and puts it in as text nodes, so nothing that an agent or a location
says is ever read as HTML. Rests on: ``invented``; ``schema`` for what the button does (``updateDeploymentAgentType``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from hybrid.emulator.api.context import Context, Refusal
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.rights import shortage
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import AgentType, Organization, TokenRecord
from hybrid.emulator.state import Gathering, State, View
from hybrid.redaction import redact

STATE_PATH: Final = "/hybrid/state"
SWITCH_PATH: Final = "/hybrid/switch"
PATHS: Final = ("/hybrid", STATE_PATH, SWITCH_PATH)
_AGENT_TYPES: Final[dict[str, AgentType]] = {"HYBRID": "HYBRID", "SERVERLESS": "SERVERLESS"}
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_LONGEST_FILTER: Final = 200


class StatePage:
    """The answers to requests for ``PATHS``; who may ask is found out before."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader, meter: Meter) -> None:
        self._organization = organization
        self._runtime = runtime
        self._meter = meter

    async def respond(self, request: Request, caller: TokenRecord | None) -> Response:
        """``caller``: None is whoever sits at this machine. Raises ``Refusal``."""
        path = request.url.path
        if path == SWITCH_PATH:
            return await self._switched(request, caller)
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405, f"{path} is only read.")
        if path == STATE_PATH:
            text = await asyncio.to_thread(self._text, _view(request), caller)
            return Response(text, media_type="application/json", headers=_HEADERS)
        text = page()
        return HTMLResponse(text, headers={"Content-Security-Policy": content_security_policy(text)})

    def state(self, view: View = View(), caller: TokenRecord | None = None) -> State:  # noqa: B008 - it is frozen
        """What the page shows, as ``hybrid.emulator.state`` says."""
        return Gathering(self._organization, self._runtime, self._meter, view, caller).state()

    def _text(self, view: View, caller: TokenRecord | None) -> str:
        # Redacted once more as a whole: a description, a label or an image's name may have a token in it.
        return redact(json.dumps(self.state(view, caller), ensure_ascii=False, separators=(",", ":")))

    async def _switched(self, request: Request, caller: TokenRecord | None) -> Response:
        if request.method != "POST":
            raise Refusal(405, "A deployment's agent type is changed with POST.")
        number, agent_type = _wish(await request.body())
        found = self._organization.deployments.numbered(number)
        if found is None:
            raise Refusal(404, f"There is no deployment with the id {number}; load the page anew.")
        if found.is_branch:
            raise Refusal(400, f"'{found.name}' is a branch deployment; it goes with its full deployment.")
        if caller is not None:
            words = shortage(Context(headers={}, caller=caller, deployment=found), "ADMIN", organization=True)
            if words:
                raise Refusal(403, words)
        changed = await asyncio.to_thread(self._organization.deployments.set_agent_type, number, agent_type)
        return JSONResponse({"deployment": changed.name, "agent_type": changed.agent_type}, headers=_HEADERS)


def page() -> str:
    return _template("page")


def sign_in_page(fault: str) -> str:
    """The form that asks for a user's token, with what was wrong with the last one."""
    return _template("sign-in").replace("{{fault}}", html.escape(fault))


def content_security_policy(text: str) -> str:
    """Allows a page's own inline script and style by their digests, its own requests, and nothing else."""
    sources: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in _INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        sources[kind].append(f"'sha256-{digest}'")
    allowed = [f"{kind}-src {' '.join(digests) or chr(39) + 'none' + chr(39)}" for kind, digests in sources.items()]
    return "; ".join(
        ["default-src 'none'", *allowed, "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"]
        + ["base-uri 'none'"]
    )


def _view(request: Request) -> View:
    """``limit`` (1 to 1000; without it everything is given) and ``filter``. Raises ``Refusal``."""
    query = request.query_params
    asked = query.get("limit")
    if asked is not None and not (asked.isascii() and asked.isdecimal() and len(asked) < 5 and 1 <= int(asked) <= 1000):
        raise Refusal(400, "limit is a number from 1 to 1000.")
    return View(int(asked) if asked is not None else None, query.get("filter", "")[:_LONGEST_FILTER].strip())


def _wish(body: bytes) -> tuple[int, AgentType]:
    """The deployment's id and the agent type in the body of a switch. Raises ``Refusal``."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    number = said.get("deployment_id") if isinstance(said, dict) else None
    kind = said.get("agent_type") if isinstance(said, dict) else None
    agent_type = _AGENT_TYPES.get(kind) if isinstance(kind, str) else None
    if not isinstance(number, int) or isinstance(number, bool) or agent_type is None:
        raise Refusal(400, 'The body has to be {"deployment_id": a number, "agent_type": "HYBRID" or "SERVERLESS"}.')
    return number, agent_type


def _template(name: str) -> str:
    return (files("hybrid.emulator") / "html" / f"{name}.html").read_text(encoding="utf-8")
