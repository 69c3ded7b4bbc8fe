"""Events survive what happens to the process that stores them: kill -9 in a loop, no room on the disk, clock steps.

The clients are the real ones of dagster-cloud over HTTP, and what is killed is the whole embedded Dagster+. Only its
imports are spared at each start: it is forked from a process that has them. Cannot prove what a power cut takes.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any

import pytest
import requests
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterRunAlreadyExists
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry
from dagster_cloud.storage.event_logs.queries import STORE_EVENT_MUTATION
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage, _input_for_event
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud_cli.core.errors import DagsterCloudHTTPError
from dagster_cloud_cli.core.graphql_client import DagsterCloudAgentHttpClient, DagsterCloudGraphQLClient

from hybrid.plus import AgentGrants, Endpoint, PlusClient, api_token
from tests.emulated.checkout import until
from tests.ports import free_port

pytestmark = pytest.mark.emulated

KILLS = 100
CLIENTS = 4

FORKING_PROCESS = """
import os, sys, time
from pathlib import Path
import hybrid.emulator.server as server
import hybrid.emulator.api.endpoint, hybrid.emulator.api.service, hybrid.emulator.application, hybrid.emulator.browser
import hybrid.emulator.http_server, hybrid.emulator.organization, hybrid.emulator.runtime.loaded

def answer(text):
    sys.stdout.write(f"{text}\\n")
    sys.stdout.flush()

answer("ready")
child = 0
for line in sys.stdin:
    command, seconds = line.split()
    if command == "start":
        child = os.fork()
        if child == 0:
            if float(seconds):
                clock = time.time
                time.time = lambda: clock() + float(seconds)
            server.serve(server.ServeOptions(data=Path(sys.argv[1]), port=int(sys.argv[2])))
        answer(child)
    else:
        os.waitpid(child, 0)
        answer("gone")
"""


class Emulator:
    """An embedded Dagster+ that is quickly started again. ``clock`` is by how many seconds its clock is wrong."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._forking = subprocess.Popen(
            [sys.executable, "-c", FORKING_PROCESS, str(data), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(data.parent / "emulator.log").open("a"),
            text=True,
            env=environment,
        )
        self.pid = 0
        assert self._answer() == "ready", "the imports failed; see emulator.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, clock: float = 0.0) -> None:
        self.pid = int(self._ask("start", clock))

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._ask("wait", 0) == "gone"

    def close(self) -> None:
        if self.pid:
            self.kill()
        self._stream(self._forking.stdin).close()
        self._forking.wait()
        self._stream(self._forking.stdout).close()

    def _ask(self, command: str, seconds: float) -> str:
        stream = self._stream(self._forking.stdin)
        stream.write(f"{command} {seconds}\n")
        stream.flush()
        return self._answer()

    def _answer(self) -> str:
        return self._stream(self._forking.stdout).readline().strip()

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


class HttpInstance:
    """What the client's event log storage needs of its instance to send events over REST."""

    def __init__(self, url: str, client: DagsterCloudAgentHttpClient) -> None:
        self.dagster_cloud_store_events_url = f"{url}/store_events"
        self.http_client = client


class Worker:
    """The storages of a run worker, as the agent's instance makes them; retries come sooner than the real ones."""

    def __init__(self, url: str, token: str, retries: int = 14) -> None:
        headers = {"Dagster-Cloud-Api-Token": token, "Dagster-Cloud-Deployment": "prod"}
        patience: dict[str, Any] = {"headers": headers, "timeout": 20, "max_retries": retries, "backoff_factor": 0.005}
        session = requests.Session()
        self.graphql = DagsterCloudGraphQLClient(session=session, url=f"{url}/graphql", verify=True, **patience)
        self.http = DagsterCloudAgentHttpClient(session=session, verify=True, **patience)
        self.runs = GraphQLRunStorage(override_graphql_client=self.graphql)
        self.events = GraphQLEventLogStorage(override_graphql_client=self.graphql)
        self._instance = HttpInstance(url, self.http)
        self.events.register_instance(self._instance)  # type: ignore[arg-type]  # as much of one as it asks for

    def add_run(self, run_id: str) -> None:
        with suppress(DagsterRunAlreadyExists):  # the first try was taken and its answer was lost
            self.runs.add_run(DagsterRun(job_name="job", run_id=run_id))

    def texts(self, run_id: str) -> list[str]:
        return [record.event_log_entry.user_message for record in self.events.get_records_for_run(run_id).records]


