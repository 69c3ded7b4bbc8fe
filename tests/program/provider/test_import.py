"""`pulumi import` of what Dagster+ has, into state here.

The code that it writes beside comes from Pulumi's own generator, which hosts built from Go modules lack: GENERATED is
what the engine's generator (v3.259) made of these imports, and must run.
"""

from __future__ import annotations

import pytest

from hybrid.plus import AgentGrants, Scopes
from hybrid.redaction import Token
from tests.program.provider.organization_program import ORGANIZATION, imported, speak_to

pytestmark = pytest.mark.program

GENERATED = """
import pulumi
import hybrid.provider.resources as dagsterhybrid

found = dagsterhybrid.CodeLocation("found",
    connection={
        "deployment": "prod",
        "organization": "local",
        "url": URL,
    },
    document={
        "code_source": {
            "package_name": "found",
        },
    },
    name="found",
    opts = pulumi.ResourceOptions(protect=True))
warehouse = dagsterhybrid.EnvironmentVariable("warehouse",
    connection={
        "deployment": "prod",
        "organization": "local",
        "url": URL,
    },
    locations=["found"],
    name="WAREHOUSE",
    scopes={
        "all_branch_deployments": False,
        "full_deployment": True,
        "local": False,
    },
    opts = pulumi.ResourceOptions(protect=True))
mine = dagsterhybrid.AgentToken("mine",
    connection={
        "deployment": "prod",
        "organization": "local",
        "url": URL,
    },
    description="mine",
    grants={
        "all_branch_deployments": False,
        "deployments": ["prod"],
        "organization": False,
    },
    opts = pulumi.ResourceOptions(protect=True))
prod = dagsterhybrid.DeploymentSettings("prod",
    agent_type=dagsterhybrid.AgentType.HYBRID,
    allow_agent_type_change=False,
    connection={
        "deployment": "prod",
        "organization": "local",
        "url": URL,
    },
    settings={
        "run_queue": {
            "max_concurrent_runs": 3,
        },
    },
    opts = pulumi.ResourceOptions(protect=True))
away = dagsterhybrid.AlertPolicy("away",
    connection={
        "deployment": "prod",
        "organization": "local",
        "url": URL,
    },
    document={
        "enabled": True,
        "event_types": ["AGENT_UNAVAILABLE"],
    },
    name="agent-away",
    opts = pulumi.ResourceOptions(protect=True))
"""


def test_a_variable_of_somebody_else_is_refused_until_it_is_imported(project, emulator_and_value, plus, port, value):
    project.declare(emulator_and_value)
    project.up()
    with plus() as client:
        theirs = client.create_environment_variable(
            "WAREHOUSE", Token("theirs-since-long"), Scopes(full_deployment=True)
        )
        program = emulator_and_value + ORGANIZATION
        project.declare(program)

        said = project.up(succeeds=False)

        assert "There is an environment variable WAREHOUSE already" in said
        assert f"pulumi import dagsterhybrid:index:EnvironmentVariable warehouse local/prod/{theirs.id}" in said
        assert client.environment_variables(values=True)[0].value == Token("theirs-since-long")

        speak_to(project, port)
        imported(project, "EnvironmentVariable", "warehouse", f"local/prod/{theirs.id}")
        said = project.up()
        assert "updated" in said
        (kept,) = client.environment_variables(values=True)
        assert (kept.id, kept.value) == (theirs.id, Token(value)), "the same variable, with the program's value"
        assert "theirs-since-long" not in said + project.state_text()


@pytest.mark.slow
def test_what_is_there_is_imported_by_its_id_and_the_code_for_it_runs(project, emulator_and_value, plus, port, value):
    project.declare(emulator_and_value)
    project.up()
    with plus() as client:
        client.put_location({"location_name": "found", "code_source": {"package_name": "found"}})
        client.create_environment_variable("WAREHOUSE", Token(value), Scopes(full_deployment=True), ["found"])
        client.update_deployment_settings({"run_queue": {"max_concurrent_runs": 3}})
        client.put_alert_policy({
            "name": "agent-away", "event_types": ["AGENT_UNAVAILABLE"], "enabled": True,
            "notification_service": {"pagerduty": {"integration_key": value}},
        })  # fmt: skip
        token = client.create_agent_token("mine")
        client.set_agent_grants(token.id, AgentGrants(deployments=["prod"]))
        settings = client.deployment_settings()
    assert token.token is not None
    speak_to(project, port)

    refused = imported(project, "AgentToken", "mine", f"local/prod/{token.id}", succeeds=False)
    assert "shows a token's value only when it is made" in refused
    project.environment["DAGSTER_CLOUD_AGENT_TOKEN"] = token.token.reveal()
    said = imported(project, "AgentToken", "mine", f"local/prod/{token.id}")
    said += imported(project, "CodeLocation", "found", "local/prod/found")
    said += imported(project, "EnvironmentVariable", "warehouse", "local/prod/WAREHOUSE")
    said += imported(project, "DeploymentSettings", "prod", "local/prod")
    said += imported(project, "AlertPolicy", "away", "local/prod/agent-away")
    assert "failed to validate" not in said, "what was read is what the program may give"

    written = """{
        "run_queue": {
            "max_concurrent_runs": 3,
        },
    }"""
    assert written in GENERATED
    generated = GENERATED.replace(written, repr(settings))  # with the defaults that the embedded Dagster+ keeps
    project.declare(f'{emulator_and_value}URL = "http://127.0.0.1:{port}"\n{generated}')
    said += project.up()
    assert "7 unchanged" in said, "the code says what is there"
    assert value not in said + project.state_text()
    assert token.token.reveal() not in said + project.state_text()
