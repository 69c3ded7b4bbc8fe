"""Each method: the request it sends, and what it makes of the answer.

The answers fit the public schema (tests/contracts/test_plus_operations.py). Whether Dagster+ gives them to a certain
token is not shown here. ``plus`` fails on a request that the test did not name (see conftest.py).
"""

from __future__ import annotations

import json
from uuid import UUID

import httpx
import pytest

from hybrid.errors import DagsterPlusError
from hybrid.plus import (
    AgentGrants,
    Patience,
    PlusAnswerLost,
    PlusForbidden,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    PlusUnauthorized,
    PlusUnreachable,
)

pytestmark = pytest.mark.unit

DOCUMENT = {
    "location_name": "hello",
    "image": "registry.example/hello@sha256:12",
    "code_source": {"module_name": "hello.definitions"},
}


def test_agents_are_told_with_their_type_heartbeat_errors_and_code_servers(plus, client):
    plus.expects("HybridAgents")
    running, dead = client.agents()
    assert (running.id, running.label, running.is_running) == ("5f0c6a54", "local", True)
    assert running.type == "ProcessUserCodeLauncher", "the type comes as JSON text, quotes and all"
    assert running.last_heartbeat == 1763722800.5
    assert running.errors[0].failure.message == "docker is not there"
    assert {server.location: server.status for server in running.code_servers} == {
        "hello": "RUNNING",
        "broken": "FAILED",
    }
    assert (dead.is_running, dead.label, dead.type) == (False, None, None)


def test_a_location_is_loaded_only_without_error_and_from_its_last_document(plus, client):
    plus.expects("HybridCodeLocations")
    locations = {location.name: location for location in client.code_locations()}
    assert [name for name, location in locations.items() if location.is_loaded] == ["hello"]
    assert locations["hello"].image == "registry.example/hello@sha256:12"
    assert locations["hello"].deployed_at == 1763722790.0
    assert locations["outdated"].is_outdated, "LOADED is said of the definitions before the last document, too"
    assert locations["just-put"].load_status == "LOADING", "its definitions are not there yet"


def test_a_location_that_fails_shows_its_traceback_down_to_the_cause(plus, client):
    plus.expects("HybridCodeLocations")
    error = next(location.error for location in client.code_locations() if location.name == "broken")
    assert error.message == "The code server failed"
    assert "Caused by:\nModuleNotFoundError: No module named 'nowhere'" in error.stack
    assert 'File "broken/defs.py", line 1' in error.stack


def test_a_workspace_that_does_not_load_is_an_error(plus, client):
    plus.expects("HybridCodeLocations.failed")
    with pytest.raises(PlusRejected, match="the workspace does not load"):
        client.code_locations()


def test_documents_are_told_by_location(plus, client):
    plus.expects("HybridLocationDocuments", "HybridLocationDocuments.empty")
    assert client.location_documents() == {"hello": DOCUMENT}
    assert client.location_documents() == {}, "a new deployment has no document at all"


def test_putting_a_location_sends_its_document_unchanged_and_may_be_repeated(plus, client):
    plus.expects("HybridPutLocation")
    assert client.put_location(DOCUMENT) == "hello"
    assert plus.requests[0].headers["Idempotency-Key"]


def test_an_invalid_document_is_refused_with_each_fault(plus, client):
    plus.expects("HybridPutLocation.invalid")
    with pytest.raises(PlusRejected) as refused:
        client.put_location(DOCUMENT)
    assert refused.value.errors == ["hello: unknown key 'imag'", "hello: no code source"]
    assert "Next: correct what it names" in str(refused.value)


def test_a_role_that_may_not_is_told_which_role_may(plus, client):
    plus.expects("HybridPutLocation.unauthorized")
    with pytest.raises(PlusForbidden, match="the role Editor or more") as refused:
        client.put_location(DOCUMENT)
    assert isinstance(refused.value, PlusUnauthorized), "who catches refused tokens catches refused roles"
    assert "User does not have permission" in str(refused.value)


def test_an_error_inside_dagster_plus_is_told_in_its_words(plus, client):
    plus.expects("HybridPutLocation.python")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.put_location(DOCUMENT)


