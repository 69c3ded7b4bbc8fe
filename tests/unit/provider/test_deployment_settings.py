"""`DeploymentSettings` against a Dagster+ in memory: only given keys, and no switch that nobody allowed."""

from __future__ import annotations

import pytest

from hybrid.errors import SettingsError
from hybrid.plus import PlusUnreachable
from hybrid.provider.deployment_settings import DEFINITION, DeploymentSettings

pytestmark = pytest.mark.unit


@pytest.fixture
def resource(clients):
    return DeploymentSettings(clients)


@pytest.fixture
def inputs(connection):
    return {
        "connection": connection,
        "settings": {"run_queue": {"max_concurrent_runs": 7}},
        "allowAgentTypeChange": False,
    }


def test_only_the_given_keys_are_changed_at_any_depth(resource, plus, inputs, call):
    plus.settings = {
        "run_queue": {"max_concurrent_runs": 3, "tag_concurrency_limits": []},
        "sso_default_role": "VIEWER",
    }

    made = resource.create(inputs, call)

    assert plus.settings == {
        "run_queue": {"max_concurrent_runs": 7, "tag_concurrency_limits": []},
        "sso_default_role": "VIEWER",
    }
    assert made.outputs == {
        "deploymentId": "1",
        "runBy": "HYBRID",
        "keptSettings": {"run_queue": {"max_concurrent_runs": 7}},
    }
    assert "update_deployment_settings run_queue" in plus.calls, "other keys are not even sent"


def test_settings_that_are_so_already_are_not_sent(resource, plus, inputs, call):
    plus.settings = {"run_queue": {"max_concurrent_runs": 7, "other": 1}}

    resource.create(inputs, call)

    assert not [name for name in plus.calls if name.startswith("update")]


def test_a_change_of_a_managed_key_is_drift_and_of_another_one_is_not(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.settings["sso_default_role"] = "ADMIN"
    plus.settings["run_queue"]["tag_concurrency_limits"] = []
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    plus.settings["run_queue"]["max_concurrent_runs"] = 1
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {
        "settings": {"run_queue": {"max_concurrent_runs": 1}}
    }

    del plus.settings["run_queue"]
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {"settings": {}}


def test_settings_that_dagster_plus_keeps_in_another_form_are_told_and_are_no_drift(
    resource, plus, inputs, call, report
):
    keep = plus.update_deployment_settings
    plus.update_deployment_settings = lambda settings: keep({"run_queue": {"max_concurrent_runs": "7"}})

    made = resource.create(inputs, call)

    assert report.said[-1] == ("warning", "Dagster+ keeps these settings in another form: run_queue")
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}


def test_who_runs_the_deployment_is_drift_only_when_it_is_declared(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.agent_type = "SERVERLESS"

    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}
    declared = {**inputs, "agentType": "HYBRID"}
    found = resource.read(made.id, declared, made.outputs, call)
    assert found.inputs == {"agentType": "SERVERLESS"}
    (change,) = resource.diff({**declared, **found.inputs}, found.outputs, declared)
    assert (change.path, change.how, change.replaces) == ("agentType", "update", False), "a preview shows it"


@pytest.mark.parametrize(("now", "wanted"), [("SERVERLESS", "HYBRID"), ("HYBRID", "SERVERLESS")])
def test_a_switch_that_nobody_allowed_is_refused_before_anything_is_changed(resource, plus, inputs, call, now, wanted):
    plus.agent_type = now
    inputs["agentType"] = wanted

    with pytest.raises(SettingsError, match=f"is run by {now}, and the program says {wanted}") as refused:
        resource.create(inputs, call)
    with pytest.raises(SettingsError):
        resource.update("my-team/prod", {}, inputs, call)

    assert "allowAgentTypeChange: true" in str(refused.value)
    assert plus.agent_type == now
    assert plus.settings == {}, "half of a refused change is not done either"


def test_a_switch_that_is_allowed_is_made_and_told(resource, plus, inputs, call, report):
    plus.agent_type = "SERVERLESS"

    made = resource.create({**inputs, "agentType": "HYBRID", "allowAgentTypeChange": True}, call)

    assert plus.agent_type == "HYBRID"
    assert made.outputs["runBy"] == "HYBRID"
    assert ("info", "handing 'prod' from SERVERLESS to HYBRID") in report.said


def test_allowing_a_switch_changes_nothing_by_itself(resource, inputs):
    assert not resource.diff(inputs, {}, {**inputs, "allowAgentTypeChange": True})


def test_deleting_leaves_settings_and_agent_type_as_they_are(resource, plus, inputs, call, report):
    made = resource.create(inputs, call)
    plus.calls.clear()

    resource.delete(made.id, inputs, made.outputs, call)

    assert plus.calls == []
    assert "stay as they are" in report.said[-1][1]


def test_an_import_takes_all_settings_and_the_agent_type(resource, plus, call, monkeypatch):
    monkeypatch.setenv("DAGSTER_CLOUD_URL", "https://eu.example/")
    plus.settings, plus.agent_type = {"sso_default_role": "VIEWER"}, "SERVERLESS"

    found = resource.read("my-team/prod", {}, {}, call)

    assert found.inputs == {
        "connection": {"url": "https://eu.example", "organization": "my-team", "deployment": "prod"},
        "settings": {"sso_default_role": "VIEWER"},
        "agentType": "SERVERLESS",
    }
    assert found.outputs["keptSettings"] == {"sso_default_role": "VIEWER"}


def test_an_unreachable_dagster_plus_is_an_error_and_an_embedded_one_that_is_down_is_not(
    resource, plus, inputs, call, report, tmp_path
):
    plus.faults["current_deployment"] = PlusUnreachable("Nobody answers.", reason="refused")
    with pytest.raises(PlusUnreachable):
        resource.read("id", inputs, {}, call)

    (tmp_path / "api-token").touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    assert resource.read("id", inputs, {"runBy": "HYBRID"}, call).outputs == {"runBy": "HYBRID"}
    assert report.said[-1][0] == "warning"


def test_an_agent_type_that_there_is_not_is_refused():
    (failure,) = DEFINITION.inputs["agentType"].kind.failures("agentType", "HYBIRD")

    assert failure.reason == "must be one of HYBRID, SERVERLESS, not 'HYBIRD'"
