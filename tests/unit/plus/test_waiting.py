"""What is tried again, for how long, and who hears of it. Time passes only in the tests' own clock."""

from __future__ import annotations

import email.utils
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.plus import (
    Patience,
    PlusCancelled,
    PlusMaintenance,
    PlusProtocolError,
    PlusRejected,
    PlusUnauthorized,
    PlusUnreachable,
)
from hybrid.plus.patience import retry_after

pytestmark = pytest.mark.unit

DOCUMENT = {
    "location_name": "hello",
    "image": "registry.example/hello@sha256:12",
    "code_source": {"module_name": "hello.definitions"},
}


def maintenance(interval=30, timeout=3600):
    body = {"maintenance": {"message": "Database upgrade", "timeout": timeout, "retry_interval": interval}}
    return httpx.Response(503, json=body)


@pytest.mark.parametrize("status", [409, 429, 502, 503, 504])
def test_a_busy_dagster_plus_is_asked_again_with_growing_waits(plus, client, clock, waits, status):
    for _ in range(3):
        plus.expects("HybridAgents", reply=httpx.Response(status))
    plus.expects("HybridAgents")
    assert len(client.agents()) == 2
    assert clock.slept == [1.0, 2.0, 4.0]
    assert [(wait.operation, wait.seconds, wait.attempt) for wait in waits] == [
        ("HybridAgents", 1.0, 1),
        ("HybridAgents", 2.0, 2),
        ("HybridAgents", 4.0, 3),
    ]
    assert f"HTTP {status}" in waits[0].reason


def test_a_dagster_plus_that_stays_busy_is_an_error_that_says_how_often_it_was_asked(plus, client, clock):
    for _ in range(6):
        plus.expects("HybridAgents", reply=httpx.Response(503, text="overloaded"))
    with pytest.raises(PlusUnreachable, match="Tried 6 times") as gone:
        client.agents()
    assert gone.value.reason == "busy"
    assert "overloaded" in str(gone.value)
    assert sum(clock.slept) <= Patience().wait_seconds


def test_the_wait_that_dagster_plus_asks_for_is_kept(plus, client, clock):
    plus.expects("HybridAgents", reply=httpx.Response(429, headers={"Retry-After": "7"}))
    in_nine_seconds = email.utils.formatdate(clock.now + 16, usegmt=True)  # seven of them pass before
    plus.expects("HybridAgents", reply=httpx.Response(503, headers={"Retry-After": in_nine_seconds}))
    plus.expects("HybridAgents")
    client.agents()
    assert clock.slept == [7.0, 9.0]


