"""What the API says of Serverless: its registry, its status, non-isolated runs, and which agents it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dagster_cloud_cli import gql

from hybrid.emulator.organization import AgentRecord, AgentReport, Organization
from hybrid.emulator.serverless.options import SERVERLESS_AGENT, ServerlessOptions, visible_status
from tests.unit.emulator.serving import Served

pytestmark = pytest.mark.unit


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
