"""Five hundred agents and two hundred code locations at once: what the page and the agents' own questions take.

Agents are connections of one client process that send the documents of the installed agent: each asks for requests
every 0.5 s, for its locations every 5 s, and beats every 30 s with one to five code servers. Latencies are those that
the agents meet under that load; the peer is the limit that they must keep. What a question costs is measured one
connection after the other, beside ``/health``, which the same server answers with nothing behind it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from tests.emulated.checkout import free_port, until

AGENTS = 500
LOCATIONS = 200
SECONDS = 30
LIMIT_MS = 200.0
CALLS = 400

POLL_S, LOOK_S, BEAT_S = 0.5, 5.0, 30.0

_DEPLOY = """mutation Deploy($document: GenericScalar!) { deployLocations(document: $document) { __typename } }"""
_TOKEN = "mutation { createAgentToken { ... on DagsterCloudAgentToken { token } } }"  # noqa: S105 - a document


_ASKED = {
    "pop": "asking for work",
    "look": "`WorkspaceEntries`",
    "beat": "a heartbeat",
    "page": "the page's state",
}


@dataclass
class _Crowd:
    """The emulator and the bytes that agents send to it."""

    port: int
    token: str
    pop: bytes = b""
    look: bytes = b""
    health: bytes = b""
    page: bytes = b""
    beats: list[bytes] = field(default_factory=list)


def measure() -> list[Figure]:
    """Latencies in milliseconds, and requests a second."""
    with (
        tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder,
        _emulator(Path(folder)) as crowd,
        # The agents are a process of their own: what is measured is not to wait for their interpreter.
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        alone = pool.apply(_alone, (crowd,))
        together = pool.apply(_run_together, (crowd,))
    sent = together.pop("sent")[0]
    due = AGENTS * (1 / POLL_S + 1 / LOOK_S + 1 / BEAT_S)
    figures = [
        Figure("an agent asks for work and there is none, beside `/health`", "ms", alone["pop"], alone["health"]),
        Figure(f"`WorkspaceEntries` of {LOCATIONS} locations, beside `/health`", "ms", alone["look"], alone["health"]),
        Figure(f"answers a second to {AGENTS} agents, beside what they should get", "1/s", sent, due),
    ]
    for kind, what in _ASKED.items():
        times = sorted(together[kind])
        for part in (0.5, 0.99):
            name = f"{what} among {AGENTS} agents, {part:.0%} within (the peer is the limit)"
            figures.append(Figure(name, "ms", _at(times, part), LIMIT_MS))
    return figures


def _at(times: list[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))]


# -- the agents -------------------------------------------------------------------------------------------------------


def _alone(crowd: _Crowd) -> dict[str, float]:
    async def run() -> dict[str, float]:
        connection = await _Connection.to(crowd.port)
        kinds = {"health": crowd.health, "pop": crowd.pop, "look": crowd.look}
        for request in kinds.values():
            await connection.ask(request)
        times = {kind: [await connection.ask(request) for _ in range(CALLS)] for kind, request in kinds.items()}
        return {kind: statistics.median(found) for kind, found in times.items()}

    return asyncio.run(run())


def _run_together(crowd: _Crowd) -> dict[str, list[float]]:
    return asyncio.run(_together(crowd))


async def _together(crowd: _Crowd) -> dict[str, list[float]]:
    """Everybody's latencies by kind, and how many requests a second were answered."""
    times: dict[str, list[float]] = {"pop": [], "look": [], "beat": [], "page": []}
    for beat in crowd.beats:
        times["beat"].append(await (await _Connection.to(crowd.port)).ask(beat))
    times["beat"].clear()
    began = time.monotonic()
    end = began + SECONDS
    agents = [_agent(crowd, number, times, end) for number in range(AGENTS)]
    await asyncio.gather(*agents, _every(await _Connection.to(crowd.port), crowd.page, 2.0, 0, times["page"], end))
    sent = sum(map(len, times.values())) / (time.monotonic() - began)
    return {**times, "sent": [sent]}


async def _agent(crowd: _Crowd, number: int, times: dict[str, list[float]], end: float) -> None:
    part = number / AGENTS  # agents do not begin all at once
    await asyncio.gather(
        _every(await _Connection.to(crowd.port), crowd.pop, POLL_S, part, times["pop"], end),
        _every(await _Connection.to(crowd.port), crowd.look, LOOK_S, part, times["look"], end),
        _every(await _Connection.to(crowd.port), crowd.beats[number], BEAT_S, part, times["beat"], end),
    )


