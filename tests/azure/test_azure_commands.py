"""What commands tell of an agent in Azure, against the STAND-IN for Azure Resource Manager; logs and logins to the
registry against answers in the form that Azure documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid.azure.errors import AzureError
from hybrid.azure.libraries import require_libraries
from hybrid.azure.registry import acr_login, is_acr
from hybrid.azure.session import Azure
from hybrid.engine.stack import Stack, identity
from hybrid.errors import NotReadyError, ToolchainError, UsageError
from hybrid.platforms.azure import AzureCommands
from hybrid.platforms.azure_place import AzurePlace
from hybrid.platforms.choice import commands_of
from hybrid.platforms.commands import LogLine, LogRequest
from hybrid.provider.azure_diagnosis import AzureDiagnosis
from hybrid.workspace import Workspace
from tests.azure.lab import NAMES, SUBSCRIPTION, AzureLab
from tests.azure.test_azure_drain import SERVER, SLEEP, job, put

pytestmark = pytest.mark.program

FILE = f"""config:
  hybrid:organization: acme
  hybrid:agent: {{kind: azure}}
  hybrid:azure: {{subscription: {SUBSCRIPTION}, location: westeurope}}
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureLab]:
    with AzureLab(tmp_path / "lab") as lab:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lab.azure.bundle))
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr(AzurePlace, "door", lambda _: lab.door())
        yield lab


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def commands(lab: AzureLab, tmp_path: Path, said: list[str]) -> AzureCommands:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.quick.yaml").write_text(FILE)
    found = commands_of(Stack(identity(Workspace(tmp_path), "quick"), ()), said.append)
    assert isinstance(found, AzureCommands)
    assert found.place.group == NAMES.resource_group, "the lab's stack"
    return found


def test_status_shows_the_agents_app_its_code_servers_and_orphans(lab, commands) -> None:
    put(lab, "containerApps", NAMES.agent_app, {}, SLEEP)
    put(lab, "containerApps", "shop-1", SERVER, SLEEP)
    job(lab, "run-done", ["/bin/true"])
    standing = commands.standing([])
    told = standing.document()
    assert told["problem"] is None
    assert told["app"]["revision"] == f"{NAMES.agent_app}--0000001"
    assert [(each["location"], each["state"], each["orphan"]) for each in told["code_servers"]] == [
        ("shop", "Running", False)
    ], "while no agent runs none can be told to be an orphan"
    assert told["jobs"] == 1
    assert len(list(standing.shown())) == 3, "the place, a table, the jobs"


def test_status_of_nothing_and_of_an_azure_that_refuses_are_answers(lab, commands, monkeypatch) -> None:
    assert commands.standing([]).document()["app"] is None
    monkeypatch.setattr(AzurePlace, "door", lambda _: lab.door("nobody"))
    assert "does not allow" in (commands.standing([]).document()["problem"] or "")
    assert "does not allow" in (commands.agent_running().unknown or "")


def test_what_runs_as_the_agent_is_told_by_its_app(lab, commands) -> None:
    put(lab, "containerApps", NAMES.agent_app, {}, SLEEP)
    assert commands.agent_running().image == "x.azurecr.io/a"
    assert commands.stop_agent() is False, "`hybrid:agent.restarts` makes another revision"


def test_images_of_servers_and_runs_are_in_use(lab, commands) -> None:
    put(lab, "containerApps", "shop-1", SERVER, SLEEP)
    job(lab, "run-done", ["/bin/true"])
    assert [image for image, _ in commands.images_in_use("x.azurecr.io", set())][1:] == ["x.azurecr.io/a"] * 2


def test_a_wait_is_told_why_the_agent_does_not_come_up(lab, monkeypatch) -> None:
    place = {
        "subscription": SUBSCRIPTION,
        "resourceGroup": NAMES.resource_group,
        "environmentId": NAMES.environment_id,
        "agentApp": NAMES.agent_app,
    }
    diagnosis = AzureDiagnosis(place)
    monkeypatch.setattr(diagnosis, "_azure", lab.door())
    assert "There is no container app" in diagnosis.of_agent().text
    put(lab, "containerApps", NAMES.agent_app, {}, ["/bin/false"])
    lab.until(
        lambda: lab.arm.things["containerApps", NAMES.agent_app].containers[0].exit_code is not None,
        seconds=20,
        what="the agent has ended",
    )
    assert "is Failed" in diagnosis.of_agent().text
    with pytest.raises(NotReadyError, match="does not come up"):
        diagnosis.refuse_stopped()
    put(lab, "containerApps", "shop-1", {**SERVER, "dagster-location-hash": _hash()}, SLEEP)
    told = [each.text for each in diagnosis.of_locations("prod", ["shop", "absent"])]
    assert told == [
        "shop in Azure: the container app shop-1 is Running.",
        "absent in Azure: there is no container app of its code server.",
    ]


def _hash() -> str:
    from dagster_cloud.workspace.user_code_launcher.utils import deterministic_label_for_location

    return deterministic_label_for_location("prod", "shop")


