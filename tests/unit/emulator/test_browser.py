"""Who may use the emulator from a browser: loopback without a token, others with the API token, other sites never.

The attacks are requests as a browser would send them; no browser runs here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.browser import BrowserGate, is_loopback
from hybrid.emulator.pages import content_security_policy, page, sign_in_page

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
QUERY = {"query": "{ ui }"}


def scope(host: str, *, method: str = "GET", kind: str = "http", **headers: str) -> dict[str, Any]:
    sent = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": kind,
        "method": method,
        "server": ("127.0.0.1", 3939),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
    }


@pytest.fixture
def gate(organization: Any) -> BrowserGate:
    return BrowserGate(organization.tokens, open_to_loopback=True)


@pytest.mark.parametrize("host", ["127.0.0.1:3939", "localhost:3939", "LOCALHOST", "[::1]:3939", "127.1.2.3"])
def test_on_loopback_this_machines_browser_may_look(gate: BrowserGate, host: str) -> None:
    gate.admit(scope(host))
    json = {"content_type": "application/json; charset=utf-8", "origin": f"http://{host}"}
    gate.admit(scope(host, method="POST", **json))
    gate.admit(scope(host, kind="websocket", origin=f"http://{host}"))


@pytest.mark.parametrize(
    "host", ["evil.example:3939", "", "127.0.0.1.evil.example", "localhost.evil.example", "[", "10.0.0.1"]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(gate: BrowserGate, host: str) -> None:
    with pytest.raises(Refusal) as refusal:
        gate.admit(scope(host))
    assert refusal.value.status == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1.evil"])
def test_another_site_may_neither_post_nor_listen(gate: BrowserGate, kind: str, origin: str) -> None:
    with pytest.raises(Refusal):
        gate.admit(scope("127.0.0.1:3939", method="POST", kind=kind, origin=origin, content_type="application/json"))


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_what_a_form_can_send_is_refused(gate: BrowserGate, content_type: str) -> None:
    with pytest.raises(Refusal) as refusal:
        gate.admit(scope("127.0.0.1", method="POST", content_type=content_type))
    assert refusal.value.status == 415


@given(st.text(max_size=40))
def test_no_text_is_a_loopback_name_by_accident(host: str) -> None:
    if is_loopback(host):
        assert host.lower() == "localhost" or host.startswith("127.") or ":" in host


def test_the_ui_needs_no_token_on_loopback_and_the_apis_do(make_server: Make) -> None:
    server = make_server().start()
    assert httpx.get(server.url).text == "the UI"
    assert httpx.post(f"{server.url}/graphql", json=QUERY).json() == {"data": {"web": "{ ui }"}}
    assert httpx.post(f"{server.url}/graphql", data=QUERY).status_code == 415
    assert httpx.get(server.url, headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{server.url}/hybrid/state", headers={"Host": "evil.example"}).status_code == 403
    wrong = {"Dagster-Cloud-Api-Token": "user:local:guess"}
    assert httpx.post(f"{server.url}/graphql", json=QUERY, headers=wrong).status_code == 401
    assert httpx.get(f"{server.url}/hybrid/state", headers=wrong).status_code == 401


def test_elsewhere_the_browser_signs_in_with_the_api_token(make_server: Make) -> None:
    server = make_server("--host", "0.0.0.0", "--allow-remote").start()
    html = {"Accept": "text/html"}
    assert httpx.get(f"{server.url}/health").status_code == 200
    assert httpx.get(server.url).status_code == 401
    assert httpx.get(f"{server.url}/hybrid/state").status_code == 401
    assert httpx.get(server.url, headers=html).headers["location"] == "/hybrid/sign-in"
    with httpx.Client(base_url=server.url) as browser:
        assert "API token" in browser.get("/hybrid/sign-in").text
        for wrong in ("", "user:local:guess", server.agent_token()):
            assert browser.post("/hybrid/sign-in", data={"token": wrong}).status_code == 401
        answer = browser.post("/hybrid/sign-in", data={"token": server.api_token()})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert server.api_token() not in cookie
        assert browser.get("/").text == "the UI"
        assert browser.get("/hybrid/state").status_code == 200
    assert server.api_token() not in server.said()


def test_pages_run_their_own_script_and_nothing_else(make_server: Make) -> None:
    server = make_server().start()
    answer = httpx.get(f"{server.url}/hybrid")
    policy = answer.headers["content-security-policy"]
    script = re.search(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_the_page_asks_nobody_else_and_puts_what_it_is_told_in_as_text() -> None:
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page()), "no assets of others"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page())


def test_what_was_wrong_with_a_sign_in_is_escaped() -> None:
    shown = sign_in_page("<script>alert(1)</script>")
    assert "<script>" not in shown
    assert "script-src 'none'" in content_security_policy(shown)


def test_the_state_says_what_is_loaded_and_what_failed(organization: Any, standin: Any) -> None:
    from hybrid.emulator.api.meter import Meter
    from hybrid.emulator.loading import RuntimeLoader
    from hybrid.emulator.pages import StatePage

    loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)
    organization.locations.put("prod", {"location_name": "one", "image": "registry/one:1"}, "m")
    secret = "agent:local:" + "a1" * 20
    organization.locations.record_failed("prod", "one", json.dumps({"message": f"no {secret}", "stack": ["line 1"]}))
    before = StatePage(organization, loader, Meter()).state()["locations"][0]
    assert (before["load_state"], before["error"]["stack"]) == ("FAILED", [])
    loader.start()
    loader.get()
    after = StatePage(organization, loader, Meter()).state()["locations"][0]
    assert (after["name"], after["image"]) == ("one", "registry/one:1")
    assert after["error"] == {"message": "no [redacted]", "stack": ["line 1"], "cause": None}
