"""The calls about deployments, settings, environment variables and alert policies: the request that each sends, what
it makes of the answer, and that no answer and no error shows a value.

The answers fit the public schema (tests/contracts/test_plus_operations.py). Whether Dagster+ gives them to a certain
token is not shown here.
"""

from __future__ import annotations

import copy
import functools
import logging
import traceback

import pytest

from hybrid.plus import (
    Branch,
    Commit,
    EnvironmentVariable,
    PlusForbidden,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    Scopes,
)
from hybrid.plus.environment_variables import unspoken
from hybrid.redaction import MASK, Token

pytestmark = pytest.mark.unit

SCOPES = Scopes(full_deployment=True, local=True)
COMMIT = Commit("a" * 40, 1763722800.0, "Add an asset", "https://example.com/c/a", "author", "author@example.com")
BRANCH = Branch(
    repository="acme/data",
    name="feature",
    url="https://example.com/tree/feature",
    pull_request_number="7",
    pull_request_url="https://example.com/7",
    pull_request_status="OPEN",
)
POLICY = {
    "name": "agent-away",
    "event_types": ["AGENT_UNAVAILABLE"],
    "notification_service": {"email": {"email_addresses": ["a@example.com"]}},
}


def test_variables_are_told_with_their_scopes_and_without_values(plus, client):
    plus.expects("HybridEnvironmentVariables")
    narrow, wide = client.environment_variables()
    assert (wide.name, wide.scopes, wide.locations) == ("WAREHOUSE", Scopes(full_deployment=True), frozenset())
    assert (narrow.name, narrow.scopes) == ("API_KEY", Scopes(branch_deployment="feature"))
    assert narrow.locations == {"hello"}
    assert (narrow.value, wide.value) == (None, None), "nobody asked for them"


def test_values_travel_as_tokens_and_only_those_that_may_be_viewed(plus, client):
    plus.expects("HybridEnvironmentVariableValues")
    narrow, wide = client.environment_variables(values=True)
    assert wide.value == Token(plus.issued)
    assert plus.issued not in repr(wide)
    assert narrow.value is None, "an empty text stands for what the token may not view"


def test_a_role_that_may_not_list_variables_is_told_which_may(plus, client):
    plus.expects("HybridEnvironmentVariables.unauthorized")
    with pytest.raises(PlusForbidden, match="the role Editor or more"):
        client.environment_variables()


def test_no_answer_at_all_is_an_error_and_not_an_empty_list(plus, client):
    plus.expects("HybridEnvironmentVariables.nothing")
    with pytest.raises(PlusProtocolError, match="with nothing"):
        client.environment_variables()


def test_a_variable_is_made_and_changed_with_all_that_it_is(plus, client):
    value = Token(plus.issued)
    plus.expects("HybridCreateEnvironmentVariable", "HybridUpdateEnvironmentVariable")
    made = client.create_environment_variable("WAREHOUSE", value, SCOPES, {"hello", "a"})
    assert (made.id, made.scopes, made.locations) == ("s-1", SCOPES, {"hello", "a"})
    assert client.update_environment_variable("s-1", "WAREHOUSE", value, SCOPES, {"hello", "a"}) == made
    first, second = plus.requests
    assert "Idempotency-Key" not in first.headers, "a second creation would fail, or make a second one"
    assert second.headers["Idempotency-Key"]


@pytest.mark.parametrize("operation", ["HybridCreateEnvironmentVariable", "HybridUpdateEnvironmentVariable"])
@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("invalid", PlusRejected, "correct the environment variable's name"),
        ("many", PlusRejected, "There are 1000 already"),
        ("unauthorized", PlusForbidden, "the role Editor"),
        ("python", PlusRejected, "cannot store"),
    ],
)
def test_each_refusal_of_a_variable_has_words_and_no_value(plus, client, caplog, operation, case, error, words):
    caplog.set_level(logging.DEBUG)
    value = Token(plus.issued)
    plus.expects(f"{operation}.{case}")
    calls = {
        "HybridCreateEnvironmentVariable": client.create_environment_variable,
        "HybridUpdateEnvironmentVariable": functools.partial(client.update_environment_variable, "s-1"),
    }
    with pytest.raises(error, match=words) as refused:
        calls[operation]("WAREHOUSE", value, SCOPES, ["a", "hello"])
    shown = "".join(traceback.format_exception(refused.value)) + repr(vars(refused.value)) + caplog.text
    assert plus.issued not in shown


def test_a_value_too_short_to_be_redacted_everywhere_is_redacted_in_its_own_refusal():
    with pytest.raises(PlusRejected) as refused, unspoken(Token("x9")):
        raise PlusRejected("The value x9 is wrong.", errors=["'x9' is too short, give x99"], next_step="give another.")
    assert str(refused.value) == f"The value {MASK} is wrong.\n'{MASK}' is too short, give x99\nNext: give another."
    assert refused.value.errors == [f"'{MASK}' is too short, give x99"]


