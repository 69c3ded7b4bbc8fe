"""Alert policies: documents taken and refused by the rules of docs, and read back as installed clients read them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster_cloud_cli import gql

from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.alert_policies import EVENT_TYPES, faults
from hybrid.emulator.organization.alert_targets import TARGETS
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

AGENT = {
    "name": "agent down",
    "description": "the agent is gone",
    "event_types": ["AGENT_UNAVAILABLE"],
    "notification_service": {"email": {"email_addresses": ["ops@example.com"]}},
    "enabled": True,
    "alert_targets": [],
    "policy_options": {"include_description_in_notification": True, "renotify_interval_minutes": 30},
}
PLACE = {"location_name": "loc", "repo_name": "__repository__"}
INSIGHTS = {"metric_name": "credits", "selection_period_days": 7, "threshold": 100, "operator": "GREATER_THAN"}
MONITOR = {"metric_name": "warnings", "lookback_window": 0.5, "thresholds": {"min_allowed_value": 5}}
EACH_TARGET: dict[str, tuple[str, Any]] = {
    "run_result_target": ("JOB_FAILURE", {"jobs": [{**PLACE, "job_name": "j"}], "tags": [{"key": "team"}]}),
    "long_running_job_threshold_target": ("JOB_LONG_RUNNING", {"threshold_seconds": 900, "location_names": ["loc"]}),
    "asset_key_target": ("ASSET_MATERIALIZATION_FAILURE", {"asset_key": ["s3", "report"]}),
    "asset_selection_target": ("ASSET_HEALTH_DEGRADED", {"asset_selection": "*"}),
    "asset_group_target": ("ASSET_CHECK_PASSED", {**PLACE, "asset_group": "g"}),
    "asset_selection_view_target": ("ASSET_FRESHNESS_FAIL", {"asset_selection_view_id": "view"}),
    "favorites_selection_view_target": ("ASSET_CHECK_PASSED", {"user_email": "administrator@local"}),
    "schedule_or_sensor_target": (
        "TICK_FAILURE",
        {"schedules_or_sensors": [{**PLACE, "name": "s"}], "types": ["SCHEDULE"]},
    ),
    "code_location_target": ("CODE_LOCATION_ERROR", {"location_names": ["loc"]}),
    "credit_limit_target": ("INSIGHTS_CONSUMPTION_EXCEEDED", {}),
    "insights_deployment_threshold_target": ("INSIGHTS_CONSUMPTION_EXCEEDED", INSIGHTS),
    "insights_asset_group_threshold_target": (
        "INSIGHTS_CONSUMPTION_EXCEEDED",
        {**INSIGHTS, "asset_group": {**PLACE, "asset_group_name": "g"}},
    ),
    "insights_asset_threshold_target": ("INSIGHTS_CONSUMPTION_EXCEEDED", {**INSIGHTS, "asset_key": ["a"]}),
    "insights_job_threshold_target": ("INSIGHTS_CONSUMPTION_EXCEEDED", {**INSIGHTS, "job": {**PLACE, "job_name": "j"}}),
    "metric_monitor_asset_selection_threshold_target": (
        "METRIC_MONITOR_ALERT",
        {**MONITOR, "aggregation_function": "max", "asset_selection": "*", "combine_fn": "ANY"},
    ),
    "metric_monitor_deployment_threshold_target": ("METRIC_MONITOR_ALERT", {**MONITOR, "aggregation_function": "MAX"}),
}
SERVICES: dict[str, tuple[Any, dict[str, Any]]] = {
    "email": ({"email_addresses": ["a@example.com"]}, {"emailAddresses": ["a@example.com"]}),
    "email_owners": ({"default_email_addresses": ["a@example.com"]}, {"defaultEmailAddresses": ["a@example.com"]}),
    "slack": (
        {"slack_workspace_name": "w", "slack_channel_name": "c"},
        {"slackWorkspaceName": "w", "slackChannelName": "c"},
    ),
    "microsoft_teams": ({"webhook_url": "https://example.com"}, {"webhookUrl": "https://example.com"}),
    "pagerduty": ({"integration_key": "key"}, {"integrationKey": "key"}),
    "webhook": ({"webhook_url": "https://example.com"}, {"webhookUrl": "https://example.com", "bodyTemplate": ""}),
}
PUT = sent_by_dg_api("alert_policy", "CreateOrUpdateAlertPolicy")
DELETE = sent_by_dg_api("alert_policy", "DeleteAlertPolicy")
LIST = sent_by_dg_api("alert_policy", "ListAlertPolicies")


@pytest.fixture
def ask(organization: Organization) -> Asking:
    return Asking(organization)


def policy(**changes: Any) -> dict[str, Any]:
    changed = {**copy.deepcopy(AGENT), **changes}
    return {key: value for key, value in changed.items() if value is not ...}


def job_policy(name: str, *targets: Any, **changes: Any) -> dict[str, Any]:
    return policy(name=name, event_types=["JOB_FAILURE"], alert_targets=list(targets), policy_options=None, **changes)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no name": (policy(name=...), "name is missing"),
    "empty name": (policy(name=""), "name must be"),
    "no events": (policy(event_types=[]), "event_types must have at least 1"),
    "unknown event": (policy(event_types=["AGENT_GONE"]), "event_types[0] must be one of"),
    "unknown key": (policy(recipients=[]), "recipients is not known"),
    "two services": (
        policy(notification_service={"email": {"email_addresses": ["a"]}, "pagerduty": {"integration_key": "k"}}),
        "notification_service must have exactly one key",
    ),
    "unknown service": (policy(notification_service={"sms": {}}), "notification_service must have exactly one key"),
    "no addresses": (policy(notification_service={"email": {"email_addresses": []}}), "email_addresses must have"),
    "mixed events": (policy(event_types=["AGENT_UNAVAILABLE", "TICK_FAILURE"]), "make a policy for each kind"),
    "mixed asset events": (
        policy(event_types=["ASSET_CHECK_PASSED", "ASSET_HEALTH_HEALTHY"], policy_options=None),
        "make a policy for each kind",
    ),
    "long running without threshold": (
        policy(event_types=["JOB_LONG_RUNNING"], policy_options=None),
        "long_running_job_threshold_target",
    ),
    "schema change without types": (
        policy(event_types=["ASSET_TABLE_SCHEMA_CHANGE"], policy_options=None),
        "table_schema_change_types",
    ),
    "insights without target": (
        policy(event_types=["METRIC_MONITOR_ALERT"], policy_options=None),
        "exactly one target",
    ),
    "threshold of failures elsewhere": (
        policy(policy_options={"consecutive_failure_threshold": 3}),
        "for TICK_FAILURE only",
    ),
    "too many failures": (
        policy(event_types=["TICK_FAILURE"], policy_options={"consecutive_failure_threshold": 101}),
        "at most 100",
    ),
    "renotified job": (policy(event_types=["JOB_FAILURE"]), "renotify_interval_minutes is for"),
    "owners of no asset": (policy(notification_service={"email_owners": {}}), "for events of assets only"),
    "no thresholds": (
        policy(
            event_types=["METRIC_MONITOR_ALERT"],
            policy_options=None,
            alert_targets=[
                {
                    "metric_monitor_deployment_threshold_target": {
                        **MONITOR,
                        "aggregation_function": "MAX",
                        "thresholds": {},
                    }
                }
            ],
        ),
        "needs min_allowed_value or max_allowed_value",
    ),
}


@pytest.mark.parametrize(("document", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_policy_is_refused_by_its_type_and_changes_nothing(
    ask: Asking, document: dict[str, Any], words: str
) -> None:
    refused = ask(PUT, {"document": document})
    assert refused["__typename"] == "InvalidAlertPolicyError"
    assert words in refused["message"]
    several = ask(gql.RECONCILE_ALERT_POLICIES_FROM_DOCUMENT_MUTATION, {"document": {"alert_policies": [document]}})
    assert several["__typename"] == "InvalidAlertPolicyError"
    assert ask(LIST) == []


@pytest.mark.parametrize("kind", TARGETS)
def test_each_kind_of_target_is_taken_and_read_back(ask: Asking, kind: str) -> None:
    event, keys = EACH_TARGET[kind]
    document = policy(event_types=[event], alert_targets=[{kind: keys}], policy_options=None)
    made = ask(PUT, {"document": document})
    assert made["__typename"] == "AlertPolicy", made.get("message")
    [target] = made["alertTargets"]
    assert target["__typename"].endswith("Target")
    assert ask(LIST) == [{key: value for key, value in made.items() if key != "__typename"}]


@pytest.mark.parametrize("kind", SERVICES)
def test_each_service_is_taken_and_read_back(ask: Asking, kind: str) -> None:
    given, read = SERVICES[kind]
    document = policy(event_types=["ASSET_CHECK_PASSED"], notification_service={kind: given}, policy_options=None)
    service = ask(PUT, {"document": document})["notificationService"]
    assert {key: value for key, value in service.items() if key != "__typename"} == read


def test_every_event_type_of_the_clients_is_taken() -> None:
    from dagster_rest_resources.__generated__.enums import AlertPolicyEventType

    assert {event.value for event in AlertPolicyEventType} <= set(EVENT_TYPES)


def test_a_policy_for_the_agent_being_gone_is_read_back_whole(ask: Asking) -> None:
    made = ask(PUT, {"document": AGENT})
    assert made == {
        "__typename": "AlertPolicy",
        "id": made["id"],
        "name": "agent down",
        "description": "the agent is gone",
        "tags": None,
        "eventTypes": ["AGENT_UNAVAILABLE"],
        "notificationService": {
            "__typename": "EmailAlertPolicyNotification",
            "emailAddresses": ["ops@example.com"],
        },
        "enabled": True,
        "alertTargets": [],
        "policyOptions": {
            "consecutiveFailureThreshold": None,
            "includeDescriptionInNotification": True,
            "renotifyIntervalMinutes": 30,
        },
    }
    document = ask("{ alertPoliciesAsDocument { document } }")["document"]
    assert document == {"alert_policies": [AGENT]}, "the document is as it was given"
    assert ask(gql.ALERT_POLICIES_QUERY)["document"] == document
    assert ask(sent_by_dg_api("alert_policy", "ListAlertPoliciesAsDocument"))["document"] == document
    one = ask(sent_by_dg_api("alert_policy", "GetAlertPolicy"), {"alertPolicyId": made["id"]})
    assert one["name"] == "agent down"
    assert ask(sent_by_dg_api("alert_policy", "GetAlertPolicy"), {"alertPolicyId": "x"}) is None


def test_reconciling_keeps_what_is_named_and_deletes_the_rest(ask: Asking) -> None:
    first = ask(PUT, {"document": AGENT})
    ask(PUT, {"document": policy(name="other")})
    document = {"alert_policies": [policy(enabled=False), policy(name="new")]}
    for query in (
        gql.RECONCILE_ALERT_POLICIES_FROM_DOCUMENT_MUTATION,
        sent_by_dg_api("alert_policy", "ReconcileAlertPolicies"),
    ):
        answer = ask(query, {"document": document})
        assert [one["name"] for one in answer["alertPolicies"]] == ["agent down", "new"]
    found = {one["name"]: one for one in ask(LIST)}
    assert set(found) == {"agent down", "new"}
    assert found["agent down"]["id"] == first["id"], "a policy that stays keeps its id"
    assert found["agent down"]["enabled"] is False


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"alert_policies": [AGENT, AGENT]}, "named twice"),
        ({"alert_policies": {"a": 1}}, "must be a list"),
        ({"policies": []}, "policies is not known"),
        ({"alert_policies": ["name"]}, "alert_policies[0]"),
        ("alert_policies: []", "must be a list"),
    ],
    ids=["twice", "map", "other key", "text", "not parsed"],
)
def test_a_wrong_list_is_refused_and_keeps_what_was_there(ask: Asking, document: Any, words: str) -> None:
    ask(PUT, {"document": AGENT})
    refused = ask(gql.RECONCILE_ALERT_POLICIES_FROM_DOCUMENT_MUTATION, {"document": document})
    assert refused["__typename"] == "InvalidAlertPolicyError"
    assert words in refused["message"]
    assert [one["name"] for one in ask(LIST)] == ["agent down"]


def test_an_empty_document_deletes_all(ask: Asking) -> None:
    ask(PUT, {"document": AGENT})
    ask(gql.RECONCILE_ALERT_POLICIES_FROM_DOCUMENT_MUTATION, {"document": {"alert_policies": []}})
    assert ask(LIST) == []


def test_a_policy_is_deleted_by_its_name(ask: Asking) -> None:
    ask(PUT, {"document": AGENT})
    deleted = ask(DELETE, {"alertPolicyName": "agent down"})
    assert deleted == {"__typename": "DeleteAlertPolicySuccess", "alertPolicyName": "agent down"}
    assert ask(DELETE, {"alertPolicyName": "agent down"})["__typename"] == "PythonError"


def test_policies_of_a_job_are_those_that_would_tell_of_it(ask: Asking) -> None:
    mine = {"run_result_target": {"jobs": [{**PLACE, "job_name": "nightly"}]}}
    other = {"run_result_target": {"location_names": ["elsewhere"]}}
    for document in (job_policy("all"), job_policy("mine", mine), job_policy("other", other), AGENT):
        ask(PUT, {"document": document})
    job = {"jobName": "nightly", "repositoryName": "__repository__", "repositoryLocationName": "loc"}
    found = ask(sent_by_dg_api("alert_policy", "GetAlertPoliciesForJob"), job)
    assert [one["name"] for one in found] == ["all", "mine"]


def test_nothing_is_sent_so_there_are_no_notifications(ask: Asking) -> None:
    made = ask(PUT, {"document": AGENT})
    of_policy = ask(
        sent_by_dg_api("alert_policy", "GetAlertPolicyNotifications"), {"alertPolicyId": made["id"], "limit": 5}
    )
    assert of_policy == {"results": [], "cursor": None, "hasMore": False}
    of_run = ask(sent_by_dg_api("alert_policy", "GetRunAlertNotifications"), {"runId": "r"})
    assert of_run == {"__typename": "RunNotifications", "notifications": [], "alertPolicies": []}


def test_policies_belong_to_one_full_deployment_and_are_found_after_a_restart(tmp_path: Path) -> None:
    organization = Organization(tmp_path)
    ask = Asking(organization)
    staging = organization.deployments.create("staging")
    git = {"repoName": "data", "branchName": "x"}
    branch = organization.deployments.put_branch(organization.deployment, git, {"commitHash": "1", "timestamp": 1.0})
    ask(PUT, {"document": AGENT}, deployment=staging)
    assert ask(LIST) == [], "another deployment's policies are not this one's"
    refused = ask(PUT, {"document": AGENT}, deployment=branch)
    assert refused["__typename"] == "InvalidAlertPolicyError"
    organization.close()
    again = Organization(tmp_path)
    found = again.deployments.named("staging")
    assert found is not None
    assert [one.name for one in again.alert_policies.all(found)] == ["agent down"]
    again.deployments.delete(found.id)
    assert again.alert_policies.all(found) == [], "a deployment that is deleted leaves no policies"
    again.close()


def test_only_editors_change_policies(ask: Asking) -> None:
    for caller in (ask.user("VIEWER"), ask.user("LAUNCHER"), ask.agent()):
        assert ask(PUT, {"document": AGENT}, caller=caller)["__typename"] == "UnauthorizedError"
        assert ask(DELETE, {"alertPolicyName": "x"}, caller=caller)["__typename"] == "UnauthorizedError"
    assert ask(PUT, {"document": AGENT}, caller=ask.user("EDITOR"))["__typename"] == "AlertPolicy"


def test_the_example_of_the_docs_in_yaml_is_taken() -> None:
    document = yaml.safe_load("""
      name: ml team job alerts
      event_types: [JOB_SUCCESS, JOB_FAILURE, JOB_LONG_RUNNING]
      notification_service: {slack: {slack_workspace_name: mycompany, slack_channel_name: ml-alerts}}
      enabled: true
      alert_targets: [{long_running_job_threshold_target: {tags: [{key: team, value: ml}], threshold_seconds: 900}}]
      policy_options: {include_description_in_notification: true}
    """)
    assert faults(document) == []
