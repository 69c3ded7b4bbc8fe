"""Variables, settings and alert policies on the real engine, against the embedded Dagster+."""

from __future__ import annotations

import pytest

from hybrid.plus import PlusRejected, Scopes
from hybrid.redaction import Token
from tests.program.provider.organization_program import ORGANIZATION

pytestmark = pytest.mark.program


def test_variables_settings_and_alerts_through_their_whole_life(project, emulator_and_value, plus, value):
    project.declare(emulator_and_value + ORGANIZATION)
    said = project.up()
    with plus() as client:
        (variable,) = client.environment_variables(values=True)
        assert (variable.name, variable.value, variable.scopes) == (
            "WAREHOUSE", Token(value), Scopes(full_deployment=True),
        )  # fmt: skip
        assert client.deployment_settings()["run_queue"]["max_concurrent_runs"] == 7
        assert client.alert_policies()["agent-away"]["notification_service"]["pagerduty"]["integration_key"] == value

        said += project.up()
        assert "5 unchanged" in said, "a second up changes nothing"

        client.update_environment_variable(variable.id, "WAREHOUSE", Token("by-hand-since"), Scopes(local=True), ["a"])
        client.update_deployment_settings({"run_queue": {"max_concurrent_runs": 1}})
        client.put_alert_policy({
            "name": "agent-away", "event_types": ["AGENT_UNAVAILABLE"], "enabled": False,
            "notification_service": {"email": {"email_addresses": ["a@example.com"]}},
        })  # fmt: skip
        shown = project.pulumi("preview", "--refresh", "--diff")
        assert "value" in shown
        assert "max_concurrent_runs" in shown, "drift is named"
        said += shown + project.up()
        assert "3 updated" in said, "what was changed behind Pulumi's back is put right"
        (variable,) = client.environment_variables(values=True)
        assert (variable.value, variable.scopes) == (Token(value), Scopes(full_deployment=True))
        assert client.alert_policies()["agent-away"]["enabled"] is True

        client.delete_environment_variable(variable.id)
        client.delete_alert_policy("agent-away")
        said += project.up()
        assert "2 created" in said, "what was deleted behind Pulumi's back is made again"
        kept = project.state_text()

        project.declare(emulator_and_value)
        said += project.up()
        assert "3 deleted" in said
        assert client.environment_variables() == []
        assert client.alert_policies() == {}
        assert client.deployment_settings()["run_queue"]["max_concurrent_runs"] == 7, "settings stay as they are"
    for text in (said, kept, project.state_text()):
        assert value not in text
        assert "by-hand-since" not in text, "nor is a value shown that drift brought"
    assert "ciphertext" in kept


def test_a_switch_is_shown_refused_and_made_only_when_it_is_allowed(project, emulator_and_value, plus):
    project.declare(emulator_and_value + ORGANIZATION)
    project.up()
    with plus() as client:
        client.set_agent_type("SERVERLESS")

        assert "agentType" in project.pulumi("preview", "--refresh", "--diff")
        refused = project.up(succeeds=False)
        assert "is run by SERVERLESS, and the program says HYBRID" in refused
        assert client.current_deployment().agent_type == "SERVERLESS", "nothing happens in passing"

        project.declare(emulator_and_value.replace("ALLOWED = False", "ALLOWED = True") + ORGANIZATION)
        assert "handing 'prod' from SERVERLESS to HYBRID" in project.up()
        assert client.current_deployment().agent_type == "HYBRID"


def test_the_embedded_dagster_plus_answers_what_no_resource_asks(project, emulator_and_value, plus):
    project.declare(emulator_and_value)
    project.up()
    with plus() as client:
        assert client.runs_in_progress() == [], "Dagster's own schema answers that"
        assert client.branch_deployments() == []
        assert isinstance(client.organization_settings(), dict)
        made = client.create_deployment("staging")
        assert (made.name, made.agent_type) == ("staging", "HYBRID")
        assert "staging" in {deployment.name for deployment in client.deployments()}
        with pytest.raises(PlusRejected, match="choose another name"):
            client.create_deployment("staging")
        assert client.delete_deployment(made.id) is True
        assert client.delete_deployment(made.id) is False
        assert client.delete_environment_variable("none") is False
        assert client.delete_alert_policy("none") is False
        with pytest.raises(PlusRejected):
            client.ping_location("none")
        with pytest.raises(PlusRejected) as refused:
            client.create_environment_variable("NOT A NAME", Token("x9"), Scopes(full_deployment=True))
        assert "x9" not in str(refused.value)
        with pytest.raises(PlusRejected):
            client.put_alert_policy({"name": "wrong", "event_types": ["AGENT_GONE"]})
        with pytest.raises(PlusRejected):
            client.update_deployment_settings({"run_queu": {}})