def test_deleting_says_whether_there_was_something_to_delete(plus, client):
    plus.expects("HybridDeleteLocation")
    assert client.delete_location("hello") is True
    plus.expects("HybridDeleteLocation.absent", "HybridLocationDocuments")
    assert client.delete_location("gone") is False


def test_a_deletion_that_fails_is_not_taken_for_an_absent_location(plus, client):
    plus.expects("HybridDeleteLocation.fails", "HybridLocationDocuments")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.delete_location("hello")


def test_a_new_token_shows_its_value_to_code_only(plus, client):
    plus.expects("HybridCreateAgentToken")
    created = client.create_agent_token("hybrid/local")
    assert (created.id, created.description, created.revoked) == (7, "hybrid/local", False)
    assert created.token.reveal() == plus.issued
    assert plus.issued not in repr(created)
    assert "Idempotency-Key" not in plus.requests[0].headers, "a second creation makes a second token"


def test_tokens_are_listed_with_the_names_of_what_they_are_good_for(plus, client):
    plus.expects("HybridAgentTokens")
    whole, revoked, narrow = client.agent_tokens()
    assert whole.grants == AgentGrants(organization=True)
    assert (revoked.revoked, revoked.grants) == (True, AgentGrants())
    assert narrow.grants == AgentGrants(deployments=frozenset({"prod", "#99"}), all_branch_deployments=True), (
        "a deployment out of sight keeps its id; a grant that is not AGENT serves nothing"
    )
    assert narrow.token is None


def test_the_value_of_an_existing_token_is_not_even_asked_for(plus, client):
    plus.expects("HybridAgentTokens")
    client.agent_tokens()
    assert "token " not in json.loads(plus.requests[0].content)["query"]


def test_a_token_that_is_not_there_is_told_apart_from_an_error(plus, client):
    plus.expects("HybridAgentToken.absent", "HybridAgentTokens")
    with pytest.raises(PlusNotFound, match="no agent token 404"):
        client.agent_token(404)
    plus.expects("HybridAgentToken.fails", "HybridAgentTokens")
    with pytest.raises(PlusRejected, match="database is locked"):
        client.agent_token(7)


def test_revoking_says_whether_there_was_a_token(plus, client):
    plus.expects("HybridRevokeAgentToken", "HybridRevokeAgentToken.absent")
    assert client.revoke_agent_token(7) is True
    assert client.revoke_agent_token(404) is False


def test_grants_are_narrowed_by_granting_first_and_withdrawing_after(plus, client):
    plus.expects(
        "HybridAgentToken",
        "HybridGrantAgent.branches",
        "HybridGrantAgent.prod",
        "HybridWithdrawAgentGrant.organization",
        "HybridAgentToken.narrowed",
    )
    wanted = AgentGrants(deployments=frozenset({"prod"}), all_branch_deployments=True)
    assert client.set_agent_grants(7, wanted).grants == wanted


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_grants_compare_whatever_their_names_were_given_in(kind):
    assert AgentGrants(deployments=kind(["prod"])) == AgentGrants(deployments=frozenset({"prod"}))


def test_grants_are_widened_again(plus, client):
    plus.expects(
        "HybridAgentToken.narrowed",
        "HybridGrantAgent.organization",
        "HybridWithdrawAgentGrant.branches",
        "HybridWithdrawAgentGrant.prod",
        "HybridAgentToken",
    )
    client.set_agent_grants(7, AgentGrants(organization=True))


def test_grants_that_are_right_already_change_nothing(plus, client):
    plus.expects("HybridAgentToken")
    client.set_agent_grants(7, AgentGrants(organization=True))


def test_grants_that_did_not_take_are_an_error(plus, client):
    plus.expects(
        "HybridAgentToken",
        "HybridGrantAgent.branches",
        "HybridGrantAgent.prod",
        "HybridWithdrawAgentGrant.organization",
        "HybridAgentToken",
    )
    with pytest.raises(PlusRejected, match="other grants"):
        client.set_agent_grants(7, AgentGrants(deployments=frozenset({"prod"}), all_branch_deployments=True))


def test_a_grant_for_a_deployment_that_is_not_there_changes_nothing(plus, client):
    plus.expects("HybridAgentToken")
    with pytest.raises(PlusNotFound, match="'nowhere'") as missing:
        client.set_agent_grants(7, AgentGrants(deployments=frozenset({"nowhere"})))
    assert "prod, staging" in str(missing.value)


