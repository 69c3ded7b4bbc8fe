"""``hybrid agent`` for a stack in Azure: each command does what it does on ECS, or is refused with a reason. The engine
only records, and what Azure tells is given here; the commands against the stand-in for Azure are in tests/azure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hybrid.azure.agent_app import AgentApp
from hybrid.azure.made import Made
from hybrid.delivery.images.registry import Registry
from hybrid.platforms.azure_place import AzurePlace
from hybrid.plus import AgentToken
from tests.unit.cli.ecs_checkout import Call, FakePlus, Updates, agent

pytestmark = pytest.mark.unit

IMAGE = "docker.io/dagster/dagster-cloud-agent"
AZURE = """config:
  hybrid:organization: acme
  hybrid:agent:
    kind: azure  # Container Apps
  hybrid:azure: {subscription: 00000000-1111-2222-3333-444444444444, location: westeurope}
"""


@pytest.fixture
def azure(file: Path, plus: FakePlus, monkeypatch: pytest.MonkeyPatch) -> FakePlus:
    """The stack prod in Azure with its agent running and both locations loaded."""
    file.write_text(AZURE)
    monkeypatch.setattr("hybrid.azure.libraries.require_libraries", lambda: None)
    monkeypatch.setattr(AzurePlace, "door", lambda self: object())
    app = AgentApp("hybrid-prod-agent", "Running", f"{IMAGE}:1.13.26", "", None)
    monkeypatch.setattr("hybrid.azure.agent_app.agent_app", lambda *_: app)
    monkeypatch.setattr("hybrid.azure.made.made_in", lambda *_: Made((), (), agent_stands=True))
    plus.listed = [agent(version="1.13.26")]
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    return plus


def says(file: Path, key: str) -> object:
    return yaml.safe_load(file.read_text())["config"]["hybrid:agent"].get(key)


def test_an_upgrade_writes_the_tag_and_updates(
    call: Call, file: Path, updates: Updates, azure: FakePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "digest", lambda self, image: "sha256:" + "0" * 64)
    told = json.loads(call("agent", "upgrade", "prod", "--check", "--json").out)
    assert told["running"] == {"versions": ["1.13.26"], "image": f"{IMAGE}:1.13.26"}
    assert told["changes"] is True, "an older one runs than the file's default says"
    answer = call("agent", "upgrade", "prod", "--to", "1.13.28", "--yes")
    assert answer.code == 0, answer.err
    assert says(file, "image") == f"{IMAGE}:1.13.28"
    assert updates.commands == ["up"]


def test_an_image_that_the_registry_does_not_have_is_refused_first(
    call: Call, file: Path, updates: Updates, azure: FakePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "digest", lambda self, image: None)
    assert call("agent", "upgrade", "prod", "--to", "1.13.28", "--yes").code == 2
    assert file.read_text() == AZURE
    assert updates.commands == []


def test_a_restart_is_counted_in_the_file(call: Call, file: Path, updates: Updates, azure: FakePlus) -> None:
    answer = call("agent", "restart", "prod", "--yes")
    assert answer.code == 0, answer.err
    assert says(file, "restarts") == 1
    assert updates.commands == ["up"]
    assert "# Container Apps" in file.read_text(), "the rest of the file is a person's"


def test_a_rotation_is_counted_in_the_file_and_waits_as_it_is_told(
    call: Call, file: Path, updates: Updates, azure: FakePlus
) -> None:
    updates.outputs["agent-token"] = {"tokenId": 7}
    azure.tokens = [AgentToken(7, "hybrid-prod (made by the stack prod)", False)]
    answer = call("agent", "rotate-token", "prod", "--runs", "terminate", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert says(file, "tokenRotation") == 1
    assert updates.variables[0]["HYBRID_RUNS_ON_ROTATION"] == "terminate"


def test_replicas_are_refused_with_the_reason(call: Call, file: Path, updates: Updates, azure: FakePlus) -> None:
    answer = call("agent", "scale", "prod", "2", "--yes")
    assert answer.code == 2
    assert "Azure itself starts the agent anew" in answer.err
    assert "kind ecs or kubernetes" in answer.err, "where there are replicas"
    assert file.read_text() == AZURE
    assert updates.commands == []


def test_values_for_the_helm_chart_are_refused(call: Call, azure: FakePlus) -> None:
    answer = call("agent", "helm-values", "prod")
    assert answer.code == 2
    assert "kubernetes" in answer.err


def test_following_a_log_is_refused_with_the_command_that_can(call: Call, azure: FakePlus) -> None:
    answer = call("agent", "logs", "prod", "-f")
    assert answer.code == 2
    assert "az containerapp logs show --follow --name hybrid-prod-agent" in answer.err


def test_a_shell_is_az_s(call: Call, azure: FakePlus) -> None:
    answer = call("agent", "exec", "prod", "--print")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("az containerapp exec --subscription 00000000-1111-2222-3333-444444444444")


@pytest.mark.parametrize(
    "command", [["upgrade", "prod", "--to", "1.13.28"], ["restart", "prod"], ["rotate-token", "prod"]]
)
def test_without_azure_s_libraries_nothing_is_written(
    command: list[str], call: Call, file: Path, updates: Updates, azure: FakePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hybrid.azure.errors import not_installed

    def missing() -> None:
        raise not_installed()

    monkeypatch.setattr(Registry, "digest", lambda self, image: "sha256:" + "0" * 64)
    monkeypatch.setattr("hybrid.azure.libraries.require_libraries", missing)
    answer = call("agent", *command, "--yes")
    assert answer.code != 0
    assert "make azure" in answer.err
    assert file.read_text() == AZURE, "the update would fail by it"
    assert updates.commands == []