def entry(run_id: str, text: str, kind: str | None = None) -> EventLogEntry:
    event = DagsterEvent(kind, "job", message=text) if kind else None
    return EventLogEntry(None, 20, text, run_id, time.time(), None, "job", event)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    (tmp_path / "data").mkdir()
    running = Emulator(tmp_path / "data")
    running.start()
    yield running
    running.close()


@pytest.fixture
def token(emulator: Emulator) -> str:
    """An agent's token."""
    file = emulator.data / "api-token"
    until(file.exists, seconds=60, what="the emulator has made its token")
    endpoint = Endpoint(url=emulator.url, organization="local", deployment="prod")
    with PlusClient(endpoint, api_token({}, file)) as client:
        made = client.create_agent_token("workers")
        client.set_agent_grants(made.id, AgentGrants(deployments=frozenset({"prod"})))
    assert made.token is not None
    return made.token.reveal()


class Load(threading.Thread):
    """One client that runs one run after the other, and what was acknowledged to it."""

    def __init__(self, number: int, url: str, token: str) -> None:
        super().__init__(daemon=True)
        self._worker = Worker(url, token)
        self._number = number
        self.acknowledged: dict[str, list[str]] = {}
        self.count = 0
        self.failure: BaseException | None = None
        self.stop = threading.Event()

    def run(self) -> None:
        try:
            for number in range(100_000):
                if self.stop.is_set():
                    return
                self._one_run(f"run-{self._number}-{number}")
        except BaseException as error:
            self.failure = error

    def _one_run(self, run_id: str) -> None:
        self._worker.add_run(run_id)
        self.acknowledged[run_id] = []
        self._send(run_id, [entry(run_id, "begin", "PIPELINE_START")])
        for step in range(4):
            self._send(run_id, [entry(run_id, f"{step}")])
            self._send(run_id, [entry(run_id, f"{step}-{part}") for part in range(3)])
            with_rest = [entry(run_id, f"{step}-rest-{part}") for part in range(2)]
            self._send(run_id, with_rest, over_rest=True)
        self._send(run_id, [entry(run_id, "end", "PIPELINE_SUCCESS")])

    def _send(self, run_id: str, entries: list[EventLogEntry], *, over_rest: bool = False) -> None:
        events = self._worker.events
        if over_rest:
            self._send_over_rest(f"{run_id}-{entries[0].user_message}", entries)
        elif len(entries) == 1:
            events.store_event(entries[0])
        else:
            events.store_event_batch(entries)
        self.acknowledged[run_id] += [one.user_message for one in entries]
        self.count += 1

    def _send_over_rest(self, key: str, entries: list[EventLogEntry]) -> None:
        """The client's own retry sends the file from where the first try left it, which is its end, and is refused.

        (``_store_events_http`` hands one open file to all tries.) So it is done here, under the same key.
        """
        while True:
            try:
                return self._worker.events._store_events_http({"Idempotency-Key": key}, entries)
            except DagsterCloudHTTPError as error:
                if error.response.status_code != 400:
                    raise


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_nine_a_hundred_times_under_load_loses_and_doubles_nothing(emulator: Emulator, token: str) -> None:
    loads = [Load(number, emulator.url, token) for number in range(CLIENTS)]
    for load in loads:
        load.start()
    chance = random.Random(20261121)  # noqa: S311 (the same moments each time, as far as a clock can)

    def taken() -> int:
        failed = [load.failure for load in loads if load.failure]
        assert not failed, f"a client has given up: {failed[0]!r}"
        return sum(load.count for load in loads)

    for _ in range(KILLS):
        enough = taken() + chance.randint(3, 25)
        until(lambda wanted=enough: taken() >= wanted, seconds=60, what="the clients have gone on")
        delay = threading.Event()
        delay.wait(chance.uniform(0.0, 0.01))  # somewhere within a delivery
        emulator.kill()
        emulator.start()
    for load in loads:
        load.stop.set()
    for load in loads:
        load.join(timeout=60)
        assert not load.is_alive(), "a client hangs"
    assert not [load.failure for load in loads if load.failure]
    check_all(Worker(emulator.url, token), loads)
    check_databases(emulator)