def test_a_wait_longer_than_the_callers_patience_is_not_begun(plus, client, clock):
    plus.expects("HybridAgents", reply=httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(PlusUnreachable):
        client.agents()
    assert clock.slept == []


def test_one_try_means_one_try(plus, connect, clock):
    client = connect(patience=Patience.none())
    plus.expects("HybridAgents", reply=httpx.Response(503))
    with pytest.raises(PlusUnreachable):
        client.agents()
    plus.expects("HybridAgents", reply=maintenance(interval=1))
    with pytest.raises(PlusMaintenance):
        client.agents()
    assert clock.slept == []


def test_announced_maintenance_is_waited_out_beyond_the_number_of_tries(plus, client, clock, waits):
    for _ in range(10):
        plus.expects("HybridAgents", reply=maintenance(interval=30))
    plus.expects("HybridAgents")
    client.agents()
    assert clock.slept == [30.0] * 10
    assert waits[0].reason == "Dagster+ is in maintenance."


@pytest.mark.parametrize(("patience", "announced"), [(90.0, 3600), (600.0, 100)], ids=["ours", "theirs"])
def test_maintenance_is_waited_for_as_long_as_the_shorter_bound(plus, connect, clock, patience, announced):
    client = connect(patience=Patience(maintenance_seconds=patience))
    for _ in range(4):
        plus.expects("HybridAgents", reply=maintenance(interval=30, timeout=announced))
    with pytest.raises(PlusMaintenance, match="Database upgrade"):
        client.agents()
    assert clock.slept == [30.0, 30.0, 30.0]


def test_faults_after_a_maintenance_have_their_own_patience(plus, client, clock):
    for _ in range(4):
        plus.expects("HybridAgents", reply=maintenance(interval=30))
    plus.expects("HybridAgents", reply=httpx.Response(502))
    plus.expects("HybridAgents")
    client.agents()
    assert clock.slept == [30.0] * 4 + [1.0]


@pytest.mark.parametrize("announced", [{}, {"timeout": "soon", "retry_interval": -5}], ids=["nothing said", "nonsense"])
def test_maintenance_without_figures_is_waited_for_in_our_own_steps(plus, connect, clock, announced):
    client = connect(patience=Patience(maintenance_seconds=1.0))
    for _ in range(3):
        plus.expects("HybridAgents", reply=httpx.Response(200, json={"maintenance": announced}))
    with pytest.raises(PlusMaintenance):
        client.agents()
    assert clock.slept == [0.5, 0.5]


LOST = [
    httpx.ReadTimeout("no answer"),
    httpx.RemoteProtocolError("server disconnected"),
    httpx.ReadError("connection reset"),
    httpx.Response(502),
    httpx.Response(504),
]


def by_name(lost):
    return type(lost).__name__ if isinstance(lost, Exception) else str(lost.status_code)


@pytest.mark.parametrize("lost", LOST, ids=by_name)
def test_a_lost_answer_to_a_question_is_asked_for_again(plus, client, lost):
    plus.expects("HybridAgents", reply=lost)
    plus.expects("HybridAgents")
    assert client.agents()


@pytest.mark.parametrize("lost", LOST, ids=by_name)
def test_a_lost_answer_to_a_repeatable_change_is_sent_again_under_the_same_key(plus, client, lost):
    plus.expects("HybridPutLocation", reply=lost)
    plus.expects("HybridPutLocation")
    client.put_location(DOCUMENT)
    assert len({request.headers["Idempotency-Key"] for request in plus.requests}) == 1


@pytest.mark.parametrize("lost", LOST, ids=by_name)
def test_a_lost_answer_never_makes_a_second_token(plus, client, lost):
    plus.expects("HybridCreateAgentToken", reply=lost)
    with pytest.raises(PlusUnreachable):
        client.create_agent_token("hybrid/local")
    assert len(plus.requests) == 1, "the first one may exist already"


@pytest.mark.parametrize(
    "unsent", [httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.Response(429)], ids=by_name
)
def test_a_change_that_did_not_arrive_is_sent_again(plus, client, unsent):
    plus.expects("HybridCreateAgentToken", reply=unsent)
    plus.expects("HybridCreateAgentToken")
    assert client.create_agent_token("hybrid/local").id == 7


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (httpx.Response(401, json={}), PlusUnauthorized),
        (httpx.Response(500, text="oops"), PlusProtocolError),
        (httpx.Response(200, json={"errors": [{"message": "no"}]}), PlusRejected),
        (httpx.UnsupportedProtocol("ftp"), PlusProtocolError),
    ],
    ids=["401", "500", "errors", "protocol"],
)
def test_what_will_not_pass_is_not_tried_again(plus, client, clock, reply, error):
    plus.expects("HybridAgents", reply=reply)
    with pytest.raises(error):
        client.agents()
    assert clock.slept == []


def test_cancelling_ends_the_wait(plus, connect):
    cancel = threading.Event()
    client = connect(cancel=cancel, sleep=None, on_wait=lambda wait: cancel.set())
    plus.expects("HybridAgents", reply=httpx.Response(503, headers={"Retry-After": "50"}))
    with pytest.raises(PlusCancelled):
        client.agents()
    assert len(plus.requests) == 1, "nothing is sent after it was cancelled"


@given(st.text())
def test_any_retry_after_is_read_or_ignored(text):
    seconds = retry_after({"Retry-After": text}, now=0.0)
    assert seconds is None or seconds >= 0, "time does not run backwards"
