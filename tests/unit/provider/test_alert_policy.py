"""`AlertPolicy` against a Dagster+ in memory: by name, others untouched, keys in no output."""

from __future__ import annotations

import pytest

from hybrid.errors import HybridError
from hybrid.plus import PlusUnreachable
from hybrid.provider.alert_policy import DEFINITION, AlertPolicy
from hybrid.provider.properties import UNKNOWN

pytestmark = pytest.mark.unit

DOCUMENT = {"event_types": ["AGENT_UNAVAILABLE"], "enabled": True}
PAGER = {"pagerduty": {"integration_key": "key-of-a-test-0123456789"}}


@pytest.fixture
def resource(clients):
    return AlertPolicy(clients)


@pytest.fixture
def inputs(connection):
    return {"connection": connection, "name": "agent-away", "document": DOCUMENT, "notificationService": PAGER}


def test_a_policy_is_put_by_its_name_and_others_stay(resource, plus, inputs, call):
    plus.policies = {"other": {"name": "other", "event_types": ["JOB_FAILURE"]}}

    made = resource.create(inputs, call)

    assert plus.policies["agent-away"] == {**DOCUMENT, "name": "agent-away", "notification_service": PAGER}
    assert plus.policies["other"] == {"name": "other", "event_types": ["JOB_FAILURE"]}
    assert made.id == "my-team/prod/agent-away"
    resource.delete(made.id, inputs, made.outputs, call)
    assert plus.policies.keys() == {"other"}


def test_a_policy_that_is_there_as_declared_is_adopted(resource, plus, inputs, call):
    plus.policies["agent-away"] = {
        **DOCUMENT, "name": "agent-away", "description": None, "alert_targets": [], "notification_service": PAGER,
    }  # fmt: skip

    resource.create(inputs, call)

    assert "put_alert_policy" not in plus.calls


def test_a_changed_policy_is_drift_and_its_form_is_not(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    plus.policies["agent-away"]["description"] = ""
    assert resource.read(made.id, inputs, made.outputs, call).inputs["document"] == {**DOCUMENT, "description": ""}

    del plus.policies["agent-away"]["description"]
    assert resource.read(made.id, inputs, made.outputs, call).inputs == {}

    plus.policies["agent-away"]["notification_service"] = {"email": {"email_addresses": ["a@example.com"]}}
    found = resource.read(made.id, inputs, made.outputs, call)
    assert found.inputs["notificationService"] == {"email": {"email_addresses": ["a@example.com"]}}

    del plus.policies["agent-away"]
    assert resource.read(made.id, inputs, made.outputs, call) is None


def test_whom_it_tells_stays_when_it_is_left_out(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    del inputs["notificationService"]

    resource.update(made.id, made.outputs, {**inputs, "document": {**DOCUMENT, "enabled": False}}, call)

    assert plus.policies["agent-away"]["notification_service"] == PAGER
    assert plus.policies["agent-away"]["enabled"] is False


def test_a_new_policy_that_tells_nobody_is_refused(resource, plus, inputs, call):
    del inputs["notificationService"]

    with pytest.raises(HybridError, match="tells nobody"):
        resource.create(inputs, call)
    assert plus.policies == {}


def test_an_import_has_no_notification_service(resource, plus, inputs, call, monkeypatch):
    monkeypatch.delenv("DAGSTER_CLOUD_URL", raising=False)
    resource.create(inputs, call)

    found = resource.read("my-team/prod/agent-away", {}, {}, call)

    assert found.inputs == {
        "connection": {"url": "https://my-team.dagster.cloud", "organization": "my-team", "deployment": "prod"},
        "name": "agent-away",
        "document": DOCUMENT,
    }
    assert resource.read("my-team/prod/none", {}, {}, call) is None


def test_what_may_hold_keys_is_secret():
    assert DEFINITION.secrets() == {"notificationService", "documentDigest"}, "a digest of few letters can be guessed"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**DOCUMENT, "notification_service": PAGER}, "document.notification_service"),
        ({**DOCUMENT, "name": "x"}, "document.name"),
        ({}, "document.event_types"),
    ],
)
def test_a_document_with_a_key_at_the_wrong_place_is_refused(resource, inputs, document, path):
    (failure,) = resource.check({**inputs, "document": document})

    assert failure.path == path
    assert "key-of-a-test" not in failure.reason


def test_what_is_not_known_yet_is_not_judged(resource, inputs):
    assert not resource.check({**inputs, "document": UNKNOWN})


def test_an_unreachable_dagster_plus_is_an_error_and_an_embedded_one_that_is_down_is_not(
    resource, plus, inputs, call, report, tmp_path
):
    plus.faults["alert_policies"] = PlusUnreachable("Nobody answers.", reason="refused")
    with pytest.raises(PlusUnreachable):
        resource.read("id", inputs, {}, call)

    (tmp_path / "api-token").touch()
    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    assert resource.read("id", inputs, {"documentDigest": "d"}, call).outputs == {"documentDigest": "d"}
    assert report.said[-1][0] == "warning"
