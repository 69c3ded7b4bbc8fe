"""What a person reads when the connection or the answer is not what it should be; partly against real sockets.

Not shown here: a certificate that is not trusted (the sentence is the one for any failure of TLS).
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from hybrid.plus import (
    Endpoint,
    Patience,
    PlusClient,
    PlusForbidden,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    PlusUnauthorized,
    PlusUnreachable,
)

pytestmark = pytest.mark.unit

ONCE = Patience(attempts=1, answer_seconds=5, connect_seconds=5)
LOGIN_PAGE = "<!DOCTYPE html><html><body>Sign in</body></html>"


class Answering(http.server.BaseHTTPRequestHandler):
    """One answer to every POST, as the server says; it keeps what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        if self.server.answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    server.asked, server.answer = [], b'{"data": {"planType": "SOLO"}}'
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def reach(token, url, **options) -> PlusClient:
    return PlusClient(Endpoint.of("acme", "prod", url=url), token, patience=ONCE, **options)


def test_an_own_address_is_told_the_deployment_in_the_header(token, server):
    server.answer = b'{"data": {"permissions": []}}'
    with reach(token, f"http://127.0.0.1:{server.server_port}/prod/") as client:
        assert client.permissions() == {}
    path, headers, _ = server.asked[0]
    assert (path, headers["Dagster-Cloud-Deployment"]) == ("/graphql", "prod")


def test_a_proxy_for_the_internet_is_not_asked_for_this_machine(token, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with reach(token, f"http://127.0.0.1:{server.server_port}") as client:
        assert client.plan() == "SOLO"


def test_a_closed_client_opens_again_when_it_is_used(token, server):
    client = reach(token, f"http://127.0.0.1:{server.server_port}")
    for _ in range(2):
        assert client.plan() == "SOLO"
        client.close()


def test_one_client_serves_several_threads(token, server):
    plans = []
    with reach(token, f"http://127.0.0.1:{server.server_port}") as client:
        threads = [threading.Thread(target=lambda: plans.append(client.plan())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert plans == ["SOLO"] * 8


def test_a_port_where_nobody_listens_is_told_apart(token):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with reach(token, url) as client, pytest.raises(PlusUnreachable, match="Nothing listens") as gone:
            client.plan()
    assert gone.value.reason == "refused", "a stopped emulator is recognised by this"
    assert "hybrid up local" in gone.value.next_step


def test_tls_to_a_plain_server_says_what_to_write(token, server):
    with (
        reach(token, f"https://127.0.0.1:{server.server_port}") as client,
        pytest.raises(PlusUnreachable, match="SSL_CERT_FILE") as gone,
    ):
        client.plan()
    assert gone.value.reason == "tls"


def test_a_host_that_does_not_exist_is_named(token):
    client = PlusClient(Endpoint.of("acme", "prod"), token, patience=ONCE, http=NoSuchHost())
    with client, pytest.raises(PlusUnreachable, match=r"no host of the name in https://acme\.dagster\.cloud") as gone:
        client.plan()
    assert gone.value.reason == "dns"


class NoSuchHost(httpx.BaseTransport):
    """Fails as httpx does when a name does not resolve."""

    def handle_request(self, request):
        try:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        except socket.gaierror as error:
            raise httpx.ConnectError(str(error)) from error


def test_a_connection_that_breaks_after_sending_says_to_look_first(token, server):
    server.answer = None
    with (
        reach(token, f"http://127.0.0.1:{server.server_port}") as client,
        pytest.raises(PlusUnreachable, match="look whether it had its effect") as gone,
    ):
        client.create_agent_token("hybrid/local")
    assert gone.value.reason == "closed"
    assert len(server.asked) == 1


SENTENCES = {
    "refused token": (
        httpx.Response(401, json={"message": "Unauthorized"}),
        PlusUnauthorized,
        ["does not accept the API token", "'acme'", "DAGSTER_CLOUD_API_TOKEN", "Organization Settings > Tokens"],
    ),
    "refused token with a page": (httpx.Response(401, text=LOGIN_PAGE), PlusUnauthorized, ["does not accept"]),
    "role": (
        httpx.Response(403, json={"message": "no"}),
        PlusForbidden,
        ["deployment 'prod'", "the role Viewer or more"],
    ),
    "login page": (
        httpx.Response(200, text=LOGIN_PAGE),
        PlusProtocolError,
        ["web page", "login page", "check organization, region and url"],
    ),
    "redirect": (
        httpx.Response(302, headers={"Location": "https://login.example/"}),
        PlusProtocolError,
        ["redirect", "https://login.example/"],
    ),
    "nothing there": (
        httpx.Response(404, text=LOGIN_PAGE),
        PlusNotFound,
        ["no deployment 'prod' of an organization 'acme'", "region"],
    ),
    "not JSON": (httpx.Response(200, text="OK"), PlusProtocolError, ["not Dagster+'s API", "OK"]),
    "JSON of somebody else": (httpx.Response(200, json=["a"]), PlusProtocolError, ["not Dagster+'s API"]),
    "schema moved on": (
        httpx.Response(400, json={"errors": [{"message": "Cannot query field 'planType' on type 'CloudQuery'."}]}),
        PlusProtocolError,
        ["does not know the operation HybridPlan", "update this checkout"],
    ),
    "errors": (httpx.Response(200, json={"errors": [{"message": "a"}, "b"]}), PlusRejected, ["a\nb"]),
}


@pytest.mark.parametrize("case", SENTENCES, ids=list(SENTENCES))
def test_each_wrong_answer_has_its_own_sentence_and_next_step(plus, client, case):
    reply, kind, phrases = SENTENCES[case]
    plus.expects("HybridPlan", reply=reply)
    with pytest.raises(kind) as raised:
        client.plan()
    text = str(raised.value)
    assert [phrase for phrase in phrases if phrase not in text] == []
    assert text.splitlines()[-1].startswith("Next: ")
    assert "Traceback" not in text
