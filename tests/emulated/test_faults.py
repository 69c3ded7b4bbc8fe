"""What must not go wrong when things go wrong: bad locations, taken ports, killed processes, two updates at once."""

from __future__ import annotations

import json
import socket
from collections import Counter

import psutil
import pytest

from tests.emulated.checkout import Checkout, until

pytestmark = pytest.mark.emulated


def test_a_location_that_does_not_import_is_told_under_its_name_and_the_others_load(checkout: Checkout) -> None:
    checkout.location("broken", "import nonesuch_module\n")
    answer = checkout.hybrid("up", "local", "--json")
    assert answer.code == 5, answer.err
    assert "broken" in answer.err
    assert "No module named 'nonesuch_module'" in answer.err, "the location's own traceback is the reason"
    assert 'Traceback (most recent call last):\n  File "' not in answer.err.split("broken")[0], "no traceback of ours"
    status = checkout.status()
    assert status.code == 7, "status must not call this ready"
    by_name = {location["name"]: location for location in status.document["locations"]}
    assert by_name["alpha"]["error"] is None, "one broken location does not keep the others from loading"
    assert by_name["broken"]["error"]
    checkout.location("broken")
    checkout.up()


def test_a_port_that_is_taken_is_named(checkout: Checkout) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", checkout.port))
        other.listen()
        answer = checkout.hybrid("up", "local")
        assert answer.code == 5, answer.err
        assert str(checkout.port) in answer.err, "the reader must know which port"
        assert "emulator" in answer.err
    checkout.up()


@pytest.mark.slow
def test_two_ups_at_once_end_as_one(checkout: Checkout) -> None:
    first = checkout.start("up", "local")
    until(lambda: (checkout.root / ".hybrid/stacks/local/update.json").exists(), seconds=20, what="the first has begun")
    second = checkout.hybrid("up", "local")
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert second.code == 6, second.err
    assert str(first.pid) in second.err, "who holds the stack is said"
    assert len(checkout.agents()) == 1


@pytest.mark.slow
def test_a_killed_agent_comes_back_and_its_old_code_servers_go(checkout: Checkout) -> None:
    checkout.up()
    agent, servers = checkout.agents()[0], checkout.code_servers()
    assert servers, "a loaded location has a code server"
    agent.kill()
    until(
        lambda: [process for process in checkout.agents() if process.pid != agent.pid],
        seconds=30,
        what="the supervisor has started the agent again",
    )
    _, alive = psutil.wait_procs(servers, timeout=30)
    assert not alive, "code servers of a dead agent would answer with old code"
    until(lambda: checkout.status().code == 0, seconds=60, what="the new agent is RUNNING and the location loaded")


@pytest.mark.slow
def test_a_killed_emulator_comes_back_and_a_run_goes_on_without_losing_an_event(checkout: Checkout) -> None:
    checkout.up()
    run = checkout.start("run", "local", "alpha", "waiting", "--json")
    until(lambda: checkout.commands("api", "execute_run"), seconds=40, what="the run's worker has started")
    for _ in range(2):
        killed = checkout.emulator()
        killed.kill()
        until(
            lambda dead=killed.pid: any(process.pid != dead for process in checkout.commands("-m hybrid.emulator")),
            seconds=30,
            what="the supervisor has started the emulator again",
        )
        until(lambda: checkout.status().code == 0, seconds=90, what="the agent has resumed by itself")
    checkout.gate.write_text("")
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, f"the run must end in SUCCESS:\n{out}\n{err}"
    with checkout.client() as client:
        events = list(client.run_events(json.loads(out)["run_id"]))
    seen = Counter((event.timestamp, event.type, event.step, event.message) for event in events)
    assert {event: count for event, count in seen.items() if count > 1} == {}, "an event that was sent twice is one"
    counts = Counter(event.type for event in events)
    once = {"RUN_START", "STEP_START", "STEP_OUTPUT", "STEP_SUCCESS", "RUN_SUCCESS"}
    assert {kind: counts[kind] for kind in once} == dict.fromkeys(once, 1), "what was acknowledged is there, once"


@pytest.mark.slow
def test_what_was_changed_behind_the_back_is_shown_and_put_right(checkout: Checkout) -> None:
    checkout.up()
    with checkout.client() as client:
        assert client.delete_location("alpha")
    preview = checkout.hybrid("preview", "local", "--json")
    assert preview.document["changes"].get("create"), f"drift in Dagster+ is drift: {preview.document}"
    checkout.up()
    assert checkout.status().code == 0


@pytest.mark.slow  # a hung server is waited for before it is called hung
def test_a_hung_emulator_is_started_anew(checkout: Checkout) -> None:
    checkout.up()
    hung = checkout.emulator()
    hung.suspend()
    assert checkout.status().code == 7, "a hung Dagster+ is not ready, and status does not hang with it"
    assert checkout.up().code == 0
    assert checkout.emulator().pid != hung.pid
    assert len(checkout.agents()) == 1