def test_the_organization_and_its_deployments_are_told(plus, client):
    plus.expects("HybridOrganization", "HybridDeployments", "HybridCurrentDeployment", "HybridPlan")
    assert client.organization().name == "acme"
    assert [(d.name, d.agent_type) for d in client.deployments()] == [("prod", "HYBRID"), ("staging", "SERVERLESS")]
    assert client.current_deployment().id == 1
    assert client.plan() == "ENTERPRISE"


def launch(client, **options):
    return client.launch_run(
        "hello",
        "greet",
        run_config={"ops": {"say": {"config": {"to": "you"}}}},
        tags={"dagster/partition": "2026-01-01"},
        **options,
    )


@pytest.fixture(autouse=True)
def one_mark_for_every_launch(monkeypatch):
    monkeypatch.setattr("uuid.uuid4", lambda: UUID("9b1f6c1e-6d5a-4a55-9a44-0c5d7f3f4f10"))


def test_a_run_whose_launch_got_no_answer_is_found_and_not_launched_again(plus, client, clock, waits):
    plus.expects("HybridLaunchRun", reply=httpx.ReadTimeout("no answer"))
    plus.expects("HybridRunsTagged.no-launch", "HybridRunsTagged.no-launch", "HybridRunsTagged.launch")
    assert launch(client, repository="__repository__") == "run-1", "Dagster+ was still at it"
    assert clock.slept == [2, 2], "it is asked at once, and then from time to time"
    assert "may have begun" in waits[0].reason, "a minute of silence looks like a command that hangs"


def test_a_launch_that_is_not_found_is_told_with_the_tag_to_look_for(plus, client):
    plus.expects("HybridLaunchRun", reply=httpx.Response(504))
    for _ in range(31):
        plus.expects("HybridRunsTagged.no-launch")
    with pytest.raises(PlusAnswerLost, match="took too long") as lost:
        launch(client, repository="__repository__")
    assert "hybrid/launch=9b1f6c1e" in lost.value.next_step, "who launches it again may have it twice"


def test_a_launch_stays_unknown_where_dagster_plus_is_gone_for_good(plus, connect):
    client = connect(patience=Patience.none())
    plus.expects("HybridLaunchRun", reply=httpx.ReadError("connection reset"))
    plus.expects("HybridRunsTagged.no-launch", reply=httpx.ConnectError("nobody there"))
    with pytest.raises(PlusAnswerLost, match="HybridLaunchRun") as lost:
        launch(client, repository="__repository__")
    assert "hybrid/launch=" in lost.value.next_step


def test_a_launch_that_never_left_is_not_looked_for(plus, connect):
    client = connect(patience=Patience.none())
    plus.expects("HybridLaunchRun", reply=httpx.ConnectError("nobody there"))
    with pytest.raises(PlusUnreachable) as unsent:
        launch(client, repository="__repository__")
    assert not isinstance(unsent.value, PlusAnswerLost)


def test_a_run_is_launched_in_the_repository_that_has_the_job(plus, client):
    plus.expects("HybridRepositories", "HybridLaunchRun")
    assert launch(client) == "run-1"


def test_a_run_is_launched_in_the_repository_that_was_named(plus, client):
    plus.expects("HybridLaunchRun")
    assert launch(client, repository="__repository__") == "run-1"


def test_a_job_that_is_not_there_is_told_with_those_that_are(plus, client):
    plus.expects("HybridRepositories", "HybridRepositories")
    with pytest.raises(PlusNotFound, match="Its jobs are: greet, wave"):
        client.launch_run("hello", "great")
    with pytest.raises(PlusNotFound, match="Loaded are: hello, two"):
        client.launch_run("helo", "greet")


def test_a_run_config_that_does_not_fit_is_told_fault_by_fault(plus, client):
    plus.expects("HybridLaunchRun.config")
    with pytest.raises(PlusRejected) as refused:
        launch(client, repository="__repository__")
    assert refused.value.errors == ['Missing required config entry "to"']


def test_launching_without_the_role_is_told_so(plus, client):
    plus.expects("HybridLaunchRun.unauthorized")
    with pytest.raises(PlusForbidden, match="the role Launcher or more"):
        launch(client, repository="__repository__")


