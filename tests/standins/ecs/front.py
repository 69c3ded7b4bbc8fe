"""What answers at the credentials address: a task's credentials and metadata, and AWS behind IAM."""

from __future__ import annotations

import io
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tests.standins.ecs import aws_calls, world
from tests.standins.ecs.place import GATEWAY, SETUP_KEY, SUBNET, Place
from tests.standins.ecs.record import Lines, RecordedCall
from tests.standins.ecs.runner import Runner
from tests.standins.iam import Decision

_CREDENTIALS: Final = re.compile(r"/v2/credentials/([0-9a-f-]{36})")
_METADATA: Final = re.compile(r"/v4/([0-9a-f-]{36})(?:/([^/]+))?(/task)?")
_SERVICE_STARTS_SECONDS: Final = 3.0
_NEEDS_NO_PERMISSION: Final = frozenset({("sts", "GetCallerIdentity")})

Start = Callable[..., Any]


class Front:
    """A WSGI application."""

    def __init__(self, place: Place, runner: Runner) -> None:
        self.enforce = place.enforce
        self._runner = runner
        self._calls = Lines(place.calls)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._iam = world.iam()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_lab/"):
            return self._lab(environ, start)
        if found := _CREDENTIALS.fullmatch(path):
            return _json(start, self._runner.credentials(found[1]))
        if found := _METADATA.fullmatch(path):
            return _json(start, self._runner.metadata(found[1], found[2], whole=bool(found[3])))
        return self._aws(environ, start)

    def _lab(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """For the tests on this machine alone, whose address Docker may translate; a container keeps its own."""
        asker = ipaddress.ip_address(environ["REMOTE_ADDR"])
        if asker in ipaddress.ip_network(SUBNET) and str(asker) != GATEWAY:
            return _json(start, None)
        if environ["REQUEST_METHOD"] == "POST":
            self.enforce = environ["PATH_INFO"] == "/_lab/enforce/on"
        return _json(start, {"ready": True, "enforce": self.enforce})

    def _aws(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = _body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        began = time.time()
        call = aws_calls.read(environ, body)
        if call is None:
            return self._moto(environ, start)
        with world.CHANGED:
            role, session, decision = self._decided(call, environ)
        if not decision.allowed and self.enforce:
            status, kind, said = aws_calls.refusal(call, decision.reason)
            start(status, [("Content-Type", kind), ("Content-Length", str(len(said)))])
            answered = [said]
        else:
            status, answered = self._by_moto(environ, start, call)
        code = int(status.split()[0])
        self._calls.add(
            RecordedCall(
                began, role, session, call.service, call.operation, call.params, decision.allowed, decision.unknown,
                decision.reason, code, b"".join(answered)[:500].decode(errors="replace") if code >= 400 else "",
                tuple(f"{one.action} {one.resource}" for one in decision.requests),
            ).line()
        )  # fmt: skip
        return answered

    def _by_moto(self, environ: dict[str, Any], start: Start, call: aws_calls.AwsCall) -> tuple[str, list[bytes]]:
        said: list[Any] = []
        with world.CHANGED:
            answered = list(self._moto(environ, lambda *given: said.append(given)))
            world.CHANGED.notify_all()
        status = str(said[0][0])
        if (call.service, call.operation) == ("ecs", "CreateService") and status.startswith("200"):
            # an agent that finds its service running at its first look is spared a pause of 20 s
            self._runner.until_running(json.loads(b"".join(answered))["service"]["serviceArn"], _SERVICE_STARTS_SECONDS)
        start(*said[0])
        return status, answered

    def _decided(self, call: aws_calls.AwsCall, environ: dict[str, Any]) -> tuple[str | None, str | None, Decision]:
        if call.access_key == SETUP_KEY:
            return None, None, Decision(True, "the administrator")
        found = world.session_of_key(call.access_key)
        if found is None or environ.get("HTTP_X_AMZ_SECURITY_TOKEN") != found.session_token:
            return None, None, Decision(False, "The security token included in the request is invalid.")
        if (call.service, call.operation) in _NEEDS_NO_PERMISSION:
            return found.role_arn, found.session_name, Decision(True, "needs no permission")
        facts = world.AccountFacts(call.region)
        decision = self._iam.decide(found.role_arn, call.service, call.operation, call.params, facts)
        return found.role_arn, found.session_name, decision


def _body(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length)) if length else b""


def _json(start: Start, said: Any) -> list[bytes]:
    body = json.dumps(said if said is not None else {"message": "not found"}, default=str).encode()
    status = "200 OK" if said is not None else "404 Not Found"
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
