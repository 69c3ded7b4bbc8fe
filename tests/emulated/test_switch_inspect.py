"""`hybrid switch inspect` as a person types it, on a Serverless deployment with its real agent, and the page that it
writes, looked at in a browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient, Scopes
from hybrid.redaction import Token
from hybrid.switch.inspection import Inspection, inspected
from hybrid.switch.inspection_html import html_of
from hybrid.switch.organization_reader import read_organization
from tests.emulated.checkout import HYBRID, REPOSITORY, until
from tests.emulated.chromium import BINARY, Chromium
from tests.emulated.served import ServedOrganization, environment
from tests.unit.switch.inspected import PEX, location, organization, repository

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(300)]

CODE = """
import os
from pathlib import Path
import dagster as dg

class Lake(dg.ConfigurableIOManager):
    def handle_output(self, context, obj): ...
    def load_input(self, context): ...

@dg.asset
def raw() -> int:
    return 1

@dg.op
def wait_long():
    import time
    deadline = time.monotonic() + 120
    while not Path("{gate}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)

@dg.job(executor_def=dg.in_process_executor)
def waiting():
    wait_long()

@dg.schedule(cron_schedule="0 0 1 1 *", job=waiting, default_status=dg.DefaultScheduleStatus.RUNNING)
def yearly():
    return dg.RunRequest()

@dg.sensor(job=waiting)
def watch():
    return dg.SkipReason("never")

defs = dg.Definitions(assets=[raw], jobs=[waiting], schedules=[yearly], sensors=[watch]{resources})
"""
SECRET = "the-value-of-a-variable-1234567"
HOSTILE = "</td><script>window.harm=1</script><img src=x onerror='window.harm=2'>\u202e"


@dataclass
class Serverless:
    plus: ServedOrganization
    checkout: Path
    gate: Path

    def client(self) -> PlusClient:
        return PlusClient(Endpoint.of("local", "prod", url=self.plus.url), Token(self.plus.token))

    def inspect(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(HYBRID), "switch", "inspect", *arguments],
            cwd=self.checkout,
            env=environment(
                DAGSTER_CLOUD_API_TOKEN=self.plus.token, HYBRID_ROOT=str(self.checkout), NO_COLOR="1", COLUMNS="200"
            ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def serverless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serverless]:
    root = tmp_path_factory.mktemp("inspected")
    gate = root / "gate"
    with ServedOrganization(root / "plus") as plus:
        checkout = root / "checkout"
        (checkout / "stacks").mkdir(parents=True)
        (checkout / "stacks" / "Pulumi.prod.yaml").write_text(
            f"config:\n  hybrid:organization: local\n  hybrid:url: {plus.url}\n  hybrid:agent:\n    kind: local\n"
        )
        (checkout / "dagster_cloud.yaml").write_text(
            "locations:\n  - location_name: alpha\n    code_source: {module_name: alpha}\n"
        )
        (checkout / "requirements.txt").write_text("dagster\ndagster-cloud\n")
        (checkout / "alpha.py").write_text(CODE.replace("{gate}", "x").replace("{resources}", ""))
        plus.location("alpha", CODE.replace("{gate}", str(gate)).replace("{resources}", ""))
        lake = ", resources={'io_manager': Lake()}"
        plus.location("own", CODE.replace("{gate}", str(gate)).replace("{resources}", lake))
        standing = Serverless(plus, checkout, gate)
        with standing.client() as client:
            client.set_agent_type("SERVERLESS")
        until(lambda: "RUNNING" in plus.agent_states().values(), seconds=120, what="the Serverless agent runs")
        plus.until_loaded("alpha", "own")
        with standing.client() as client:
            client.create_environment_variable("WAREHOUSE", Token(SECRET), Scopes(full_deployment=True), ["alpha"])
        yield standing
        gate.touch()


@pytest.mark.slow
def test_a_serverless_deployment_is_told_whole(serverless: Serverless, tmp_path: Path) -> None:
    with serverless.client() as client:
        run = client.launch_run("alpha", "waiting", tags={"dagster/isolation": "disabled"})
        client.put_location({"location_name": "quick", "code_source": {"module_name": "quick"}} | _pex())
    until(
        lambda: serverless.plus.load_states().get("quick", "").startswith("ERROR"), seconds=60, what="it fails to load"
    )
    file, page = tmp_path / "inspection.json", tmp_path / "page.html"
    answer = serverless.inspect("prod", "--save", str(file), "--html", str(page), "--fail-on", "must")
    assert answer.returncode == 11, answer.stderr
    found = Inspection.read(file)
    state = found.organization
    assert state is not None
    assert state.deployment.agent_type == "SERVERLESS"
    assert state.unanswered == {}, "the administrator may see everything"
    assert state.serverless is not None
    assert state.serverless.status == "ACTIVE"
    alpha, own, quick = (state.location(name) for name in ("alpha", "own", "quick"))
    assert alpha is not None
    assert own is not None
    assert quick is not None
    assert (alpha.assets, alpha.has_own_io_manager, own.has_own_io_manager) == (1, False, True)
    assert (quick.is_pex, quick.python_version, quick.status) == (True, "3.11", "FAILED")
    assert {(each.location, each.name) for each in state.on()} == {("alpha", "yearly"), ("own", "yearly")}
    assert [(each.name, each.locations) for each in state.variables or []] == [("WAREHOUSE", ["alpha"])]
    assert [(each.id, each.location, each.is_isolated) for each in state.runs or []] == [(run, "alpha", False)]
    kinds = {(each.kind.value, each.location) for each in found.findings}
    assert {
        ("not_loaded", "quick"),
        ("pex_build", "quick"),
        ("unknown_location", "own"),
        ("default_io_manager", "alpha"),
        ("stored_values", None),
        ("runs_in_flight", None),
        ("non_isolated_runs", None),
        ("secret", "alpha"),
        ("instigators", None),
    } <= kinds
    assert ("default_io_manager", "own") not in kinds
    shown = answer.stdout + answer.stderr + file.read_text() + page.read_text()
    assert SECRET not in shown, "no value of a variable is asked for"
    assert serverless.plus.token not in shown


@pytest.mark.slow
def test_the_fingerprint_is_of_the_state_and_not_of_the_moment(serverless: Serverless) -> None:
    def fingerprint() -> Any:
        answer = serverless.inspect("prod", "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)["fingerprint"]

    first = fingerprint()
    assert fingerprint() == first
    with serverless.client() as client:
        (yearly,) = [
            each for each in client.automations().instigations if (each.location, each.name) == ("alpha", "yearly")
        ]
        client.stop_instigation(yearly)
        assert fingerprint() != first, "a schedule was turned off by hand"
        client.start_instigation(yearly)
    assert fingerprint() == first, "and is on again"


@pytest.mark.slow
def test_an_agents_token_is_told_what_it_may_not(serverless: Serverless) -> None:
    client = PlusClient(Endpoint.of("local", "prod", url=serverless.plus.url), Token(serverless.plus.agent_token()))
    with client:
        state = read_organization(client)
    assert state.rights.is_agent_token
    assert state.rights.may_switch is not True
    assert "rights" in {each.kind.value for each in inspected(state, None).findings}


@pytest.mark.skipif(BINARY is None, reason="no Chromium is installed")
def test_the_page_is_readable_at_any_width_and_runs_nothing(tmp_path: Path) -> None:
    hostile = [location(HOSTILE, {"image": "x" * 400}, status="FAILED", error=HOSTILE), location("quick", PEX)]
    page = tmp_path / "page.html"
    page.write_text(html_of(inspected(organization(locations=hostile), repository())))
    browser = Chromium(tmp_path / "profile")
    try:
        for width in (400, 1600):
            colours = set()
            for dark in (False, True):
                browser.open(page.as_uri(), width=width, dark=dark)
                browser.wait("document.readyState === 'complete' && document.querySelectorAll('.finding').length > 9")
                assert browser.run("document.documentElement.scrollWidth <= innerWidth"), f"it scrolls at {width} px"
                assert browser.run("window.harm === undefined")
                assert browser.run("performance.getEntriesByType('resource').length") == 0, "it loads nothing"
                colours.add(browser.run("getComputedStyle(document.body).backgroundColor"))
            assert len(colours) == 2, "dark is another page than light"
        assert browser.run("document.querySelector(document.querySelector('tbody a').getAttribute('href')) !== null")
        assert browser.faults == []
    finally:
        browser.close()


def _pex() -> dict[str, Any]:
    return {"pex_metadata": {"pex_tag": f"deps-{'a' * 40}.pex:source-{'b' * 40}.pex", "python_version": "3.11"}}


def test_the_repository_alone_needs_no_stack_and_no_token(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import dagster_cloud.serverless\n")
    answer = subprocess.run(
        [str(HYBRID), "switch", "inspect", "--offline", "--repository", str(tmp_path)],
        cwd=REPOSITORY,
        env=environment(NO_COLOR="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert "a.py:1: It imports dagster_cloud.serverless." in answer.stdout
