"""The server as a process on a real socket, with a stand-in for Dagster: starting, dying, restarting, being refused.

Says nothing of how long the real Dagster takes to load; benchmarks/ measures that.
"""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid.emulator.errors import AddressError
from hybrid.emulator.listening import listen, url_of

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
PUT = """mutation P($d: GenericScalar!) { addOrUpdateLocationFromDocument(document: $d) { __typename } }"""
ENTRIES = (
    """query W { deployments(deploymentNames: ["prod"]) { workspaceEntries { locationName metadataTimestamp } } }"""
)
POP = """mutation { userCloudAgent {
  popUserCloudAgentRequests(forFullDeployments: ["prod"], agentQueues: [null], limit: 3) { requestId } } }"""


def test_health_answers_while_dagster_loads_and_so_does_the_control_plane(make_server: Make, poll: Make) -> None:
    server = make_server(STANDIN_LOAD="5").start()
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
    assert server.ask("{ organization { name } }") == {"organization": {"name": "local"}}
    assert server.agent_token().startswith("agent:local:")
    assert httpx.get(f"{server.url}/hybrid/state").json()["dagster"] == "loading"
    assert server.ask("{ version }") == {"version": "1.2.3"}, "what needs Dagster waits for it"


def test_dagster_that_cannot_be_loaded_ends_the_process_with_the_reason_in_the_log(make_server: Make) -> None:
    server = make_server(STANDIN_LOAD="fails").start()
    assert server.process.wait(20) == 1
    assert "the storages are of another world" in server.said()


def test_killed_and_started_again_nothing_is_lost(make_server: Make) -> None:
    server = make_server().start()
    api, agent = server.api_token(), server.agent_token()
    assert stat.S_IMODE((server.data / "api-token").stat().st_mode) == 0o600
    server.ask(PUT, d={"location_name": "one", "code_source": {"python_file": "x.py"}})
    before = server.ask(ENTRIES, agent)
    assert server.kill(signal.SIGKILL) == -signal.SIGKILL

    server.start()
    assert server.api_token() == api
    assert server.ask(ENTRIES, agent) == before, "a new timestamp would respawn every code server"
    assert agent not in server.said()


def test_a_revoked_token_is_refused_at_once(make_server: Make) -> None:
    server = make_server().start()
    agent = server.agent_token()
    assert server.post(POP, agent).status_code == 200
    server.ask("mutation { revokeAgentToken(tokenId: 2) { __typename } }")
    assert server.post(POP, agent).status_code == 401
    assert httpx.get(f"{server.url}/check_snapshot", headers={"Dagster-Cloud-Api-Token": agent}).status_code == 401


def test_no_request_is_handed_out_twice_and_none_is_lost(make_server: Make) -> None:
    server = make_server().start()
    agent = server.agent_token()
    ids = [f"request-{number}" for number in range(8)]
    ended = threading.Event()
    waiting = "query S($id: String!) { runs { sleep(request: $id) } }"

    def pop() -> list[str]:
        taken: list[str] = []
        while not ended.is_set():
            found = server.ask(POP, agent)["userCloudAgent"]["popUserCloudAgentRequests"]
            taken += [request["requestId"] for request in found]
            if len(found) == 0:
                ended.wait(0.01)
        return taken

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for number in ids:
            pool.submit(server.post, waiting, agent, id=number)
        poppers = [pool.submit(pop) for _ in range(6)]
        threading.Timer(2.0, ended.set).start()
        taken = [request_id for popper in poppers for request_id in popper.result(30)]
        assert sorted(taken) == sorted(ids)
        server.kill(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_two_seconds_though_somebody_waits_for_an_agent(make_server: Make, number: int) -> None:
    server = make_server().start()
    agent = server.agent_token()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.post, 'query { runs { sleep(request: "r") } }', agent)
        while not server.ask(POP, agent)["userCloudAgent"]["popUserCloudAgentRequests"]:
            pass
        started = time.monotonic()
        assert server.kill(number) == 0
        assert time.monotonic() - started < 2.5, "two seconds, and half a second for a busy machine"
        assert waiting.exception(5) is not None or waiting.result().json()["errors"]