def test_deleting_a_variable_says_whether_there_was_one(plus, client):
    plus.expects("HybridDeleteEnvironmentVariable")
    assert client.delete_environment_variable("s-1") is True
    plus.expects("HybridDeleteEnvironmentVariable.absent", "HybridEnvironmentVariables")
    assert client.delete_environment_variable("s-9") is False
    plus.expects("HybridDeleteEnvironmentVariable.fails", "HybridEnvironmentVariables")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.delete_environment_variable("s-1")
    plus.expects("HybridDeleteEnvironmentVariable.unauthorized")
    with pytest.raises(PlusForbidden):
        client.delete_environment_variable("s-1")


def test_scopes_overlap_where_some_place_has_both():
    assert SCOPES.overlaps(Scopes(local=True))
    assert Scopes(branch_deployment="a").overlaps(Scopes(branch_deployment="a"))
    assert not Scopes(branch_deployment="a").overlaps(Scopes(branch_deployment="b", all_branch_deployments=True))
    assert not Scopes().overlaps(Scopes()), "two variables that are nowhere do not meet"


def test_a_variable_of_one_location_may_stand_beside_that_of_all():
    everywhere = EnvironmentVariable("1", "A", Scopes(full_deployment=True), frozenset())
    assert not everywhere.shares_place_with(Scopes(full_deployment=True), frozenset({"hello"})), "it goes before it"
    assert everywhere.shares_place_with(Scopes(full_deployment=True, local=True), frozenset())
    assert not everywhere.shares_place_with(Scopes(local=True), frozenset())


def test_settings_are_sent_by_key_and_answered_whole(plus, client):
    plus.expects("HybridUpdateDeploymentSettings")
    kept = client.update_deployment_settings({"run_queue": {"max_concurrent_runs": 7}})
    assert kept == {"run_queue": {"max_concurrent_runs": 7}, "sso_default_role": "VIEWER"}


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("absent", PlusNotFound, "There is no deployment prod"),
        ("duplicate", PlusRejected, "prod is there twice"),
        ("final", PlusRejected, "prod is the last one"),
        ("python", PlusRejected, "Unknown key run_queu"),
        ("unauthorized", PlusForbidden, "the role Admin or more"),
    ],
)
def test_each_refusal_of_settings_has_words(plus, client, case, error, words):
    plus.expects(f"HybridUpdateDeploymentSettings.{case}")
    with pytest.raises(error, match=words):
        client.update_deployment_settings({"run_queue": {"max_concurrent_runs": 7}})


def test_an_organization_without_settings_has_none(plus, client):
    plus.expects("HybridOrganizationSettings", "HybridOrganizationSettings.none")
    assert client.organization_settings() == {"sso_default_role": "VIEWER"}
    assert client.organization_settings() == {}


def test_the_agent_type_is_set_on_the_deployment_of_the_endpoint(plus, client):
    plus.expects("HybridCurrentDeployment", "HybridSetAgentType")
    assert client.set_agent_type("HYBRID").agent_type == "HYBRID"


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("unchanged", PlusRejected, "is still SERVERLESS"),
        ("absent", PlusNotFound, "There is no deployment 1"),
        ("unauthorized", PlusForbidden, "Organization Admin"),
        ("python", PlusRejected, "database is locked"),
    ],
)
def test_a_switch_that_did_not_happen_is_an_error(plus, client, case, error, words):
    plus.expects("HybridCurrentDeployment", f"HybridSetAgentType.{case}")
    with pytest.raises(error, match=words):
        client.set_agent_type("HYBRID")


def test_a_deployment_is_made_once(plus, client):
    plus.expects("HybridCreateDeployment")
    assert client.create_deployment("staging").agent_type == "HYBRID"
    assert "Idempotency-Key" not in plus.requests[0].headers


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("duplicate", PlusRejected, "choose another name"),
        ("limit", PlusRejected, "larger plan"),
        ("absent", PlusNotFound, "no deployment to inherit from"),
        ("unauthorized", PlusForbidden, "Organization Admin"),
        ("python", PlusRejected, "database is locked"),
    ],
)
def test_each_refusal_of_a_deployment_has_words(plus, client, case, error, words):
    plus.expects(f"HybridCreateDeployment.{case}")
    with pytest.raises(error, match=words):
        client.create_deployment("staging")


def test_deleting_a_deployment_says_whether_there_was_one(plus, client):
    plus.expects("HybridDeleteDeployment", "HybridDeleteDeployment.absent")
    assert client.delete_deployment(2) is True
    assert client.delete_deployment(2) is False
    plus.expects("HybridDeleteDeployment.final")
    with pytest.raises(PlusRejected, match="an organization needs one"):
        client.delete_deployment(2)
    plus.expects("HybridDeleteDeployment.unauthorized")
    with pytest.raises(PlusForbidden):
        client.delete_deployment(2)
    plus.expects("HybridDeleteDeployment.python")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.delete_deployment(2)


