"""moto's server as an account in which a whole stack on ECS stands and goes: its services get tasks, by the scheduler
of ``tests/standins/ecs``, and these run at once and hold no container.

It writes down each call, refuses those that a test names, and wants no credentials in particular.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.aws.moto_gaps import GAPS as GAPS_OF_OTHERS
from tests.aws.moto_server import Call
from tests.standins.ecs import aws_calls, gaps_of_cloud_map, gaps_of_services, gaps_of_tasks, scheduler, world
from tests.standins.ecs.aws_calls import AwsCall
from tests.standins.ecs.patching import close_for_good
from tests.standins.ecs.record import Lines

_TURN = 0.1  # seconds
_CONTROL = "/hybrid-tests/refused"
_ROLE = "/hybrid-tests/role"
_READS_ONLY = "/hybrid-tests/reads-only"
_NEEDS_NO_PERMISSION = ("sts", "GetCallerIdentity")
Start = Callable[..., Any]


class Tasks(threading.Thread):
    """Moves each task to where it is to be."""

    def __init__(self, events: Lines) -> None:
        super().__init__(daemon=True, name="tasks")
        self._events = events

    def run(self) -> None:
        while True:
            with world.CHANGED:
                scheduler.step_all(self._events)
                for backend in world.all_ecs():
                    for tasks in list(backend.tasks.values()):
                        for task in list(tasks.values()):
                            _move(task)
            time.sleep(_TURN)


def _move(task: Any) -> None:
    if task.desired_status == "STOPPED" and task.last_status != "STOPPED":
        task.last_status = "STOPPED"
        task.stopping_at = task.stopped_at = task.execution_stopped_at = gaps_of_tasks.now()
    elif task.desired_status == "RUNNING" and task.last_status == "PROVISIONING":
        task.last_status, task.started_at, task.connectivity = "RUNNING", gaps_of_tasks.now(), "CONNECTED"
    for container in task.containers:
        container.last_status = task.last_status


class Front:
    """A WSGI application before moto's."""

    def __init__(self, folder: Path) -> None:
        self._calls = Lines(folder / "calls.jsonl")
        self._refused: dict[str, str] = {}
        """AWS's code, by ``service:Operation`` and, after a space, a text that the call has to contain. An empty code
        is that of who may not."""
        self._role: str | None = None
        """Whoever calls has this role and what its policies say; None: everybody may everything."""
        self._denied: list[str] = []
        self._reads_only = False
        """Whether every write is refused."""
        self._iam = world.iam()
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = _body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.get("PATH_INFO") == _CONTROL:
            self._refused = json.loads(body)
            return _answer(start, "200 OK", "application/json", b"{}")
        if environ.get("PATH_INFO") == _ROLE:
            denied, self._denied, self._role = self._denied, [], json.loads(body)
            return _answer(start, "200 OK", "application/json", json.dumps(denied).encode())
        if environ.get("PATH_INFO") == _READS_ONLY:
            self._reads_only = json.loads(body)
            return _answer(start, "200 OK", "application/json", b"{}")
        call = aws_calls.read(environ, body)
        if call is None:
            return self._moto(environ, start)
        self._calls.add(json.dumps({"service": call.service, "operation": call.operation}) + "\n")
        if (code := self._code(call)) is not None:
            status, kind, said = aws_calls.refusal(call, "refused by a test")
            for usual in (b"AccessDeniedException", b"AccessDenied", b"UnauthorizedOperation") if code else ():
                said = said.replace(usual, code.encode())
            return _answer(start, status, kind, said)
        with world.CHANGED:
            if (reason := self._denial(call)) is not None:
                self._denied.append(f"{call.service}:{call.operation}: {reason}")
                return _answer(start, *aws_calls.refusal(call, reason))
            return list(self._moto(environ, start))

    def _denial(self, call: AwsCall) -> str | None:
        """Why the role's policies do not let the call through."""
        if self._role is None or (call.service, call.operation) == _NEEDS_NO_PERMISSION:
            return None
        facts = world.AccountFacts(call.region)
        decision = self._iam.decide(self._role, call.service, call.operation, call.params, facts)
        return None if decision.allowed else decision.reason

    def _code(self, call: AwsCall) -> str | None:
        for named, code in self._refused.items():
            operation, _, contained = named.partition(" ")
            if operation == f"{call.service}:{call.operation}" and contained in json.dumps(call.params, default=str):
                return code
        return "" if self._reads_only and not Call(call.service, call.operation).reads else None


def _body(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length)) if length else b""


def _answer(start: Start, status: str, kind: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.aws.moto_ecs_process", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    for name in ("werkzeug", "moto"):
        logging.getLogger(name).setLevel(logging.ERROR)
    close_for_good((*gaps_of_tasks.GAPS, *gaps_of_services.GAPS, *gaps_of_cloud_map.GAPS, *GAPS_OF_OTHERS))
    folder = Path.cwd()
    Tasks(Lines(folder / "events.jsonl")).start()
    make_server(
        given.host, given.port, Front(folder), threaded=True, request_handler=MotoRequestHandler
    ).serve_forever()


if __name__ == "__main__":
    main()