def test_a_second_one_on_the_same_folder_is_refused_and_names_the_first(make_server: Make) -> None:
    first = make_server().start()
    result = start_in_vain(first.data)
    assert result.returncode == 1
    assert str(first.process.pid) in result.stderr
    assert "Traceback" not in result.stderr
    assert httpx.get(f"{first.url}/health").status_code == 200, "the first one is not disturbed"


def test_a_taken_port_is_one_message_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        result = start_in_vain(tmp_path / "data", port)
    assert result.returncode == 1
    assert f"Port {port}" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists(), "nothing is made before the port is had"


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = start_in_vain(file / "data")
    assert result.returncode == 1
    assert f"{file / 'data'} cannot be used: Not a directory" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_one_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        result = start_in_vain(tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


def test_another_address_than_loopback_has_to_be_asked_for(tmp_path: Path) -> None:
    result = start_in_vain(tmp_path / "data", 0, "--host", "0.0.0.0")
    assert result.returncode == 1
    assert "--allow-remote" in result.stderr


def start_in_vain(data: Path, port: int = 0, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hybrid.emulator", "--data", str(data), "--port", str(port), *more],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [("/graphql", 200), ("/prod/graphql", 200), ("/check_snapshot", 200), ("/prod/check_snapshot", 200)],
)
def test_paths_with_and_without_the_deployment_are_the_same(make_server: Make, path: str, status: int) -> None:
    server = make_server().start()
    headers = {"Dagster-Cloud-Api-Token": server.agent_token()}
    if path.endswith("graphql"):
        answer = httpx.post(server.url + path, json={"query": "{ runs { count } }"}, headers=headers)
        assert answer.json() == {"data": {"runs": {"count": 7}}}
    else:
        answer = httpx.get(server.url + path, headers=headers)
    assert answer.status_code == status


def test_rest_is_for_agents_and_what_is_signed_needs_no_token(make_server: Make) -> None:
    server = make_server().start()

    def check(headers: dict[str, str]) -> int:
        return httpx.get(f"{server.url}/check_snapshot", headers=headers).status_code

    assert check({}) == 401
    assert check({"Dagster-Cloud-Api-Token": "agent:local:guess"}) == 401
    assert check({"Dagster-Cloud-Api-Token": server.api_token()}) == 403
    agent = server.agent_token()
    assert check({"Dagster-Cloud-Api-Token": agent}) == 200
    assert check({"Dagster-Cloud-Api-Token": agent, "Dagster-Cloud-Deployment": "nowhere"}) == 404
    assert httpx.put(f"{server.url}/signed/blob", content=b"x").text == "blob"


def test_a_rest_path_that_is_not_served_is_named_and_counted(make_server: Make) -> None:
    server = make_server().start()
    headers = {"Dagster-Cloud-Api-Token": server.agent_token()}
    answer = httpx.post(f"{server.url}/gen_insights_url", json={}, headers=headers)
    assert answer.status_code == 404
    assert "POST /gen_insights_url" in answer.text
    unknown = httpx.get(f"{server.url}/hybrid/state").json()["unknown"]
    assert unknown == [{"operation": "REST", "field": "POST /gen_insights_url", "count": 1}]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"query": 1}', b'{"query": "{ a"}', b'{"query":"{a}","variables":1}']
)
def test_a_malformed_request_is_refused_in_words(make_server: Make, body: bytes) -> None:
    server = make_server().start()
    headers = {"Dagster-Cloud-Api-Token": server.api_token()}
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_pages_below_the_deployment_are_those_at_the_root(make_server: Make) -> None:
    server = make_server().start()
    answer = httpx.get(f"{server.url}/prod", follow_redirects=True)
    assert (answer.text, answer.url.path) == ("the UI", "/")


def test_the_address_is_given_as_others_can_use_it() -> None:
    with listen("127.0.0.1", 0, allow_remote=False) as one:
        assert url_of(one).startswith("http://127.0.0.1:")
    with listen("0.0.0.0", 0, allow_remote=True) as everywhere:
        assert url_of(everywhere).startswith("http://127.0.0.1:")
    with pytest.raises(AddressError, match="cannot be used"):
        listen("no.such.host.invalid", 0, allow_remote=True)
