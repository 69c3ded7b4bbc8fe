"""Serverless without its agent: values, Python executables, what is shown, and who is kept running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dagster as dg
import httpx
import psutil
import pytest
import requests
from dagster_cloud.serverless.io_manager import ServerlessPresignedURLIOManager
from dagster_cloud_cli import gql
from dagster_cloud_cli.core.pex_builder import pex_registry
from hypothesis import example, given
from hypothesis import strategies as st
from upath import UPath

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.organization import AgentRecord, AgentReport, Organization
from hybrid.emulator.rest.files import MAX_KEY_BYTES, draft_of_body, path_of_key
from hybrid.emulator.serverless.agents import ServerlessAgents
from hybrid.emulator.serverless.home import AgentHome
from hybrid.emulator.serverless.options import SERVERLESS_AGENT, ServerlessOptions, visible_status
from hybrid.emulator.serverless.pex_files import PexFiles, PexMissingError, PexNameError
from tests.processes import arguments, runs
from tests.unit.emulator.serving import Served, served

pytestmark = pytest.mark.unit

Poll = Callable[..., Any]
HOSTILE_NAMES = ["../x.pex", "/etc/passwd", "a/b.pex", ".hidden", "", "a\x00.pex", "x" * 300, "deps-ö.pex", "a\n.pex"]


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Organization]:
    opened = Organization(tmp_path, agent_type="SERVERLESS")
    yield opened
    opened.close()


@pytest.fixture
def plane(organization: Organization, tmp_path: Path, standin: ModuleType) -> Iterator[Served]:
    with served(organization, tmp_path, standin) as plane:
        yield plane


def manager(plane: Served, deployment: str = "prod") -> ServerlessPresignedURLIOManager:
    return ServerlessPresignedURLIOManager(plane.url, plane.agent_token, timeout=20, deployment_name=deployment)


def value_url(plane: Served, key: str, method: str = "GET", token: str | None = None) -> httpx.Response:
    asked = {"key": key, "method": method}
    return httpx.get(f"{plane.url}/gen_io_storage_url", params=asked, headers=plane.headers(token or plane.agent_token))


# -- stored values -------------------------------------------------------------------------------------------------


def test_the_real_io_manager_stores_finds_loads_and_deletes(plane: Served) -> None:
    real, path = manager(plane), UPath("asset") / "2024-01-01|a b%20ö"
    assert not real.path_exists(path), "a value is there before it was stored"
    real.dump_to_path(dg.build_output_context(), {"rows": [1, 2]}, path)
    assert real.path_exists(path), "a stored value is not found"
    assert real.load_from_path(dg.build_input_context(), path) == {"rows": [1, 2]}, "another value came back"
    real.unlink(path)
    assert not real.path_exists(path), "a deleted value is still there"


def test_a_value_that_is_not_there_is_404(plane: Served) -> None:
    """The real class means to raise FileNotFoundError then, and stumbles over the name that its context lacks."""
    assert requests.get(value_url(plane, "never").json()["url"], timeout=20).status_code == 404


def test_assets_run_with_the_real_io_manager(plane: Served) -> None:
    @dg.asset
    def first() -> int:
        return 41

    @dg.asset
    def second(first: int) -> int:
        return first + 1

    result = dg.materialize([first, second], resources={"io_manager": manager(plane)})
    assert result.success
    assert result.output_for_node("second") == 42, "the second asset read something else than the first stored"


def test_a_key_and_one_below_it_both_have_a_value(plane: Served) -> None:
    """S3 knows no folders: an asset that gets partitions has both."""
    real = manager(plane)
    for key in ("a", "a/b", "a/@b", "@a", "a/b/c"):
        real.dump_to_path(dg.build_output_context(), key, UPath(key))
    for key in ("a", "a/b", "a/@b", "@a", "a/b/c"):
        assert real.load_from_path(dg.build_input_context(), UPath(key)) == key, f"{key} was overwritten"


def test_deployments_do_not_share_values(plane: Served) -> None:
    plane.organization.deployments.create("second", "SERVERLESS")
    manager(plane).dump_to_path(dg.build_output_context(), 1, UPath("asset"))
    assert not manager(plane, "second").path_exists(UPath("asset")), "another deployment's value is there"


def test_a_url_serves_its_own_method_key_and_time(plane: Served, organization: Organization) -> None:
    read = value_url(plane, "a").json()["url"]
    assert httpx.put(read, content=b"x").status_code == 403, "a URL to read with lets write"
    assert httpx.head(read).status_code == 403, "a URL serves another method than its own"
    assert httpx.get(read.replace("key=a", "key=b")).status_code == 403, "the key is not signed"
    organization.signer._clock = lambda: 4e9
    assert httpx.get(read).status_code == 403, "a URL serves for ever"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "x" * (MAX_KEY_BYTES + 1), "ö" * 100])
def test_a_key_that_cannot_be_one_is_refused(plane: Served, key: str) -> None:
    answer = value_url(plane, key)
    assert answer.status_code == 400, f"answered with {answer.status_code}"
    assert "key" in answer.json()["message"], "the refusal does not say what is wrong"


@given(st.text(max_size=60))
@example("..")
@example("a/../../b")
@example("/etc/passwd")
def test_no_key_leads_out_of_its_folder_or_to_anothers_place(key: str) -> None:
    folder = Path("/values/prod")
    try:
        path = path_of_key(folder, key)
    except Refusal:
        return
    assert os.path.normpath(path) == str(path), f"{key!r} climbs"
    assert path.is_relative_to(folder), f"{key!r} leads out of the folder"
    assert not folder.joinpath(*path.relative_to(folder).parts[:-1]).name.startswith("@"), "a folder looks like a value"
    assert "\x00" not in str(path), "no file can be named so"


def test_only_agents_of_the_deployment_get_at_values(plane: Served) -> None:
    assert value_url(plane, "a", token=plane.api_token).status_code == 403, "a user's token reads values"
    tokens = plane.organization.tokens
    record, narrow = tokens.create("agent", "of another")
    tokens.withdraw(record.id, "ORGANIZATION", None)
    assert value_url(plane, "a", token=narrow.reveal()).status_code == 403, "an agent of another deployment reads it"


@pytest.mark.parametrize("served_after", [True, False])
def test_after_the_switch_values_are_served_as_the_setting_says(
    plane: Served, organization: Organization, served_after: bool
) -> None:
    organization.serverless = replace(organization.serverless, values_after_switch=served_after)
    with served(organization, plane.data, sys.modules["standin_server"]) as plane:
        organization.deployments.set_agent_type(1, "HYBRID")
        answer = value_url(plane, "a")
        assert (answer.status_code == 200) is served_after, f"answered with {answer.status_code}"
        if not served_after:
            assert "--serverless-values-after-switch" in answer.json()["message"], "it does not say what decides"


def test_a_deployments_values_go_with_it(plane: Served, organization: Organization) -> None:
    agents = ServerlessAgents(organization, plane.data, plane.url)
    second = organization.deployments.create("second", "SERVERLESS")
    manager(plane, "second").dump_to_path(dg.build_output_context(), 1, UPath("asset"))
    organization.deployments.delete(second.id)
    organization.deployments.create("second", "SERVERLESS")
    assert not manager(plane, "second").path_exists(UPath("asset")), "a new deployment has a deleted one's values"
    agents.close()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    async def stream() -> Any:
        yield b"x"

    monkeypatch.setattr("hybrid.emulator.rest.files._write_all", full)

    async def taken() -> None:
        request: Any = SimpleNamespace(headers={}, stream=stream)
        async with draft_of_body(request, tmp_path):
            pytest.fail("the body was taken")

    with pytest.raises(Refusal) as refused:
        asyncio.run(taken())
    assert refused.value.status == 507, "a full disk is not the client's fault"
    assert not list(tmp_path.iterdir()), "a draft is left on the full disk"


# -- Python executables ------------------------------------------------------------------------------------------------


def test_the_real_client_uploads_a_pex_and_finds_its_cached_details(plane: Served, tmp_path: Path) -> None:
    pex = tmp_path / "deps-0123.pex"
    pex.write_bytes(os.urandom(3_000_000))
    pex_registry.upload_files(plane.url, plane.api_token, [str(pex)])
    assert (tmp_path / "pex" / pex.name).read_bytes() == pex.read_bytes(), "the file is not what was uploaded"
    asked = (plane.url, plane.api_token, "hash", "my tag/ö")
    assert pex_registry.get_cached_deps_details(*asked) is None, "details are there before they were set"
    pex_registry.set_cached_deps_details(*asked, deps_pex_name=pex.name, dagster_version="1.13.27")
    assert pex_registry.get_cached_deps_details(*asked) == {
        "deps_pex_name": pex.name,
        "dagster_version": "1.13.27",
    }, "the details do not come back"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_file_name_gets_no_url(plane: Served, name: str) -> None:
    answer = plane.ask(
        "mutation G($names: [String!]!) { generateServerlessPexUrl(filenames: $names, method: PUT) { url } }",
        names=["deps-1.pex", name],
    )
    assert answer["data"] is None, f"a URL was given for {name!r}"
    assert "cannot be the name of a PEX file" in answer["errors"][0]["message"], "it does not say what is wrong"


def test_a_pex_url_serves_its_own_file_and_method(plane: Served) -> None:
    [url] = pex_registry.get_s3_urls_for_put(plane.url, plane.api_token, ["source-1.pex"]) or [""]
    assert httpx.get(url).status_code == 403, "a URL to write with lets read"
    assert httpx.put(url.replace("source-1", "source-2"), content=b"x").status_code == 403, "the name is not signed"


def test_viewers_get_no_pex_urls_and_agents_in_ci_do(plane: Served) -> None:
    viewer = plane.organization.users.add("viewer@example.com", [("VIEWER", "ORGANIZATION", None)])
    token = plane.organization.tokens.create("user", "viewer", viewer.id)[1].reveal()
    query = 'mutation { generateServerlessPexUrl(filenames: ["deps-1.pex"], method: PUT) { url } }'
    assert "EDITOR" in plane.ask(query, token)["errors"][0]["message"], "a viewer may upload code"
    assert "errors" not in plane.ask(query, plane.agent_token), "`dg plus create ci-api-token` makes agents' tokens"


def test_the_agents_shelf_gets_what_it_lacks_and_loses_nothing_of_the_store(tmp_path: Path) -> None:
    files, shelf = PexFiles(tmp_path), tmp_path / "shelf"
    files.folder.mkdir()
    files.path("deps-1.pex").write_bytes(b"deps")
    files.lay_out(["deps-1.pex"], shelf)
    files.lay_out(["deps-1.pex"], shelf)
    (shelf / "deps-1.pex").unlink()  # as the real registry cleans up
    files.lay_out(["deps-1.pex"], shelf)
    assert (shelf / "deps-1.pex").read_bytes() == b"deps", "what was cleaned up cannot be had again"
    with pytest.raises(PexMissingError, match="never uploaded"):
        files.lay_out(["deps-2.pex"], shelf)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_in_a_locations_tag_stays_off_the_disk(tmp_path: Path, name: str) -> None:
    with pytest.raises(PexNameError):
        PexFiles(tmp_path).lay_out([name], tmp_path / "shelf")


# -- what the API says -------------------------------------------------------------------------------------------------


def test_the_command_line_client_is_told_that_there_is_no_registry(plane: Served) -> None:
    with gql.graphql_client_from_url(plane.url, plane.api_token) as client:
        assert gql.get_ecr_info(client) == {
            "registry_url": None,
            "aws_region": "us-west-2",
            "aws_auth_token": None,
            "allow_custom_base": False,
            "is_harbor": False,
        }, "a client would push images to nowhere, or bake PEX into images"


def test_the_status_follows_the_switch(plane: Served, organization: Organization) -> None:
    def status() -> str:
        return str(plane.ask("{ serverless { status } }")["data"]["serverless"]["status"])

    assert status() == "ACTIVE"
    changed = organization.deployments.set_agent_type(1, "HYBRID")
    assert status() == "DELETING", "right after the switch its agent is still there"
    organization.agents._clock = lambda: changed.agent_type_since + 61
    assert status() == "INACTIVE", "its agent is gone by now"


def test_non_isolated_runs_are_as_the_deployments_settings_say(plane: Served, organization: Organization) -> None:
    query = "{ nonIsolatedRuns { enableNonIsolatedRunToggle } }"
    assert plane.ask(query)["data"]["nonIsolatedRuns"] == {"enableNonIsolatedRunToggle": False}
    organization.deployments.set_settings(1, {"non_isolated_runs": {"enabled": True}})
    assert plane.ask(query)["data"]["nonIsolatedRuns"] == {"enableNonIsolatedRunToggle": True}


def record(type_: str, heard_at: float = 1000.0) -> AgentRecord:
    return AgentRecord("prod", heard_at, AgentReport("id", "label", type_, {}, [], [], []))


@pytest.mark.parametrize(
    ("setting", "shown"), [("running", "RUNNING"), ("not-running", "NOT_RUNNING"), ("hidden", None)]
)
def test_a_hybrid_agent_on_serverless_shows_as_the_setting_says(
    organization: Organization, setting: Any, shown: str | None
) -> None:
    options, deployment = ServerlessOptions(hybrid_agents=setting), organization.deployment
    hybrid, own = record("DockerUserCodeLauncher"), record(SERVERLESS_AGENT)
    assert visible_status(hybrid, deployment, 1010, options) == shown
    assert visible_status(own, deployment, 1010, options) == "RUNNING", "the Serverless agent itself always shows"
    assert visible_status(hybrid, replace(deployment, agent_type="HYBRID"), 1010, options) == "RUNNING", (
        "the setting is for SERVERLESS deployments only"
    )
    assert visible_status(own, deployment, 2000, options) == "NOT_RUNNING", "a silent agent is not running"


def test_the_agents_view_asks_the_setting(plane: Served, organization: Organization) -> None:
    organization.agents.heard("prod", record("DockerUserCodeLauncher").report)
    assert plane.ask("{ agents { status } }")["data"]["agents"] == [{"status": "RUNNING"}]
    organization.serverless = ServerlessOptions(hybrid_agents="hidden")
    assert plane.ask("{ agents { status } }")["data"]["agents"] == [], "a hidden agent is shown"


# -- its agent's process ---------------------------------------------------------------------------------------------


@pytest.fixture
def agents(
    organization: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ServerlessAgents]]:
    """Serverless agents whose processes write their own and their child's number, and wait."""
    script = tmp_path / "agent.py"
    script.write_text(
        "import json, os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "told = pathlib.Path(os.environ['DAGSTER_HOME'], 'told.json')\n"
        "told.with_suffix('.draft').write_text(json.dumps([os.getpid(), child.pid, dict(os.environ), sys.argv]))\n"
        "told.with_suffix('.draft').rename(told)\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(AgentHome, "command", lambda home: [sys.executable, str(script), str(home.folder)])
    made: list[ServerlessAgents] = []

    def make(**options: Any) -> ServerlessAgents:
        organization.serverless = ServerlessOptions(**options)
        made.append(ServerlessAgents(organization, tmp_path, "http://127.0.0.1:9"))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.close()


def told(tmp_path: Path, poll: Poll, number: int = 1) -> tuple[int, int, dict[str, str], list[str]]:
    """What the process said of itself, once."""
    file = tmp_path / "serverless" / str(number) / "told.json"
    poll(file.exists)
    said = json.loads(file.read_text())
    file.unlink()
    return said[0], said[1], said[2], said[3]


def test_a_serverless_deployment_has_an_agent_with_a_token_of_its_own(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    agents()
    process, _, environment, words = told(tmp_path, poll)
    token = environment["DAGSTER_CLOUD_AGENT_TOKEN"]
    record = organization.tokens.verify(token)
    assert record is not None
    assert (record.kind, record.description) == ("agent", "Serverless agent (prod)")
    lines = [" ".join(arguments(one)) for one in psutil.process_iter()]
    assert words, "the test's process has arguments"
    assert not any(token in line for line in lines), "the token is in a command line, for everybody to read"
    home = tmp_path / "serverless" / "1"
    assert token not in (home / "dagster.yaml").read_text(), "the token is in the configuration"
    assert (home / "token").stat().st_mode & 0o077 == 0, "others may read the token"
    assert runs(process)


def test_the_agent_gets_what_serverless_tasks_have_and_nothing_else_of_this_machine(
    agents: Any, tmp_path: Path, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "AWS_SECRET_ACCESS_KEY", "DAGSTER_CLOUD_API_TOKEN", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.setenv(name, "leaked")
    agents()
    environment = told(tmp_path, poll)[2]
    assert "leaked" not in environment.values(), "user code would see what is this machine's"
    assert environment["DAGSTER_DEFAULT_IO_MANAGER_MODULE"] == "dagster_cloud.serverless.io_manager"
    assert environment["DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE"] == "serverless_io_manager"
    assert environment["SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL"] == "1"


def test_the_agent_goes_after_the_switch_with_its_children_and_its_token_and_comes_back(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    agents(departure_seconds=1)
    process, child, environment, _ = told(tmp_path, poll)
    organization.deployments.set_agent_type(1, "HYBRID")
    assert runs(process), "it goes at once, and was told to stay for a second"
    poll(lambda: not runs(process) and not runs(child))
    poll(lambda: organization.tokens.verify(environment["DAGSTER_CLOUD_AGENT_TOKEN"]) is None)
    organization.deployments.set_agent_type(1, "SERVERLESS")
    again = told(tmp_path, poll)
    assert runs(again[0]), "after the way back there is no agent"
    assert organization.tokens.verify(again[2]["DAGSTER_CLOUD_AGENT_TOKEN"]) is not None, "its token is refused"


def test_an_agent_that_dies_takes_its_children_along_and_is_started_anew(
    agents: Any, tmp_path: Path, poll: Poll
) -> None:
    agents()
    process, child, environment, _ = told(tmp_path, poll)
    os.kill(process, signal.SIGKILL)
    poll(lambda: not runs(child))
    again = told(tmp_path, poll)
    assert again[0] != process
    assert again[2]["DAGSTER_CLOUD_AGENT_TOKEN"] == environment["DAGSTER_CLOUD_AGENT_TOKEN"], (
        "each death would leave a token behind"
    )


def test_a_killed_guardian_leaves_nobody_behind(agents: Any, tmp_path: Path, poll: Poll) -> None:
    agents()
    process, child, _, _ = told(tmp_path, poll)
    os.kill(psutil.Process(process).ppid(), signal.SIGKILL)
    poll(lambda: not runs(process) and not runs(child))
    assert told(tmp_path, poll)[0] != process, "nobody is started in its place"


def test_a_hybrid_deployment_has_no_serverless_agent(agents: Any, organization: Organization, tmp_path: Path) -> None:
    organization.deployments.set_agent_type(1, "HYBRID")
    keeper = agents(departure_seconds=0)
    organization.deployments.create("other", "HYBRID")
    assert not any(keeper.wants_agent(one) for one in organization.deployments.all()), "HYBRID ones have no such agent"
    assert not (tmp_path / "serverless").exists(), "an agent was prepared for a HYBRID deployment"


def test_a_token_whose_time_ended_while_we_were_away_is_revoked(
    agents: Any, organization: Organization, tmp_path: Path, poll: Poll
) -> None:
    keeper = agents(departure_seconds=0)
    token = told(tmp_path, poll)[2]["DAGSTER_CLOUD_AGENT_TOKEN"]
    keeper.close()
    assert organization.tokens.verify(token) is not None, "an end of the emulator is no switch"
    organization.deployments.set_agent_type(1, "HYBRID")
    agents(departure_seconds=0)
    poll(lambda: organization.tokens.verify(token) is None)


def test_the_guardians_command_dies_with_whoever_started_it(tmp_path: Path, poll: Poll) -> None:
    """As when the emulator is killed with SIGKILL: nobody can say anything to anybody any more."""
    numbers = tmp_path / "numbers"
    command = f"import os, time; open({str(numbers)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    guardian = [sys.executable, "-m", "hybrid.emulator.serverless.guardian", sys.executable, "-c", command]
    emulator = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen({guardian!r}, stdin=subprocess.PIPE, start_new_session=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", emulator], cwd=Path(__file__).parents[3])
    poll(lambda: numbers.exists() and numbers.read_text())
    agent = int(numbers.read_text())
    guardians_number = psutil.Process(agent).ppid()
    parent.kill()
    parent.wait()
    poll(lambda: not runs(agent) and not runs(guardians_number))


def test_a_gentle_end_lets_the_agent_finish(tmp_path: Path, poll: Poll) -> None:
    mark = tmp_path / "mark"
    command = (
        "import pathlib, signal, sys, time\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (mark.write_text('finished'), sys.exit(0)))\n"
        "mark.write_text('ready')\n"
        "time.sleep(600)"
    )
    guardian = subprocess.Popen(
        [sys.executable, "-m", "hybrid.emulator.serverless.guardian", sys.executable, "-c", command],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    )
    poll(lambda: mark.exists() and mark.read_text() == "ready")
    assert guardian.stdin is not None
    guardian.stdin.write(b"e")
    guardian.stdin.flush()
    guardian.wait(20)
    assert mark.read_text() == "finished", "the agent was not asked to end before it was killed"


def test_a_guardian_without_a_group_of_its_own_refuses() -> None:
    """Or it would kill whoever is in its caller's group."""
    result = subprocess.run(
        [sys.executable, "-m", "hybrid.emulator.serverless.guardian", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert b"process group" in result.stderr, "it went on in somebody else's group"
    assert result.returncode == 1
