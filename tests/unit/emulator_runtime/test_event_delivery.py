"""Events are stored exactly once, whatever the client repeats and whenever the emulator is killed.

Proves it for Dagster's event log in SQLite: with repeated deliveries, with a kill -9 of the storing process at random
moments, and with the state that a kill between two of the steps leaves behind. Cannot prove what a failing disk or a
power cut takes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterRunStatus
from dagster._core.events import StepMaterializationData
from dagster._core.storage.dagster_run import RunsFilter
from dagster_shared.check import CheckError

from hybrid.emulator.runtime.storage import Storages, deliveries, open_storages
from hybrid.emulator.runtime.storage.deliveries import Deliveries
from hybrid.emulator.runtime.storage.events import FORGET_EVERY, delivered_as

pytestmark = pytest.mark.unit

STORING_PROCESS = """
import sys, time
from pathlib import Path
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry
from hybrid.emulator.runtime.storage import open_storages
from hybrid.emulator.runtime.storage.events import delivered_as

KINDS = {"start": "PIPELINE_START", "success": "PIPELINE_SUCCESS"}
storages = open_storages(Path(sys.argv[1]))
sys.stdout.write("ready\\n")
sys.stdout.flush()
for line in sys.stdin:
    key, run_id, text = line.split()
    kind = KINDS.get(text)
    event = DagsterEvent(kind, "job", message=text) if kind else None
    entry = EventLogEntry(error_info=None, level=20, user_message=text, run_id=run_id, timestamp=time.time(),
                          step_key=None, job_name="job", dagster_event=event)
    with delivered_as(key):
        storages.events.store_event(entry)
    sys.stdout.write(key + "\\n")
    sys.stdout.flush()
