"""Dagster+ asked by a token that may see much or little: what is refused is told, and no value is asked for."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from hybrid.plus import (
    Agent,
    CodeLocationStatus,
    Deployment,
    Endpoint,
    EnvironmentVariable,
    Failure,
    PlusForbidden,
    PlusUnauthorized,
    Rights,
    Run,
    Scopes,
)
from hybrid.plus.assets import RepositoryResources
from hybrid.plus.automation import Automations, Instigation
from hybrid.plus.inspection import ServerlessState
from hybrid.switch.organization_reader import read_organization

pytestmark = pytest.mark.unit

PROD = Deployment(1, "prod", "PRODUCTION", "SERVERLESS")


class Client:
    """Answers as ``PlusClient`` does; what is among ``refused`` is not for this token. Anything else that is asked,
    such as variables with their values, is an error."""

    endpoint = Endpoint.of("acme", "prod")

    def __init__(self, refused: set[str] = frozenset(), **answers: Any) -> None:  # type: ignore[assignment]
        self.refused = refused
        self.answers: dict[str, Any] = {
            "current_deployment": PROD,
            "location_documents": {"quick": {"location_name": "quick", "image": "x"}, "bad": {"location_name": "bad"}},
            "code_locations": [
                status("quick"),
                status("bad", error=Failure("ImportError: no module\nmore", "stack")),
                status("gone"),
            ],
            "rights": rights(),
            "automations": Automations((instigation("nightly"),), automation_paused=True, use_sensors=True),
            "asset_counts": {"quick": 3},
            "repository_resources": [RepositoryResources("quick", "r", frozenset(), {"io_manager": "x.Lake"})],
            "environment_variables": [
                EnvironmentVariable("1", "KEY", Scopes(full_deployment=True, local=True), frozenset({"quick"}))
            ],
            "serverless": ServerlessState("ACTIVE", "host/x", True, True, "", None),
            "runs_in_progress": [run("a"), run("b", {"dagster/isolation": "disabled"})],
            "backfills_at_work": [],
            "runs_tagged": [],
            "branch_deployments": [],
            "agents": [Agent("1", "s", "RUNNING", 5.0, "ServerlessLauncher", {"version": "1.13.27"}, (), ())],
            "alert_policies": {"p": {"event_types": ["AGENT_UNAVAILABLE"], "notification_service": {"slack": "x"}}},
        } | answers

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise AttributeError(name)

        def answer(*arguments: Any) -> Any:
            if name in self.refused:
                raise PlusForbidden(f"not {name}")
            found = self.answers[name]
            if isinstance(found, Exception):
                raise found
            return found

        return answer


def status(name: str, **changes: Any) -> CodeLocationStatus:
    values = {"load_status": "LOADED", "image": None, "error": None, "updated_at": 0.0, "deployed_at": 0.0}
    return CodeLocationStatus(name, **(values | {"data_updated_at": 0.0, "is_outdated": False} | changes))


def instigation(name: str) -> Instigation:
    return Instigation("schedule", "quick", "r", name, True, False, True, "s", "t")


def run(name: str, tags: dict[str, str] | None = None) -> Run:
    return Run(name, "job", "STARTED", 1.0, None, tags or {}, "quick")


def rights(**changes: Any) -> Rights:
    values: dict[str, Any] = {
        "url": "u",
        "region": None,
        "is_agent_token": False,
        "organization": "acme",
        "organization_status": "ACTIVE",
        "plan": "ENTERPRISE",
        "deployment": PROD,
        "deployments": (PROD,),
        "can_list_agent_tokens": True,
        "can_edit_locations": True,
        "can_launch_runs": True,
        "permissions": {},
        "deployment_settings": {"run_queue": {"max_concurrent_runs": 3}},
    }
    return Rights(**(values | changes))


def test_all_that_dagster_plus_tells_is_there() -> None:
    found = read_organization(Client())  # type: ignore[arg-type]
    bad, quick = found.locations
    assert (quick.assets, quick.has_own_io_manager, quick.status) == (3, True, "LOADED")
    assert (bad.assets, bad.has_own_io_manager, bad.status) == (None, None, "FAILED")
    assert bad.error == "ImportError: no module", "one line of it; the traceback is in Dagster+"
    (one,) = found.variables or []
    assert (one.name, one.scopes, one.locations) == ("KEY", ["full deployments", "local"], ["quick"])
    assert [each.is_isolated for each in found.runs or []] == [True, False]
    assert [each.name for each in found.on()] == ["nightly"]
    assert (found.rights.may_switch, found.plan, found.automates_assets) == (True, "ENTERPRISE", False)
    assert [each.version for each in found.agents or []] == ["1.13.27"]
    assert found.unanswered == {}
    assert "slack" not in json.dumps(found.matters()), "where alerts go to is nobody's business here"


QUESTIONS = {
    "automations": ("schedules_and_sensors", "instigators"),
    "environment_variables": ("variables", "variables"),
    "serverless": ("serverless", "serverless"),
    "runs_in_progress": ("runs", "runs"),
    "backfills_at_work": ("backfills", "backfills"),
    "runs_tagged": ("non_isolated_runs", "recent_non_isolated"),
    "branch_deployments": ("branches", "branches"),
    "agents": ("agents", "agents"),
    "alert_policies": ("alert_policies", "policies"),
}


@pytest.mark.parametrize("call", QUESTIONS)
def test_a_question_that_is_refused_is_told_and_the_others_are_asked(call: str) -> None:
    question, field = QUESTIONS[call]
    found = read_organization(Client({call}))  # type: ignore[arg-type]
    assert getattr(found, field) is None, "not known is not the same as none"
    assert found.unanswered == {question: f"not {call}"}
    assert len(found.locations) == 2


def test_a_token_that_sees_no_variables_is_known_to() -> None:
    assert not read_organization(Client({"environment_variables"})).rights.may_see_variables  # type: ignore[arg-type]


def test_what_rights_could_not_be_asked_is_told_too() -> None:
    few = rights(unanswered={"plan": "refused"}, plan=None, deployments=None, organization=None)
    found = read_organization(Client(rights=few))  # type: ignore[arg-type]
    assert found.unanswered == {"plan": "refused"}
    assert (found.deployments, found.has_queues, found.rights.may_switch) == (None, None, None)


@pytest.mark.parametrize("call", ["current_deployment", "location_documents", "code_locations"])
def test_without_the_deployment_there_is_nothing_to_tell(call: str) -> None:
    with pytest.raises(PlusForbidden):
        read_organization(Client({call}))  # type: ignore[arg-type]


def test_a_token_that_is_not_accepted_at_all_is_an_error() -> None:
    with pytest.raises(PlusUnauthorized):
        read_organization(Client(agents=PlusUnauthorized("no")))  # type: ignore[arg-type]


def test_secrets_in_documents_and_settings_are_masked() -> None:
    token = secrets.token_hex(16)
    document = {"location_name": "quick", "container_context": {"ecs": {"env_vars": [f"API_TOKEN={token}", "A=b"]}}}
    settings = rights(deployment_settings={"sso": {"client_secret": token}})
    found = read_organization(Client(location_documents={"quick": document}, rights=settings))  # type: ignore[arg-type]
    text = json.dumps(found.matters())
    assert token not in text
    assert "API_TOKEN=" in text
    assert "A=b" in text
