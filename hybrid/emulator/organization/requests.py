"""What agents are asked to do: a queue they poll, and the answers somebody waits for.

Rests on: ``client`` for the poll (GetUserCloudRequests, every 0.5 s), the default limit of 10 for each deployment and
the queues (dagster_cloud/agent/dagster_cloud_agent.py, ``run_iteration``), and for 10 minutes of life
(``DagsterCloudApiRequest.expire_at``); ``invented`` which requests outlive this process.

Each request is popped once. One that was popped is never handed out again, because the client cannot tell a repeated
LAUNCH_RUN from a second one: a launch that gets lost between the two is ended by run monitoring. A request that waits
for an agent past its lifetime, or that is no longer wanted, is not handed out at all.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.emulator.organization.database import Database

DEFAULT_LIMIT: Final = 10
LIFETIME_SECONDS: Final = 600.0
_LAUNCH: Final = "LAUNCH_RUN"
_DURABLE: Final = frozenset({_LAUNCH, "TERMINATE_RUN"})


@dataclass(frozen=True)
class AgentRequest:
    """``body`` is a serialized ``DagsterCloudApiRequest``; ``queue`` None is the default agent queue."""

    id: str
    deployment: str
    queue: str | None
    api: str
    body: str


Wanted = Callable[[AgentRequest], bool]


class _Answer:
    """The place where one request's answer will lie."""

    def __init__(self, expires_at: float) -> None:
        self.arrived = threading.Event()
        self.response: str | None = None
        self.expires_at = expires_at


class Requests:
    """The queue. Runs to launch or end are kept in the database, and have no lifetime of their own: they are handed out
    as long as the run wants it (``ask_before_launching``). What somebody waits on ends with this process.

    Thread-safe. ``monotonic`` is the clock of the lifetime.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._pending: dict[int, AgentRequest] = {}  # by age
        self._answers: dict[str, _Answer] = {}
        self._wanted: Wanted = lambda _request: True
        for row in database.rows("SELECT id, deployment, queue, api, body FROM requests ORDER BY number"):
            self._pending[next(self._numbers)] = AgentRequest(**dict(row))

    def ask_before_launching(self, wanted: Wanted) -> None:
        """``wanted(request)`` is asked of each run to launch, just before an agent gets it."""
        self._wanted = wanted

    def submit(self, deployment: str, api: str, request_id: str, body: str, queue: str | None = None) -> None:
        """Hand a request to whichever agent of ``queue`` asks first."""
        request = AgentRequest(request_id, deployment, queue, api, body)
        with self._lock:
            if api in _DURABLE:
                with self._database.transaction() as connection:
                    connection.execute(
                        "INSERT INTO requests (id, deployment, queue, api, body) VALUES (?, ?, ?, ?, ?)",
                        (request_id, deployment, queue, api, body),
                    )
            else:
                self._forget_expired()
                self._answers[request_id] = _Answer(self._monotonic() + LIFETIME_SECONDS)
            self._pending[next(self._numbers)] = request

    def pop(
        self,
        queues: Sequence[str | None],
        limit: int | None = None,
        deployments: Collection[str] | None = None,
        branches: Collection[str] = (),
    ) -> list[AgentRequest]:
        """Up to ``limit`` requests of each of ``deployments`` (None: all) and up to ``limit`` of ``branches`` together,
        oldest first; they are the caller's from now on."""
        if not self._pending:  # the common case: agents ask twice a second
            return []
        with self._lock:
            self._forget_expired()
            taken = self._selected(frozenset(queues), DEFAULT_LIMIT if limit is None else limit, deployments, branches)
            durable = [request.id for request in taken.values() if request.api in _DURABLE]
            if durable:
                with self._database.transaction() as connection:
                    connection.executemany("DELETE FROM requests WHERE id = ?", [(number,) for number in durable])
            for number in taken:
                del self._pending[number]
        return [request for request in taken.values() if request.api != _LAUNCH or self._wanted(request)]

    def answer(self, request_id: str, response: str) -> bool:
        """An agent answered. Whether somebody may still want it."""
        with self._lock:
            answer = self._answers.get(request_id)
            if answer is None:
                return False
            answer.response = response
            answer.arrived.set()
            return True

    def wait(self, request_id: str, timeout_s: float) -> str:
        """The answer, when it comes. Raises ``TimeoutError``; then the request is withdrawn if nobody took it."""
        with self._lock:
            answer = self._answers.get(request_id)
            if answer is None:
                raise TimeoutError(f"Request {request_id} is not waited for, or waited longer than its lifetime.")
        answer.arrived.wait(timeout_s)
        with self._lock:
            self._answers.pop(request_id, None)
            if answer.response is None:
                taken = self._withdraw(request_id)
                reason = "an agent took it and did not answer" if taken else "no agent took it"
                raise TimeoutError(f"No answer to request {request_id} in {timeout_s:g} s: {reason}.")
            return answer.response

    def forget(self, deployment: str) -> None:
        """The deployment was deleted, its rows with it: nobody will answer."""
        with self._lock:
            gone = {number for number, request in self._pending.items() if request.deployment == deployment}
            for number in gone:
                answer = self._answers.get(self._pending.pop(number).id)
                if answer is not None:
                    answer.arrived.set()

    def pending(self) -> int:
        """How many wait for an agent."""
        return len(self._pending)

    def close(self) -> None:
        """Let everybody go who waits; they get ``TimeoutError``."""
        with self._lock:
            for answer in self._answers.values():
                answer.arrived.set()

    def _selected(
        self,
        queues: frozenset[str | None],
        limit: int,
        deployments: Collection[str] | None,
        branches: Collection[str],
    ) -> dict[int, AgentRequest]:
        chosen: dict[int, AgentRequest] = {}
        counts: dict[str | None, int] = {}
        for number, request in self._pending.items():
            is_branch = request.deployment in branches
            if request.queue not in queues or not (
                is_branch or deployments is None or request.deployment in deployments
            ):
                continue
            counted_as = None if is_branch else request.deployment
            counts[counted_as] = counts.get(counted_as, 0) + 1
            if counts[counted_as] <= limit:
                chosen[number] = request
        return chosen

    def _withdraw(self, request_id: str) -> bool:
        """Whether it had been taken already."""
        number = next((number for number, request in self._pending.items() if request.id == request_id), None)
        if number is not None:
            del self._pending[number]
        return number is None

    def _forget_expired(self) -> None:
        now = self._monotonic()
        for request_id in [known for known, answer in self._answers.items() if answer.expires_at < now]:
            del self._answers[request_id]
            self._withdraw(request_id)
