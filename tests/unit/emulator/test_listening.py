"""Listening on more than one address, and the names by which clients may come.

127.0.0.2 stands for the gateway of a container engine's network: also an address of this machine, and not the first.
That containers reach it is the containers tier's to show.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.browser import BrowserGate, SignInNeeded
from hybrid.emulator.errors import AddressError
from hybrid.emulator.listening import Hosts, listen, listen_also, url_of

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
SECOND = "127.0.0.2"
NOWHERE = "10.255.255.254"  # no machine of ours has it


@pytest.fixture
def server(make_server: Make) -> Any:
    if sys.platform == "darwin":
        pytest.skip("of 127.0.0.0/8 macOS has 127.0.0.1 only")
    return make_server("--also-listen", SECOND).start()


def second(server: Any) -> str:
    return f"http://{SECOND}:{urlsplit(server.url).port}"


def test_both_addresses_serve_the_same_on_one_port(server: Any, poll: Make) -> None:
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{second(server)}/health").json() == {"status": "ok"}
    assert poll(lambda: f"Also at {second(server)}" in server.said()), "the log names what can be reached"


def test_what_is_uploaded_by_the_second_address_goes_to_urls_of_that_address(server: Any) -> None:
    user = {"Dagster-Cloud-Api-Token": server.api_token()}

    def asked(base: str, path: str) -> dict[str, Any]:
        answer = httpx.post(f"{base}/{path}", json={"key": "one.txt"}, headers=user)
        return dict(answer.json())

    upload = asked(second(server), "gen_artifact_post")
    assert upload["url"].startswith(f"{second(server)}/presigned/"), "a container reaches no other address of ours"
    sent = httpx.post(upload["url"], data=upload["fields"], files={"file": b"of a container"})
    assert sent.status_code == 204, sent.text
    download = asked(second(server), "gen_artifact_get")["url"]
    assert httpx.get(download).content == b"of a container"
    assert asked(server.url, "gen_artifact_get")["url"].startswith(f"{server.url}/presigned/"), (
        "who comes by the first address gets that"
    )


@pytest.mark.parametrize("path", ["/health", "/", "/graphql", "/hybrid/state"])
@pytest.mark.parametrize(
    "host", ["evil.example:3939", "127.0.0.1.evil.example", "127.0.0.1:80@evil.example", "10.0.0.1"]
)
def test_a_strangers_host_is_refused_even_with_a_token(server: Any, host: str, path: str) -> None:
    headers = {"Host": host, "Dagster-Cloud-Api-Token": server.api_token()}
    for base in (server.url, second(server)):
        answer = httpx.get(f"{base}{path}", headers=headers)
        assert answer.status_code == 403, "its name would get into the URLs that are given out"
        assert "Host" in answer.text


def test_docker_desktops_name_for_this_machine_serves_clients_with_a_token_and_no_browser(server: Any) -> None:
    named = {"Host": f"host.docker.internal:{urlsplit(server.url).port}"}
    body = {"query": "{ organization { name } }"}

    answer = httpx.post(
        f"{server.url}/graphql", json=body, headers={**named, "Dagster-Cloud-Api-Token": server.api_token()}
    )
    assert answer.json() == {"data": {"organization": {"name": "local"}}}
    assert httpx.get(f"{server.url}/", headers=named).status_code == 403, (
        "a name that somebody's resolver could point here is not this machine's browser"
    )


def scope(host: str, server: tuple[str, int] | None) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "server": server, "headers": [(b"host", host.encode())]}


def test_a_browser_that_comes_by_an_address_beyond_loopback_signs_in(organization: Any) -> None:
    gate = BrowserGate(organization.tokens, open_to_loopback=True)

    gate.admit(scope("127.0.0.1", ("127.0.0.1", 1)))
    for reached in (("172.17.0.1", 1), None):
        with pytest.raises(SignInNeeded):
            gate.admit(scope("172.17.0.1", reached))
        with pytest.raises(Refusal):
            gate.admit(scope("127.0.0.1", reached))


def test_an_address_that_this_machine_has_not_is_told_with_what_to_do(tmp_path: Path) -> None:
    result = start_in_vain(tmp_path / "data", "--also-listen", NOWHERE)
    assert result.returncode == 1
    assert f"This machine has no address {NOWHERE}." in result.stderr
    assert "start the engine" in result.stderr, "the usual reason is a container engine that does not run"
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists(), "nothing is made before all addresses are had"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0.0.0.0", "more than one address"),
        ("::", "more than one address"),
        ("224.0.0.1", "more than one address"),
        ("8.8.8.8", "public address"),
        ("localhost", "no IP address"),
        ("172.17.0.1:80", "no IP address"),
        ("", "no IP address"),
    ],
)
def test_what_everybody_could_reach_and_what_is_no_address_is_refused(tmp_path: Path, address: str, words: str) -> None:
    result = start_in_vain(tmp_path / "data", "--also-listen", address)
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_on_the_second_address_is_one_message_and_frees_the_first(tmp_path: Path) -> None:
    with socket.create_server((SECOND, 0)) as holder:
        port = holder.getsockname()[1]
        with listen("127.0.0.1", port, allow_remote=False) as first, pytest.raises(AddressError, match=f"Port {port}"):
            listen_also(first, [SECOND])


def test_the_first_address_and_repetitions_are_listened_on_once() -> None:
    with listen("127.0.0.1", 0, allow_remote=False) as first:
        listeners = listen_also(first, ["127.0.0.1", SECOND, SECOND])
        try:
            assert [url_of(one) for one in listeners] == [f"http://{SECOND}:{first.getsockname()[1]}"]
        finally:
            for one in listeners:
                one.close()


@pytest.mark.parametrize(
    "header", ["127.0.0.1", "127.0.0.1:3939", "localhost:1", "LOCALHOST", "[::1]:3939", "host.docker.internal:3939"]
)
def test_loopbacks_names_and_docker_desktops_are_ours(header: str) -> None:
    assert Hosts().admits(header)


def test_an_address_is_ours_when_it_is_listened_on() -> None:
    assert Hosts(frozenset({"172.17.0.1"})).admits("172.17.0.1:3939")
    assert not Hosts(frozenset({"172.17.0.1"})).admits("172.17.0.2:3939")
    assert not Hosts().admits("172.17.0.1:3939")


@given(st.text(max_size=60))
def test_no_text_is_one_of_our_names_by_accident(header: str) -> None:
    host = header.rpartition(":")[0] if ":" in header and not header.endswith("]") else header
    if Hosts().admits(header):
        assert host.lower() in {"localhost", "host.docker.internal"} or host.startswith(("127.", "["))


@given(st.sampled_from(["@", "/", "?", "#", "\\", " ", "\t", "%40", ","]), st.text(max_size=20))
def test_nothing_that_would_lead_a_url_elsewhere_is_admitted_even_when_anybody_may_come(mark: str, rest: str) -> None:
    assert not Hosts(anybody=True).admits(f"127.0.0.1:80{mark}{rest}")


def start_in_vain(data: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", "0", *more],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
