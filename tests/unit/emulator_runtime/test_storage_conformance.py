"""Each query-backed method of the Dagster+ client's storages answers as Dagster's own storages do on the same calls.

Both sides are told the same events, runs and slots; then the same call is made on each and what comes back is
compared. Proves it for 90 methods of dagster-cloud 1.13.27. Cannot prove that Dagster+ would answer alike, nor what
Dagster's own storages cannot do; there a call says beside it what is expected instead.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from dagster import DagsterRun
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS, PIPELINE_EVENTS
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud.storage.schedules.storage import GraphQLScheduleStorage

from hybrid.emulator.runtime.bridge import Bridge
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.instance import make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.storage import Storages, open_storages
from tests.unit.emulator_runtime import storage_event_calls  # noqa: F401 - adds its calls
from tests.unit.emulator_runtime.storage_calls import CALLS, Call
from tests.unit.emulator_runtime.storage_world import (
    JOB,
    Side,
    Traced,
    bridge_workspace,
    client_side,
    comparable,
    event,
    fill,
    own_side,
)
from tests.unit.emulator_runtime.test_client_storages import BridgeClient

pytestmark = pytest.mark.unit

CLIENTS = {"runs": GraphQLRunStorage, "events": GraphQLEventLogStorage, "schedules": GraphQLScheduleStorage}
SENDING = ("_execute_query", "_query_asset_partitions_for_run", "_store_events_http")


def methods(client: type) -> dict[str, bool]:
    """The client's public methods and properties, and whether each sends something."""
    found = {}
    for name, member in vars(client).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(function):
            found[name] = any(word in inspect.getsource(function) for word in SENDING)
    return found


def make_bridge(storages: Storages, logs: Path) -> Bridge:
    launcher = AgentRunLauncher(cast(Any, None), lambda _location: None, lambda _run: None)
    instance = make_instance(storages, UploadedComputeLogs(str(logs)), launcher, {})
    return Bridge(instance, storages, lambda: bridge_workspace(instance))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, made_storages: Path) -> Path:
    """Both sides' folders, told the same."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copytree(made_storages, folder / "ours")
    storages = open_storages(folder / "ours")
    bridge = make_bridge(storages, folder / "logs")
    fill(client_side(bridge, BridgeClient(bridge)))
    storages.dispose()
    (folder / "own").mkdir()
    fill(own_side(folder / "own", bridge.instance._settings))
    return folder


@contextmanager
def opened(folder: Path, filled: Path) -> Iterator[tuple[Side, Side]]:
    for name in ("ours", "own"):
        shutil.copytree(filled / name, folder / name)
    storages = open_storages(folder / "ours")
    bridge = make_bridge(storages, folder / "logs")
    yield client_side(bridge, BridgeClient(bridge)), own_side(folder / "own", bridge.instance._settings)
    storages.dispose()


@pytest.fixture
def sides(tmp_path: Path, filled: Path) -> Iterator[tuple[Side, Side]]:
    with opened(tmp_path, filled) as both:
        yield both


@pytest.fixture(scope="module")
def shared_sides(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Iterator[tuple[Side, Side]]:
    """For calls that only read; opening both sides for each would take most of the time."""
    with opened(tmp_path_factory.mktemp("shared"), filled) as both:
        yield both


def outcome(do: Callable[[Side], Any], side: Side) -> Any:
    """What a call answers, or the class of the error that it raises."""
    try:
        answer = do(side)
    except (AttributeError, TypeError, NotImplementedError):
        raise  # the call is written wrongly, or nothing is there to call; two sides that fail so do not agree
    except Exception as error:
        return "raised", type(error).__name__
    return comparable(answer)  # what cannot be compared must not look like an error that both sides raise


def test_every_method_that_sends_something_is_called_here() -> None:
    called = {(call.storage, call.method) for call in CALLS}
    sending = {(name, method) for name, client in CLIENTS.items() for method, sends in methods(client).items() if sends}
    assert called == sending, "a new method of the client has to be looked at; one that is gone has no call any more"
    assert len(sending) == 90, "another client release: look at what it added, then change this number"


def test_what_sends_nothing_is_the_clients_own_affair() -> None:
    """Nothing can be served wrong there: they answer constants, or refuse ("Not callable from user cloud")."""
    silent = [method for client in CLIENTS.values() for method, sends in methods(client).items() if not sends]
    assert len(silent) == 49, "another client release: see that what it added asks its server nothing"


def only_reads(call: Call) -> bool:
    after_a_write = {"get_backfill", "get_backfills", "get_daemon_heartbeats", "get_asset_status_cache_values"}
    reading = call.method.startswith(("get_", "has_", "fetch_", "is_", "check_", "all_asset"))
    return (
        reading and "snapshot" not in call.method and call.method not in after_a_write and call.storage != "schedules"
    )


READING, WRITING = ([call for call in CALLS if only_reads(call) is reads] for reads in (True, False))


@pytest.mark.parametrize("call", READING, ids=lambda call: f"{call.storage}.{call.method}")
def test_a_reading_call_is_answered_as_dagsters_own_storage_answers_it(
    call: Call, shared_sides: tuple[Side, Side]
) -> None:
    check_same(call, shared_sides)


@pytest.mark.parametrize("call", WRITING, ids=lambda call: f"{call.storage}.{call.method}")
def test_a_writing_call_is_answered_as_dagsters_own_storage_answers_it(call: Call, sides: tuple[Side, Side]) -> None:
    check_same(call, sides)


def check_same(call: Call, sides: tuple[Side, Side]) -> None:
    ours, own = sides
    traced: Traced = getattr(ours, call.storage)
    traced.used.clear()
    answer, expected = outcome(call.do, ours), outcome(call.own or call.do, own)
    if call.method in {"store_event", "store_event_batch"}:
        assert ours.store == traced._storage.store_event, "stored by the client's own method"
    else:
        assert call.method in traced.used, "the call has to be of the method that it stands for"
    assert answer == expected


def test_every_pair_of_run_events_moves_a_run_as_dagster_moves_it(sides: tuple[Side, Side]) -> None:
    """Out of order, twice, after the run's end: the status is what Dagster's own instance makes of it."""
    kinds = sorted(kind.value for kind in PIPELINE_EVENTS)
    assert {kind.value for kind in EVENT_TYPE_TO_PIPELINE_RUN_STATUS} <= set(kinds), (
        "no kind that moves a run is left out"
    )
    for side in sides:
        for first, second in product(kinds, kinds):
            run_id = f"{first}-{second}"
            side.runs.add_run(DagsterRun(job_name="job", run_id=run_id, remote_job_origin=JOB))
            side.store(event(run_id, 500.0, first))
            side.store(event(run_id, 501.0, second))
    ours, own = [
        {record.dagster_run.run_id: (record.dagster_run.status, record.start_time, record.end_time)
         for record in side.runs.get_run_records()}
        for side in sides
    ]  # fmt: skip
    assert ours == own