def test_branch_deployments_are_told_with_their_branch_as_far_as_it_is_known(plus, client):
    plus.expects("HybridBranchDeployments")
    known, unknown = client.branch_deployments()
    assert (known.deployment.name, known.parent, known.repository, known.branch, known.pull_request_status) == (
        "0f3a", "prod", "acme/data", "feature", "OPEN",
    )  # fmt: skip
    assert (unknown.parent, unknown.branch, unknown.latest_commit) == (None, None, None)
    assert (known.pull_request_number, known.latest_commit) == ("7", COMMIT)


def test_a_branch_deployment_is_put_with_its_base_named(plus, client):
    plus.expects("HybridPutBranchDeployment")
    made = client.put_branch_deployment(BRANCH, COMMIT)
    assert (made.deployment.name, made.latest_commit) == ("0f3a", COMMIT)
    assert plus.requests[0].headers["Idempotency-Key"], "put twice it is one"


@pytest.mark.parametrize(
    ("case", "words"), [("full", "of type PRODUCTION"), ("other_base", "based on staging; wanted is acme/data, based")]
)
def test_an_answer_that_is_not_that_branch_deployment_is_refused(plus, client, case, words):
    plus.expects(f"HybridPutBranchDeployment.{case}")
    with pytest.raises(PlusRejected, match=words):
        client.put_branch_deployment(BRANCH, COMMIT)


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("absent", PlusNotFound, "no full deployment prod"),
        ("limit", PlusRejected, "larger plan"),
        ("unauthorized", PlusForbidden, "the role Editor or more"),
        ("python", PlusRejected, "database is locked"),
    ],
)
def test_each_refusal_of_a_branch_deployment_has_words(plus, client, case, error, words):
    plus.expects(f"HybridPutBranchDeployment.{case}")
    with pytest.raises(error, match=words):
        client.put_branch_deployment(BRANCH, COMMIT)


def test_a_deployment_asked_for_by_name_says_what_it_is(plus, client):
    plus.expects("HybridDeploymentByName", "HybridDeploymentByName.full", "HybridDeploymentByName.absent")
    assert client.deployment_named("0f3a").is_of("acme/data", "feature", "prod")
    assert not client.deployment_named("prod").is_of("acme/data", "feature", "prod"), "a full deployment is none"
    assert client.deployment_named("0f3a") is None
    plus.expects("HybridDeploymentByName.unauthorized")
    with pytest.raises(PlusForbidden):
        client.deployment_named("0f3a")


def test_alert_policies_are_told_by_name(plus, client):
    plus.expects("HybridAlertPolicies", "HybridAlertPolicies.none")
    assert client.alert_policies() == {"agent-away": POLICY}
    assert client.alert_policies() == {}, "a new deployment has no document at all"


def test_one_alert_policy_is_put_without_the_others(plus, client):
    document = copy.deepcopy(POLICY)
    plus.expects("HybridPutAlertPolicy")
    assert client.put_alert_policy(document) == "agent-away"
    assert document == POLICY


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("invalid", PlusRejected, "event_types: unknown AGENT_GONE"),
        ("unauthorized", PlusForbidden, "the role Editor"),
        ("python", PlusRejected, "database is locked"),
    ],
)
def test_each_refusal_of_an_alert_policy_has_words(plus, client, case, error, words):
    plus.expects(f"HybridPutAlertPolicy.{case}")
    with pytest.raises(error, match=words):
        client.put_alert_policy(POLICY)


def test_deleting_an_alert_policy_says_whether_there_was_one(plus, client):
    plus.expects("HybridDeleteAlertPolicy")
    assert client.delete_alert_policy("agent-away") is True
    plus.expects("HybridDeleteAlertPolicy.absent", "HybridAlertPolicies")
    assert client.delete_alert_policy("gone") is False
    plus.expects("HybridDeleteAlertPolicy.fails", "HybridAlertPolicies")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.delete_alert_policy("agent-away")
    plus.expects("HybridDeleteAlertPolicy.unauthorized")
    with pytest.raises(PlusForbidden):
        client.delete_alert_policy("agent-away")


def test_a_ping_that_nobody_answers_is_an_error(plus, client):
    plus.expects("HybridPingLocation", "HybridPingLocation.python")
    client.ping_location("hello")
    with pytest.raises(PlusRejected, match="no agent answered"):
        client.ping_location("hello")


def test_runs_in_progress_have_the_location_that_anything_tells(plus, client):
    plus.expects("HybridRunsInProgress")
    assert [(run.id, run.status, run.location) for run in client.runs_in_progress()] == [
        ("r3", "STARTED", "hello"),
        ("r2", "QUEUED", "other"),
        ("r1", "STARTING", None),
    ]


def test_runs_in_progress_are_told_page_by_page(plus, client):
    plus.expects("HybridRunsInProgress.full", "HybridRunsInProgress.second")
    assert len(client.runs_in_progress()) == 101


@pytest.mark.parametrize("case", ["python", "filter"])
def test_runs_that_cannot_be_told_are_not_taken_for_none(plus, client, case):
    plus.expects(f"HybridRunsInProgress.{case}")
    with pytest.raises(PlusRejected):
        client.runs_in_progress()