def test_making_a_token_without_the_role_is_told_so(plus, client):
    plus.expects("HybridCreateAgentToken.unauthorized")
    with pytest.raises(PlusForbidden, match="the role Organization Admin"):
        client.create_agent_token("hybrid/local")


def test_a_run_is_told_as_it_stands(plus, client):
    plus.expects("HybridRun", "HybridRun.absent")
    run = client.run("run-1")
    assert (run.job, run.status, run.is_finished, run.ended_at, run.tags) == (
        "greet", "STARTED", False, None, {"a": "b"},
    )  # fmt: skip
    with pytest.raises(PlusNotFound, match="gone"):
        client.run("gone")


def test_events_come_page_by_page_until_there_are_no_more(plus, client):
    plus.expects("HybridRunEvents", "HybridRunEvents.second")
    start, line, failure = client.run_events("run-1")
    assert (start.timestamp, start.type, start.step) == (1763722800.123, "RUN_START", None)
    assert (line.type, line.level, line.step) == ("LOG", "WARNING", "say")
    assert failure.error.message == "ValueError: no one there"
    assert "greet.py" in failure.error.stack
    assert (start.cursor, failure.cursor) == ("c2", "c3")


def test_following_a_run_goes_on_after_the_cursor(plus, client):
    plus.expects("HybridRunEvents.second")
    assert [event.type for event in client.run_events("run-1", "c2")] == ["STEP_FAILURE"]


def test_a_run_is_ended_softly_unless_forced(plus, client):
    plus.expects("HybridTerminateRun", "HybridTerminateRun.fails")
    client.terminate_run("run-1")
    with pytest.raises(PlusRejected, match="already finished"):
        client.terminate_run("run-1", force=True)


QUESTIONS = (
    "HybridOrganization",
    "HybridDeployments",
    "HybridPermissions",
    "HybridAgentTokens",
    "HybridPlan",
    "HybridCurrentDeployment",
    "HybridDeploymentSettings",
)


def test_rights_tell_what_the_token_may_do(plus, client):
    plus.expects(*QUESTIONS)
    rights = client.rights()
    assert (rights.organization, rights.region, rights.plan) == ("acme", "us", "ENTERPRISE")
    assert (rights.can_launch_runs, rights.can_edit_locations, rights.can_list_agent_tokens) == (True, False, True)
    assert rights.unanswered == {}
    shown = json.loads(rights.as_json())
    assert shown["deployments"][1]["agent_type"] == "SERVERLESS"
    assert plus.issued not in rights.as_json(), "what is saved for a support case holds no secret"


def test_a_refused_question_is_an_answer(plus, client):
    forbidden = httpx.Response(403, json={"message": "no"})
    for question in QUESTIONS:
        case = "HybridAgentTokens.unauthorized" if question == "HybridAgentTokens" else question
        plus.expects(case, reply=None if question == "HybridAgentTokens" else forbidden)
    rights = client.rights()
    assert (rights.organization, rights.deployments, rights.can_list_agent_tokens) == (None, None, False)
    assert rights.can_edit_locations is None, "not known is not the same as not allowed"
    assert len(rights.unanswered) == len(QUESTIONS)


def test_a_token_that_is_not_accepted_has_no_rights_to_tell(plus, client):
    plus.expects("HybridOrganization", reply=httpx.Response(401, json={"message": "bad token"}))
    with pytest.raises(PlusUnauthorized) as refused:
        client.rights()
    assert not isinstance(refused.value, PlusForbidden)


@pytest.mark.parametrize(
    "data",
    [{}, {"agents": None}, {"agents": [{"id": "1"}]}, {"agents": ["x"]}],
    ids=["no field", "null", "half an agent", "not an object"],
)
def test_an_answer_of_another_form_is_an_error_of_ours_with_words(plus, client, data):
    plus.expects("HybridAgents", reply=httpx.Response(200, json={"data": data}))
    with pytest.raises(PlusProtocolError, match="a form that was not asked for"):
        client.agents()


def test_all_errors_are_dagster_plus_errors():
    assert issubclass(PlusForbidden, DagsterPlusError)
    assert PlusForbidden("x").exit_code == 8
