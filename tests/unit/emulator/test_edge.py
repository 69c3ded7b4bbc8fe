"""Clients that hang, drip, flood or send nonsense: each is refused in words or let go, and others are served meanwhile.

Over a served emulator with a stand-in for Dagster and a patience of seconds. What uploads of the real runtime refuse
is in tests/unit/emulator_runtime.
"""

from __future__ import annotations

import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
PATIENCE = 3.0
MEGABYTE = 1024 * 1024
DEADLINE = 20.0


@pytest.fixture
def server(make_server: Make) -> Iterator[Any]:
    started = make_server(STANDIN_PATIENCE=str(PATIENCE)).start()
    yield started
    assert started.process.poll() is None, started.said()
    assert httpx.get(f"{started.url}/health", timeout=DEADLINE).status_code == 200, "it serves on, whatever came"
    assert "Traceback" not in started.said(), started.said()


def connected(server: Any) -> socket.socket:
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname, place.port), timeout=DEADLINE)


def head(server: Any, path: str = "/graphql", method: str = "POST", token: bool = True, **headers: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(server.url).netloc}", "Content-Type: application/json"]
    lines += [f"Dagster-Cloud-Api-Token: {server.api_token()}"] if token else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def closed(connection: socket.socket) -> bytes:
    """What still came until the server let go."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def quick(server: Any) -> None:
    """The API and the UI answer at once."""
    began = time.monotonic()
    assert server.ask("{ organization { name } }") == {"organization": {"name": "local"}}
    assert httpx.get(server.url, timeout=DEADLINE).text == "the UI"
    assert httpx.post(f"{server.url}/graphql", json={"query": "{ ui }"}, timeout=DEADLINE).status_code == 200
    assert time.monotonic() - began < PATIENCE, "nobody waits for those who hang"


def posted(server: Any, query: str) -> httpx.Response:
    return server.post(query, server.api_token())


def test_a_client_that_hangs_in_its_head_keeps_nobody_waiting_and_is_let_go(server: Any) -> None:
    with ExitStack() as stack:
        hanging = [stack.enter_context(connected(server)) for _ in range(60)]
        for connection in hanging:
            connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: 127.0")
        quick(server)
        assert [closed(connection) for connection in hanging] == [b""] * 60, "closed, as nothing was asked yet"


@pytest.mark.parametrize("token", [True, False], ids=["api", "ui"])
def test_a_client_that_hangs_in_its_body_keeps_nobody_waiting_and_is_told_408(server: Any, token: bool) -> None:
    with ExitStack() as stack:
        hanging = [stack.enter_context(connected(server)) for _ in range(60)]
        for connection in hanging:
            connection.sendall(head(server, token=token, Content_Length=1000) + b'{"query": ')
        quick(server)
        for connection in hanging:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408"), "sixty are more than any pool has threads"


def test_a_body_that_comes_in_drops_is_waited_for(server: Any) -> None:
    body = json.dumps({"query": "{ organization { name } }"}).encode()
    with connected(server) as connection:
        connection.sendall(head(server, Content_Length=len(body)))
        for number in range(0, len(body), 12):
            connection.sendall(body[number : number + 12])
            time.sleep(PATIENCE / 4)  # the pace is what is tested: slow, but going on
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_take_its_answer_is_let_go(server: Any) -> None:
    document = {"location_name": "one", "image": "x" * 8 * MEGABYTE, "code_source": {"python_file": "x.py"}}
    put = "mutation P($d: GenericScalar!) { addOrUpdateLocationFromDocument(document: $d) { __typename } }"
    server.ask(put, d=document)
    with connected(server) as connection:
        connection.sendall(head(server, "/hybrid/state", "GET"))
        quick(server)
        process = psutil.Process(server.process.pid)
        deadline = time.monotonic() + DEADLINE
        port = connection.getsockname()[1]
        while any(found.raddr and found.raddr.port == port for found in process.net_connections("tcp")):
            assert time.monotonic() < deadline, "the connection is still held"
            time.sleep(0.05)


def test_a_thousand_idle_connections_keep_nobody_out(server: Any) -> None:
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connected(server))
        quick(server)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_of_100_mb_is_refused_without_being_held(server: Any, announced: bool) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    piece = b"x" * MEGABYTE
    body = piece * 100 if announced else iter([piece] * 100)
    headers = {"Dagster-Cloud-Api-Token": server.api_token(), "Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=headers, timeout=DEADLINE)
    assert answer.status_code == 413
    assert "most that is taken" in answer.json()["message"]
    assert process.memory_info().rss - before < 100 * MEGABYTE, "a body that is refused is not kept"
    quick(server)


def test_a_body_of_100_mb_from_a_browser_is_refused_too(server: Any) -> None:
    answer = httpx.post(
        f"{server.url}/graphql",
        content=b"x" * 100 * MEGABYTE,
        headers={"Content-Type": "application/json"},
        timeout=DEADLINE,
    )
    assert answer.status_code == 413


def test_a_head_without_end_is_refused(server: Any) -> None:
    with connected(server) as connection:
        said = b""
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
            for _ in range(100):
                connection.sendall(b"y" * MEGABYTE)
        except OSError:
            pass
        else:
            pytest.fail("a hundred megabytes of head were taken")
        said = closed(connection)
    assert said == b"" or said.startswith(b"HTTP/1.1 431")
    quick(server)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", b"4"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
    ids=["no-http", "negative-length", "two-lengths", "bad-chunk", "tls"],
)
def test_what_is_not_http_is_refused(server: Any, sent: bytes, status: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_a_body_shorter_than_announced_is_no_fault_of_ours(server: Any) -> None:
    for _ in range(5):
        with connected(server) as connection:
            connection.sendall(head(server, Content_Length=100) + b'{"query"')
    quick(server)


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "\xff\xfe"}',
        b"\xff",
        b"[" * 100_000,
        b'{"query": "{ a }", "variables": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"query": "{ organization { name } }", "variables": {"name": "\\ud800"}}',
        zlib.compress(b'{"query": "{ a }"}'),
        b"",
    ],
    ids=["not-utf-8", "byte", "nested", "nested-variables", "half-a-surrogate", "zlib", "empty"],
)
def test_what_is_no_json_is_refused_in_words(server: Any, body: bytes) -> None:
    headers = {"Dagster-Cloud-Api-Token": server.api_token()}
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=headers, timeout=DEADLINE)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"\xff", b"", b"[" * 100_000, b"[]"], ids=["not-utf-8", "empty", "nested", "list"])
def test_what_is_no_json_is_refused_in_words_before_the_ui_sees_it(server: Any, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=headers, timeout=DEADLINE)
    assert (answer.status_code, answer.json()["message"]) == (400, "The body is not a JSON object.")


def fragments(count: int) -> str:
    doubled = [f"fragment F{n} on CloudQuery {{ a: x {{ ...F{n + 1} }} b: x {{ ...F{n + 1} }} }}" for n in range(count)]
    return f"{{ ...F0 }} {' '.join(doubled)} fragment F{count} on CloudQuery {{ x }}"


@pytest.mark.parametrize(
    "query",
    [
        "{" + " a {" * 10_000 + " b " + "}" * 10_000 + "}",
        "{" + " a {" * 100 + " b " + "}" * 100 + "}",
        "{" + " ".join(f"a{n}: organization {{ name }}" for n in range(50_000)) + "}",
        "{ organization {" + " name" * 5_000 + "} }",
        "{ " + "organization { name } " * 1_000 + "}",
        fragments(40),
        "{ a(x: " + "[" * 10_000 + "]" * 10_000 + ") }",
    ],
    ids=["nested", "deep", "aliases", "repeated", "repeated-objects", "doubling-fragments", "nested-value"],
)
def test_a_document_that_asks_for_too_much_is_refused_quickly_and_in_words(server: Any, query: str) -> None:
    began = time.monotonic()
    answer = posted(server, query)
    assert time.monotonic() - began < 2, "refused before it is validated or executed"
    assert answer.status_code == 400
    message = answer.json()["errors"][0]["message"]
    assert "too" in message or "more than" in message, message


def test_fragments_in_a_circle_are_a_fault_of_the_document(server: Any) -> None:
    answer = posted(server, "{ ...A } fragment A on CloudQuery { ...B } fragment B on CloudQuery { ...A }")
    assert answer.json()["errors"], "and not a loop of ours"


def test_a_document_of_ordinary_size_is_answered(server: Any) -> None:
    many = " ".join(f"a{n}: organization {{ name }}" for n in range(200))
    assert len(server.ask(f"{{ {many} }}")) == 200