"""


def texts(storages: Storages, run_id: str) -> list[str]:
    return [record.event_log_entry.user_message for record in storages.events.get_records_for_run(run_id).records]


def status(storages: Storages, run_id: str) -> DagsterRunStatus:
    return storages.runs.get_runs(RunsFilter(run_ids=[run_id]))[0].status


def test_a_delivery_that_is_repeated_is_stored_once(storages: Storages, make_event: Callable[..., Any]) -> None:
    for _ in range(3):
        with delivered_as("key"):
            storages.events.store_event(make_event("run", "a"))
    with delivered_as("other key"):
        storages.events.store_event(make_event("run", "a"))
    assert texts(storages, "run") == ["a", "a"], "the same text under another key is another event"


def test_deliveries_without_a_key_are_all_stored(storages: Storages, make_event: Callable[..., Any]) -> None:
    for _ in range(2):
        storages.events.store_event(make_event("run", "a"))
    assert texts(storages, "run") == ["a", "a"], "without a key nobody says that they are the same"


def test_a_batch_is_stored_whole_or_not_at_all(storages: Storages, make_event: Callable[..., Any]) -> None:
    broken = make_event("run", "b")._replace(timestamp="not a time")
    with pytest.raises(Exception, match=r"."), delivered_as("key"):
        storages.events.store_event_batch([make_event("run", "a"), broken])
    assert texts(storages, "run") == [], "the client repeats the whole batch"
    with delivered_as("key"):
        storages.events.store_event_batch([make_event("run", "a"), make_event("run", "b")])
    assert texts(storages, "run") == ["a", "b"], "a delivery that failed must not count as taken"


def test_what_an_event_says_of_an_asset_is_stored_with_it(storages: Storages, make_event: Callable[..., Any]) -> None:
    materialized = StepMaterializationData(AssetMaterialization(AssetKey("a"), tags={"dagster/data_version": "1"}))
    for _ in range(2):
        with delivered_as("key"):
            storages.events.store_event(
                make_event("run", "m", "ASSET_MATERIALIZATION", event_specific_data=materialized)
            )
    record = storages.events.get_asset_records([AssetKey("a")])[0]
    assert record.asset_entry.last_run_id == "run", "the asset's row belongs to the same transaction"
    assert storages.events.get_maximum_record_id() == 1, "stored once"


def test_a_run_event_moves_the_run(
    storages: Storages, make_event: Callable[..., Any], add_run: Callable[..., Any]
) -> None:
    add_run(storages, "run")
    with delivered_as("key"):
        storages.events.store_event(make_event("run", "s", "PIPELINE_START"))
    assert status(storages, "run") == DagsterRunStatus.STARTED, "the client leaves the status to the server"


@pytest.mark.parametrize("repeated_by_client", [False, True])
def test_a_run_is_moved_after_a_kill_between_its_event_and_its_status(
    tmp_path: Path, make_event: Callable[..., Any], add_run: Callable[..., Any], repeated_by_client: bool
) -> None:
    storages = open_storages(tmp_path / "storage")
    add_run(storages, "run")

    def killed(_event: object) -> None:
        raise KeyboardInterrupt

    storages.events.move_run_status_with(killed)
    with pytest.raises(KeyboardInterrupt), delivered_as("key"):
        storages.events.store_event(make_event("run", "s", "PIPELINE_SUCCESS"))
    assert status(storages, "run") == DagsterRunStatus.NOT_STARTED
    storages.dispose()

    restarted = open_storages(tmp_path / "storage")
    if repeated_by_client:
        with delivered_as("key"):
            restarted.events.store_event(make_event("run", "s", "PIPELINE_SUCCESS"))
    assert status(restarted, "run") == DagsterRunStatus.SUCCESS, "the start finishes what was left undone"
    assert texts(restarted, "run") == ["s"]
    restarted.dispose()


def test_a_repeated_delivery_settles_what_its_first_try_could_not(
    storages: Storages, make_event: Callable[..., Any], add_run: Callable[..., Any]
) -> None:
    add_run(storages, "run")
    move = storages.events._move_run_status

    def fails(_event: object) -> None:
        raise OSError("disk full")

    storages.events.move_run_status_with(fails)
    with pytest.raises(OSError, match="disk full"), delivered_as("key"):
        storages.events.store_event(make_event("run", "s", "PIPELINE_START"))
    storages.events.move_run_status_with(move)
    with delivered_as("key"):
        storages.events.store_event(make_event("run", "s", "PIPELINE_START"))
    assert status(storages, "run") == DagsterRunStatus.STARTED
    assert texts(storages, "run") == ["s"], "the event of the first try stands"


def fails_for_want_of_room(_event: object) -> None:
    raise OSError("disk full")


def test_a_status_that_could_not_be_moved_is_moved_by_the_next_write(
    storages: Storages, make_event: Callable[..., Any], add_run: Callable[..., Any]
) -> None:
    add_run(storages, "run")
    move = storages.events._move_run_status
    storages.events.move_run_status_with(fails_for_want_of_room)
    with pytest.raises(OSError, match="disk full"), delivered_as("key"):
        storages.events.store_event(make_event("run", "s", "PIPELINE_START"))
    storages.events.move_run_status_with(move)
    storages.events.store_event(make_event("another run", "a line"))
    assert status(storages, "run") == DagsterRunStatus.STARTED, "nobody has to start the emulator anew for that"


def test_an_old_event_that_is_settled_late_has_not_the_last_word(
    tmp_path: Path, make_event: Callable[..., Any], add_run: Callable[..., Any]
) -> None:
    storages = open_storages(tmp_path / "storage")
    add_run(storages, "run")
    move = storages.events._move_run_status
    storages.events.move_run_status_with(fails_for_want_of_room)
    with pytest.raises(OSError, match="disk full"), delivered_as("begin"):
        storages.events.store_event(make_event("run", "begin", "PIPELINE_START"))
    storages.events.move_run_status_with(move)
    storages.events._left_undone = False  # as after a start that found nothing to do yet
    with delivered_as("end"):
        storages.events.store_event(make_event("run", "end", "PIPELINE_SUCCESS"))
    with delivered_as("begin"):
        storages.events.store_event(make_event("run", "begin", "PIPELINE_START"))
    assert status(storages, "run") == DagsterRunStatus.SUCCESS, "a run that has ended must not look as if it went on"
    assert texts(storages, "run") == ["begin", "end"]
    storages.dispose()


def test_an_event_that_can_never_move_its_run_keeps_nothing_else_from_being_stored(
    tmp_path: Path, make_event: Callable[..., Any], add_run: Callable[..., Any]
) -> None:
    storages = open_storages(tmp_path / "storage")
    add_run(storages, "run")  # it has no origin, and Dagster queues no run without one
    with pytest.raises(CheckError), delivered_as("key"):
        storages.events.store_event(make_event("run", "queued", "PIPELINE_ENQUEUED"))
    storages.events.store_event(make_event("run", "begin", "PIPELINE_START"))
    storages.dispose()
    again = open_storages(tmp_path / "storage")
    assert status(again, "run") == DagsterRunStatus.STARTED, "one event must not keep the emulator from starting"
    again.dispose()


@pytest.mark.parametrize("hours", [-1_000, 48, 100_000])
def test_a_step_of_the_clock_forgets_no_delivery_that_may_still_be_repeated(
    storages: Storages, make_event: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    with delivered_as("key"):
        storages.events.store_event(make_event("run", "before"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3_600 * hours)
    storages.events._written = FORGET_EVERY - 1  # the next write drops old keys
    storages.events.store_event(make_event("run", "after"))
    with delivered_as("key"):
        storages.events.store_event(make_event("run", "before"))
    assert texts(storages, "run") == ["before", "after"], "in the order in which they came, each once"


def test_old_deliveries_are_forgotten_by_age_and_by_number(storages: Storages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "KEPT_AT_LEAST", 2)
    monkeypatch.setattr(deliveries, "KEPT_AT_MOST", 4)
    now = time.time()

    def kept_of(age: float) -> list[str]:
        with storages.events.database.transaction() as connection:
            connection.execute(deliveries.DELIVERIES.delete())
            for number in range(6):
                Deliveries.take(connection, str(number), [])
            Deliveries.forget_old(connection, now + age)
            return sorted(row.key for row in connection.execute(deliveries.DELIVERIES.select()))

    assert kept_of(age=2 * deliveries.KEPT_SECONDS) == ["4", "5"], "a day old, but for the newest"
    assert kept_of(age=-2 * deliveries.KEPT_SECONDS) == ["2", "3", "4", "5"], "so many at most, however young"


def test_eight_clients_at_once_lose_and_double_nothing(storages: Storages, make_event: Callable[..., Any]) -> None:
    def client(number: int) -> None:
        for event in range(40):
            for _ in range(2):
                with delivered_as(f"{number}-{event}"):
                    storages.events.store_event(make_event(f"run{number}", str(event)))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert texts(storages, f"run{number}") == [str(event) for event in range(40)]


def test_a_watcher_is_told_of_each_event_once_and_in_order(storages: Storages, make_event: Callable[..., Any]) -> None:
    told: list[str] = []

    def watcher(entry: Any, _cursor: str) -> None:
        told.append(entry.user_message)

    storages.events.store_event(make_event("run", "before"))
    storages.events.watch("run", None, watcher)
    storages.events.store_event(make_event("run", "after"))
    storages.events.store_event(make_event("another run", "not this"))
    storages.events.end_watch("run", watcher)
    storages.events.store_event(make_event("run", "too late"))
    assert told == ["before", "after"], "the UI shows a run's events from this"


class Storing:
    """A process that stores what it is sent, one delivery a line, and answers each with its key."""

    def __init__(self, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", STORING_PROCESS, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.answers: IO[str] = self._stream(self.process.stdout)
        self.requests: IO[str] = self._stream(self.process.stdin)
        assert self.answers.readline() == "ready\n", "the storing process did not come up"

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream

    def deliver(self, key: str, run_id: str, text: str) -> bool:
        """Whether it was acknowledged; not so when the process was killed meanwhile."""
        try:
            self.requests.write(f"{key} {run_id} {text}\n")
            self.requests.flush()
            return self.answers.readline() == f"{key}\n"
        except BrokenPipeError:
            return False

    def kill_after(self, seconds: float) -> None:
        def kill() -> None:
            time.sleep(seconds)
            self.process.send_signal(signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.answers.close()


def deliver_until_killed(storing: Storing, wanted: list[tuple[str, str, str]], done: int) -> int:
    """Deliver in order from the first that is not acknowledged; returns how many are by now."""
    for key, run_id, text in wanted[done:]:
        if not storing.deliver(key, run_id, text):
            return done
        done += 1
    return done


@pytest.mark.slow
def test_kill_nine_at_random_moments_neither_loses_nor_doubles_an_acknowledged_event(
    tmp_path: Path, add_run: Callable[..., Any]
) -> None:
    folder = tmp_path / "storage"
    prepared = open_storages(folder)
    runs = [f"run{number}" for number in range(100)]
    for run_id in runs:
        add_run(prepared, run_id)
    prepared.dispose()
    steps = ["start", *[str(step) for step in range(20)], "success"]
    wanted = [(f"{run_id}-{text}", run_id, text) for run_id in runs for text in steps]
    chance = random.Random(20261121)  # noqa: S311 (the same moments each time, as far as a clock can)
    done, kills = 0, 0
    while done < len(wanted):
        storing = Storing(folder)
        if kills < 15:
            # so many deliveries, then somewhere within the next few: however fast the machine is, all kills happen
            done = deliver_until_killed(storing, wanted[: done + chance.randint(10, 60)], done)
            storing.kill_after(chance.uniform(0.0, 0.01))
            kills += 1
        done = deliver_until_killed(storing, wanted, done)
        storing.close()
    assert kills == 15, "the process has to have been killed for this to prove anything"
    after = open_storages(folder)
    for run_id in runs:
        counted = Counter(texts(after, run_id))
        assert counted == Counter(steps), f"{run_id} has lost or doubled events: {counted}"
        assert status(after, run_id) == DagsterRunStatus.SUCCESS, f"{run_id} did not end"
    after.dispose()
