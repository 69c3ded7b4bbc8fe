"""The page in a browser: names that would do harm, narrow and wide, keyboard only, and its button.

The server is real but for Dagster, which the page does not need; tests are skipped where there is no Chromium.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid.emulator.organization import AgentReport, Organization
from hybrid.emulator.organization.secrets import NewSecret, Scopes
from tests.emulated.checkout import REPOSITORY, until
from tests.emulated.chromium import BINARY, Chromium

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(BINARY is None, reason="no Chromium is installed (chromium, chromium-browser, google-chrome)"),
]

SERVER = REPOSITORY / "tests/unit/emulator/standin_server.py"
HOSTILE = {
    "html": "<img src=x onerror=\"window.harm='html'\">",
    "script": "</script><script>window.harm='script'</script>",
    "attribute": '" onmouseover="window.harm=\'attribute\'" x="',
    "link": "javascript:window.harm='link'",
    "template": "${window.harm='template'}{{7*7}}",
    "turned": "photo\u202egpj.exe",
    "hidden": "ad\u200bmin\u2066\ufeff",
    "emoji": "👩‍👩‍👧 🚀 é",
    "lines": "one\ntwo\r\n\tthree\x00\x1b[31m",
    "long": "long" + "x" * 10_000,
}
DRAWN = "document.querySelectorAll('article').length >= 3"


@dataclass
class Site:
    url: str
    browser: Chromium

    def open(self, *, width: int = 1280, dark: bool = False) -> Chromium:
        """The page, drawn."""
        self.browser.faults.clear()
        self.browser.open(f"{self.url}/hybrid", width=width, dark=dark)
        self.browser.wait(DRAWN)
        return self.browser


def seed(organization: Organization) -> None:
    """Every field that the page shows, with every name that is up to harm."""
    staging = organization.deployments.create("staging")
    organization.deployments.create("old", "SERVERLESS")
    for number, (kind, name) in enumerate(HOSTILE.items()):
        git = {"repoName": name, "branchName": f"{kind} {name}"}
        organization.deployments.put_branch(staging, git, {"commitHash": "1"})
        error = {"message": name, "stack": [name], "class_name": name, "cause": None}
        servers = [{"location_name": name, "status": "FAILED", "error": {**error, "cause": error}}]
        errors = [{"timestamp": 1.0, "error": error}]
        metadata = {"version": name}
        report = AgentReport(f"{number}{name}", name, name, metadata, servers, [], errors)
        organization.agents.heard("staging", report)
        document = {"location_name": name, "image": name, "agent_queue": name}
        organization.locations.put("staging", document, "m")
        organization.tokens.create("agent", name)
    organization.secrets.create(staging, NewSecret("PASSWORD", "planted-value", Scopes(full=True), ("<b>one</b>",)))
    organization.users.add("<b>user</b>@example.org")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    data, log = folder / "data", folder / "log"
    data.mkdir(mode=0o700)
    organization = Organization(data)
    seed(organization)
    organization.close()
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(data), "0"],
            env={**inherited, "STANDIN_LOAD": "600", "PYTHONPATH": str(REPOSITORY)},
            stderr=stream,
        )
    browser = None
    try:
        until(lambda: "Serving" in log.read_text(), seconds=30, what="the emulator serves")
        found = re.search(r"Serving \S+ at (\S+)", log.read_text())
        assert found is not None
        browser = Chromium(folder / "chromium")
        yield Site(found[1], browser)
    finally:
        if browser is not None:
            browser.close()
        process.kill()
        process.wait()


def test_names_that_would_do_harm_are_shown_as_the_text_that_they_are(site: Site) -> None:
    browser = site.open()
    assert browser.run("window.harm") is None, "nothing that was told ran"
    assert browser.run("document.querySelectorAll('main img, main script, main b, main iframe').length") == 0
    assert browser.run("[...document.querySelectorAll('main *')].some(e => e.hasAttribute('onmouseover'))") is False
    assert browser.run("[...document.links].every(a => /^https?:$/.test(a.protocol))"), "no link runs a script"
    text = browser.run("document.body.textContent")
    for kind in ("html", "script", "attribute", "link", "template", "emoji"):
        assert HOSTILE[kind] in text, f"{kind} is shown as it was given"
    assert browser.faults == [], "no error in the page, and nothing that its policy had to refuse"


def test_marks_that_turn_or_hide_text_are_shown_by_their_number(site: Site) -> None:
    browser = site.open()
    shown = browser.run("[...document.querySelectorAll('bdi')].map(e => e.textContent).join(' ')")
    assert "photo\\u202egpj.exe" in shown
    assert "ad\\u200bmin\\u2066\\ufeff" in shown
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", shown), "none of them acts on the page"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 768, 1000, 1600])
def test_the_page_never_scrolls_sideways(site: Site, width: int, dark: bool) -> None:
    browser = site.open(width=width, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(box => box.open = true)")
    wide, seen = browser.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen, f"{wide} pixels in a window of {seen}"
    colour = browser.run("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert (brightness < 3 * 128) is dark, "it follows what the reader prefers"


def test_the_page_asks_only_its_own_server(site: Site) -> None:
    browser = site.open()
    asked = browser.run("performance.getEntriesByType('resource').map(e => e.name)")
    assert asked
    assert all(name.startswith(site.url) for name in asked), asked


def test_it_links_to_the_stock_ui_of_each_deployment(site: Site) -> None:
    browser = site.open()
    links = browser.run("[...document.links].map(a => a.pathname)")
    assert {"/", "/runs", "/locations", "/staging/", "/staging/runs", "/staging/locations"} <= set(links)


def test_the_filter_is_asked_of_the_server(site: Site) -> None:
    browser = site.open()
    browser.run(
        "const box = document.getElementById('filter'); box.value = 'OLD'; box.dispatchEvent(new Event('input'))"
    )
    browser.wait("document.querySelectorAll('article').length === 1")
    assert browser.run("document.querySelector('article h3').textContent") == "old"
    assert "None matches." in browser.run("document.getElementById('users').textContent")


def test_focus_and_what_was_opened_survive_the_next_look(site: Site) -> None:
    browser = site.open()
    browser.run("const first = document.querySelector('article details summary'); first.click(); first.focus()")
    key = browser.run("document.activeElement.dataset.key")
    browser.run("window.before = document.activeElement; drawn.clear(); refresh()")
    browser.wait("document.activeElement !== window.before && !window.before.isConnected")
    assert browser.run("document.activeElement.dataset.key") == key
    assert browser.run("document.activeElement.parentElement.open") is True


def tab_to(browser: Chromium, text: str) -> None:
    for _ in range(400):
        browser.press("Tab")
        if browser.run("document.activeElement.textContent") == text:
            return
    raise AssertionError(f"{text} is not reached by the keyboard")


def agent_type(site: Site) -> str:
    told = httpx.get(f"{site.url}/hybrid/state").json()["deployments"]
    return str(next(found["agent_type"] for found in told if found["name"] == "old"))


def test_a_deployment_is_switched_by_keyboard_after_it_was_said_what_will_happen(site: Site) -> None:
    browser = site.open()
    tab_to(browser, "Switch to Hybrid")
    browser.press("Enter")
    browser.wait("document.getElementById('confirm').open")
    said = browser.run("document.getElementById('confirm').innerText")
    assert "Switch old to Hybrid?" in said
    assert "No agent is running now." in said
    assert "branch deployments go with it" in said
    assert browser.run("document.activeElement.id") == "cancel", "what changes nothing comes first"
    browser.press("Escape")
    browser.wait("!document.getElementById('confirm').open")
    assert agent_type(site) == "SERVERLESS", "only asked"
    assert browser.run("document.activeElement.textContent") == "Switch to Hybrid"

    browser.press("Enter")
    browser.wait("document.getElementById('confirm').open")
    tab_to(browser, "Switch to Hybrid")
    browser.press("Enter")
    browser.wait("document.getElementById('said').textContent === 'old is HYBRID now.'")
    assert agent_type(site) == "HYBRID"
    browser.wait("[...document.querySelectorAll('button')].some(b => b.textContent === 'Switch to Serverless')")
    assert browser.faults == []


def test_a_switch_that_is_refused_says_why(site: Site) -> None:
    browser = site.open()
    browser.run("wish = {deployment_id: 999, agent_type: 'HYBRID'}; document.getElementById('confirm').showModal()")
    browser.run("document.getElementById('do').click()")
    browser.wait("document.getElementById('fault').textContent.includes('no deployment with the id 999')")
    assert browser.run("document.getElementById('do').disabled") is False, "it can be tried again"


def test_every_cell_of_a_narrow_page_says_what_it_is(site: Site) -> None:
    browser = site.open(width=400)
    cells: list[Any] = json.loads(
        browser.run(
            "JSON.stringify([...document.querySelectorAll('td')].map(e => [e.dataset.label, "
            "getComputedStyle(e, '::before').content, getComputedStyle(e).display]))"
        )
    )
    assert cells
    assert all(label and said == f'"{label}"' and display == "grid" for label, said, display in cells)


def test_the_page_says_when_what_it_shows_is_old(site: Site, tmp_path: Path) -> None:
    browser = site.open()
    browser.ask("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    try:
        browser.wait("document.getElementById('said').textContent.includes('what is shown is old')")
    finally:
        browser.ask(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
    browser.wait("document.getElementById('said').textContent === ''")