async def _every(
    connection: _Connection, request: bytes, seconds: float, part: float, times: list[float], end: float
) -> None:
    """Ask every so many seconds, or, as an agent does, later when the answer was late."""
    due = time.monotonic() + seconds * part
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        times.append(await connection.ask(request))
        due = max(due + seconds, time.monotonic())


class _Connection:
    """One connection kept alive, as the agent's session does; just enough HTTP to be cheap."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**22))

    async def ask(self, request: bytes) -> float:
        """Milliseconds until the whole answer is there. Raises ``RuntimeError`` when it is none of 200."""
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body[:20]:
            raise RuntimeError((head + body)[:400].decode())
        return 1000 * (time.perf_counter() - began)


# -- the emulator -----------------------------------------------------------------------------------------------------


@contextmanager
def _emulator(folder: Path) -> Iterator[_Crowd]:
    port, data = free_port(), folder / "emulator"
    process = subprocess.Popen(
        [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        until((data / "api-token").exists, seconds=30, what="the emulator has made its token")
        administrator = (data / "api-token").read_text().strip()
        agent = _asked(port, administrator, _TOKEN)["createAgentToken"]["token"]
        documents = [
            {"location_name": f"place{number}", "image": "registry/one:1", "code_source": {"module_name": "one"}}
            for number in range(LOCATIONS)
        ]
        _asked(port, administrator, _DEPLOY, document={"locations": documents})
        _asked(port, administrator, "{ version }")  # waits until Dagster is loaded
        yield _documents(_Crowd(port, agent))
    finally:
        process.terminate()
        process.wait()


def _documents(crowd: _Crowd) -> _Crowd:
    from dagster_cloud.agent.queries import GET_USER_CLOUD_REQUESTS_QUERY, WORKSPACE_ENTRIES_QUERY

    names = {"deploymentNames": ["prod"], "includeAllServerlessDeployments": False, "agentQueues": [None]}
    work = {"forBranchDeployments": False, "forFullDeployments": ["prod"], "agentQueues": [None]}
    crowd.pop = _post(crowd, GET_USER_CLOUD_REQUESTS_QUERY, work)
    crowd.look = _post(crowd, WORKSPACE_ENTRIES_QUERY, names)
    crowd.health = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    crowd.page = b"GET /hybrid/state?limit=25&filter= HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    crowd.beats = [_heartbeat(crowd, number) for number in range(AGENTS)]
    return crowd


def _heartbeat(crowd: _Crowd, number: int) -> bytes:
    from dagster._serdes import serialize_value
    from dagster_cloud.agent.queries import ADD_AGENT_HEARTBEATS_MUTATION
    from dagster_cloud.api.dagster_cloud_api import AgentHeartbeat

    servers = [_server(place) for place in itertools.islice(range(number, number + LOCATIONS), 1 + number % 5)]
    beat = AgentHeartbeat(
        timestamp=time.time(),
        agent_id=f"agent-{number}",
        agent_label=f"agent {number}",
        agent_type="ProcessUserCodeLauncher",
        metadata={"version": "1.13.27"},
        code_server_heartbeats=servers,
    )
    beats = [{"deploymentName": "prod", "serializedAgentHeartbeat": serialize_value(beat)}]
    return _post(crowd, ADD_AGENT_HEARTBEATS_MUTATION, {"serializedAgentHeartbeats": beats, "serializedErrors": []})


def _server(number: int) -> Any:
    from dagster_cloud.execution.monitoring import CloudCodeServerHeartbeat, CloudCodeServerStatus

    return CloudCodeServerHeartbeat(f"place{number % LOCATIONS}", CloudCodeServerStatus.RUNNING, error=None)


def _post(crowd: _Crowd, query: str, variables: dict[str, Any]) -> bytes:
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nDagster-Cloud-Api-Token: {crowd.token}\r\n"
        "Dagster-Cloud-Scope: organization\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
    )
    return head.encode() + body


def _asked(port: int, token: str, query: str, **variables: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"content-type": "application/json", "dagster-cloud-api-token": token},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        said = json.loads(answer.read())
    if "errors" in said:
        raise RuntimeError(str(said["errors"])[:400])
    return dict(said["data"])
