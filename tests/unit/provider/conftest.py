"""What tests of resources need: a call's surroundings that record, and a strict stand-in for Dagster+'s client."""

from __future__ import annotations

import copy
import itertools
import threading
from dataclasses import dataclass, field, replace

import pytest

from hybrid.plus import (
    Agent,
    AgentGrants,
    AgentToken,
    CodeLocationStatus,
    Deployment,
    EnvironmentVariable,
    Failure,
    PlusNotFound,
    Run,
)
from hybrid.provider.resource import Call
from hybrid.redaction import Token


@dataclass
class RecordingReport:
    said: list[tuple[str, str]] = field(default_factory=list)

    def status(self, text):
        self.said.append(("status", text))

    def info(self, text):
        self.said.append(("info", text))

    def warning(self, text):
        self.said.append(("warning", text))


class FakePlus:
    """Dagster+ in memory, as `hybrid.plus.PlusClient` shows it. ``fault`` is raised by the named methods."""

    def __init__(self):
        self.tokens: dict[int, AgentToken] = {}
        self.documents: dict[str, dict] = {}
        self.listed_agents: list[Agent] = []
        self.statuses: list[CodeLocationStatus] = []
        self.calls: list[str] = []
        self.agent_type = "HYBRID"
        self.variables: dict[str, EnvironmentVariable] = {}
        self.settings: dict = {}
        self.policies: dict[str, dict] = {}
        self.runs: list[Run] = []
        self.may_view = True
        self.faults: dict[str, Exception] = {}
        self._ids = itertools.count(7)

    def _called(self, name):
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]

    def agent_tokens(self):
        self._called("agent_tokens")
        return list(self.tokens.values())

    def agent_token(self, token_id):
        self._called("agent_token")
        if token_id not in self.tokens:
            raise PlusNotFound(f"no token {token_id}")
        return self.tokens[token_id]

    def create_agent_token(self, description):
        self._called("create_agent_token")
        made = AgentToken(next(self._ids), description, revoked=False, grants=AgentGrants(organization=True))
        self.tokens[made.id] = made
        return replace(made, token=Token(f"agent:test:{made.id:032x}"), grants=None)

    def revoke_agent_token(self, token_id):
        self._called("revoke_agent_token")
        if token_id not in self.tokens:
            return False
        self.tokens[token_id] = replace(self.tokens[token_id], revoked=True)
        return True

    def set_agent_grants(self, token_id, grants):
        self._called("set_agent_grants")
        self.tokens[token_id] = replace(self.tokens[token_id], grants=grants)
        return self.tokens[token_id]

    def location_documents(self):
        self._called("location_documents")
        return {name: dict(document) for name, document in self.documents.items()}

    def put_location(self, document):
        self._called("put_location")
        self.documents[document["location_name"]] = dict(document)
        return document["location_name"]

    def delete_location(self, name):
        self._called("delete_location")
        return self.documents.pop(name, None) is not None

    def current_deployment(self):
        self._called("current_deployment")
        return Deployment(1, "prod", "PRODUCTION", self.agent_type)

    def set_agent_type(self, agent_type):
        self._called("set_agent_type")
        self.agent_type = agent_type
        return Deployment(1, "prod", "PRODUCTION", agent_type)

    def environment_variables(self, *, values=False):
        self._called("environment_variables" + (" with values" if values else ""))
        shown = values and self.may_view
        return [variable if shown else replace(variable, value=None) for variable in self.variables.values()]

    def create_environment_variable(self, name, value, scopes, locations=()):
        self._called("create_environment_variable")
        return self._kept(f"v{next(self._ids)}", name, value, scopes, locations)

    def update_environment_variable(self, id, name, value, scopes, locations=()):
        self._called("update_environment_variable")
        return self._kept(id, name, value, scopes, locations)

    def _kept(self, id, name, value, scopes, locations):
        made = EnvironmentVariable(id, name, scopes, frozenset(locations), value, float(next(self._ids)))
        self.variables[id] = made
        return replace(made, value=None)

    def delete_environment_variable(self, id):
        self._called("delete_environment_variable")
        return self.variables.pop(id, None) is not None

    def deployment_settings(self):
        self._called("deployment_settings")
        return copy.deepcopy(self.settings)

    def update_deployment_settings(self, settings):
        self._called(f"update_deployment_settings {','.join(settings)}")
        self.settings |= copy.deepcopy(settings)
        return self.settings

    def alert_policies(self):
        self._called("alert_policies")
        return copy.deepcopy(self.policies)

    def put_alert_policy(self, document):
        self._called("put_alert_policy")
        self.policies[document["name"]] = copy.deepcopy(document)
        return document["name"]

    def delete_alert_policy(self, name):
        self._called("delete_alert_policy")
        return self.policies.pop(name, None) is not None

    def runs_in_progress(self):
        self._called("runs_in_progress")
        return list(self.runs)

    def terminate_run(self, run_id, *, force=False):
        self._called(f"terminate_run {run_id}")

    def agents(self):
        self._called("agents")
        return list(self.listed_agents)

    def code_locations(self):
        self._called("code_locations")
        return list(self.statuses)


class FakeClients:
    def __init__(self, plus):
        self.plus = plus

    def client(self, connection, call, *, patient=True):
        return self.plus


@pytest.fixture
def report():
    return RecordingReport()


@pytest.fixture
def call(report):
    return Call(report=report, cancelled=threading.Event())


@pytest.fixture
def plus():
    return FakePlus()


@pytest.fixture
def clients(plus):
    return FakeClients(plus)


@pytest.fixture
def connection():
    return {"url": "https://my-team.dagster.cloud", "organization": "my-team", "deployment": "prod"}


@pytest.fixture
def agent():
    """An agent by label, status and last heartbeat."""

    def made(label="local", status="RUNNING", heard=100.0, id="a1"):
        return Agent(id, label, status, heard, "ProcessUserCodeLauncher", {}, (), ())

    return made


@pytest.fixture
def location():
    """A location's status by name."""

    def made(name, load_status="LOADED", error=None, outdated=False, image=None, reported=None):
        failure = Failure(error, "  File x") if error else None
        return CodeLocationStatus(name, load_status, image, failure, 1.0, 1.0, 1.0, outdated, reported)

    return made