def check_all(worker: Worker, loads: list[Load]) -> None:
    for load in loads:
        for run_id, texts in load.acknowledged.items():
            assert worker.texts(run_id) == texts, f"{run_id}: each once, in the order in which they were sent"
            run = worker.runs.get_run_by_id(run_id)
            assert run is not None
            assert run.status == DagsterRunStatus.SUCCESS, f"{run_id} has ended"


def check_databases(emulator: Emulator) -> None:
    emulator.kill()
    emulator.pid = 0
    files = [file for file in emulator.data.rglob("*") if file.is_file() and file.open("rb").read(6) == b"SQLite"]
    assert len(files) >= 4, "the organization's and Dagster's three"
    for file in files:
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{file.name} is damaged"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process can be set on Linux only")
def test_without_room_clients_are_told_and_with_room_it_goes_on(emulator: Emulator, token: str) -> None:
    worker = Worker(emulator.url, token, retries=3)
    worker.add_run("run")
    worker.events.store_event(entry("run", "begin", "PIPELINE_START"))
    acknowledged, refused = ["begin"], 0
    unlimited = resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in emulator.data.rglob("*") if file.is_file())
    resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE, (largest + 100_000, unlimited[1]))
    for number in range(400):
        try:
            worker.events.store_event_batch([entry("run", f"{number}-{part}" + "x" * 2_000) for part in range(3)])
        except Exception:
            refused += 1
            if refused == 3:
                break
        else:
            acknowledged += [f"{number}-{part}" for part in range(3)]
    assert refused == 3, "a write for which there is no room must not be acknowledged"
    with pytest.raises(Exception, match=r"."):
        worker.events.store_event(entry("run", "y" * 200_000))
    assert worker.runs.has_run("run"), "reading goes on"
    resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE, unlimited)
    worker.events.store_event(entry("run", "end", "PIPELINE_SUCCESS"))
    acknowledged.append("end")
    kept = [text.rstrip("x") for text in worker.texts("run")]
    assert kept == acknowledged, "what was acknowledged is there, what was refused is not, and nobody started it anew"
    run = worker.runs.get_run_by_id("run")
    assert run is not None
    assert run.status == DagsterRunStatus.SUCCESS
    check_databases(emulator)


DAY = 86_400.0


def test_clock_steps_neither_reorder_events_nor_let_a_repeated_one_in(emulator: Emulator, token: str) -> None:
    worker = Worker(emulator.url, token)
    worker.add_run("run")

    def deliver(key: str, event: EventLogEntry) -> None:
        worker.graphql.execute(
            STORE_EVENT_MUTATION, {"eventRecord": _input_for_event(event)}, headers={"Idempotency-Key": key}
        )

    events = {clock: entry("run", f"by a clock {clock:+} days wrong") for clock in (0, 10, -10, 400)}
    for clock, event in events.items():
        if clock:
            emulator.kill()
            emulator.start(clock * DAY)
        deliver(str(clock), event)
    for clock, event in events.items():
        deliver(str(clock), event)
    texts = [event.user_message for event in events.values()]
    ours = [text for text in worker.texts("run") if text in texts]  # run monitoring believes the clock, and has its say
    assert ours == texts, "in the order in which they came, each once, whatever any clock says"
    first = worker.events.get_records_for_run("run", limit=2)
    rest = worker.events.get_records_for_run("run", cursor=first.cursor)
    pages = [record.event_log_entry.user_message for record in [*first.records, *rest.records]]
    assert [text for text in pages if text in texts] == texts, "a reader that goes on from where it was sees each once"