def test_doctor_warns_of_the_token_whatever_else_it_finds(lab, commands, monkeypatch) -> None:
    from hybrid.azure import ground

    def no_login(*_: object) -> list[object]:
        raise AzureError("There is no login to Azure.", next_step="az login")

    monkeypatch.setattr(ground, "problems", no_login)
    assert [each.status for each in commands.findings()] == ["ok", "missing", "warning"]
    monkeypatch.setattr(ground, "problems", lambda *_: [])
    assert [(each.name, each.status) for each in commands.findings()] == [
        ("azure libraries", "ok"),
        ("azure subscription", "ok"),
        ("azure token in plain", "warning"),
    ]


def test_without_the_libraries_every_command_says_how_to_get_them(monkeypatch) -> None:
    require_libraries()
    monkeypatch.setattr("hybrid.azure.libraries.NEEDED", ("no_such_package", "azure.no_such_part"))
    with pytest.raises(ToolchainError, match="make azure"):
        require_libraries()


# logs


@pytest.fixture
def workspace(lab: AzureLab, commands: AzureCommands) -> AzureLab:
    lab.arm.others[commands.place.workspace_id.lower()] = {"properties": {"customerId": "0-1-2"}}
    return lab


def answering(monkeypatch: pytest.MonkeyPatch, status: int, document: Any) -> list[tuple[str, Any]]:
    asked: list[tuple[str, Any]] = []

    def post(url: str, **given: Any) -> httpx.Response:
        asked.append((url, given))
        return httpx.Response(status, json=document)

    monkeypatch.setattr(httpx, "post", post)
    return asked


TABLE = {
    "tables": [
        {
            "columns": [{"name": "TimeGenerated"}, {"name": "Log_s"}, {"name": "Source"}],
            "rows": [
                ["2026-11-30T10:00:01.5Z", "second", "hybrid-quick-agent--1-abc"],
                ["2026-11-30T10:00:00Z", "first", "hybrid-quick-agent--1-abc"],
            ],
        }
    ]
}


def test_the_agents_lines_come_oldest_first(workspace, commands, monkeypatch) -> None:
    asked = answering(monkeypatch, 200, TABLE)
    lines: list[LogLine] = []
    commands.logs(LogRequest(lines=7, since=timedelta(hours=2)), lines.append)
    assert [line.text for line in lines] == ["first\n", "second\n"]
    ((url, given),) = asked
    assert url == "https://api.loganalytics.io/v1/workspaces/0-1-2/query"
    assert "ContainerAppName_s" in given["json"]["query"]
    assert f"'{NAMES.agent_app}'" in given["json"]["query"]
    assert "top 7 by" in given["json"]["query"]
    assert given["json"]["timespan"] == "PT7200S"


def test_no_lines_are_told_with_what_to_do(workspace, commands, said, monkeypatch) -> None:
    answering(monkeypatch, 200, {"tables": []})
    commands.logs(LogRequest(), lambda _: None)
    assert "some minutes after" in said[0]


def test_lines_are_not_followed_and_the_command_that_does_is_named(commands) -> None:
    with pytest.raises(UsageError, match="az containerapp logs show --follow"):
        commands.logs(LogRequest(follow=True), lambda _: None)


def test_a_refusal_of_the_workspace_is_said_in_azures_words(workspace, commands, monkeypatch) -> None:
    answering(monkeypatch, 403, {"error": {"code": "InsufficientAccessError", "message": "no read"}})
    with pytest.raises(AzureError, match="does not allow this identity to read logs"):
        commands.logs(LogRequest(), lambda _: None)


def test_a_shell_is_one_of_the_azure_cli(commands) -> None:
    found = commands.shell(None, "/bin/sh", checked=False)
    assert found[:3] == ["az", "containerapp", "exec"]
    assert found[-1] == "/bin/sh"
    assert NAMES.agent_app in found


# logins


@pytest.mark.parametrize(
    ("host", "is_azures"),
    [
        ("acmedata.azurecr.io", True),
        ("acmedata.azurecr.io.evil.example", False),
        ("x@acmedata.azurecr.io", False),
        ("a.io", False),
    ],
)
def test_only_azures_own_registries_are_given_a_token_of_azure(host: str, is_azures: bool) -> None:
    assert is_acr(host) is is_azures, "a token would be handed to whoever answers there"


def test_a_login_is_exchanged_for_one_of_the_registry(monkeypatch) -> None:
    monkeypatch.setattr(Azure, "token", lambda *_, **__: "an access token")
    asked = answering(monkeypatch, 200, {"refresh_token": "a refresh token"})
    user, password = acr_login("acmedata.azurecr.io")
    assert (user, password.reveal()) == ("00000000-0000-0000-0000-000000000000", "a refresh token")
    assert asked[0][0] == "https://acmedata.azurecr.io/oauth2/exchange"
    assert "a refresh token" not in repr(password)


@pytest.mark.parametrize(("status", "document"), [(401, {}), (200, {}), (200, [])])
def test_a_registry_that_refuses_says_which_role_is_lacking(
    monkeypatch: pytest.MonkeyPatch, status: int, document: Any
) -> None:
    monkeypatch.setattr(Azure, "token", lambda *_, **__: "an access token")
    answering(monkeypatch, status, document)
    with pytest.raises(AzureError) as refused:
        acr_login("acmedata.azurecr.io")
    assert "an access token" not in refused.value.sentence(), "errors show no tokens"
