"""A checkout with a stack on ECS for tests of commands: moto in this process as its AWS, an organization in memory as
its Dagster+, and an engine that only records. What moto does not do is set by hand here: it starts no tasks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.moto_api import state_manager

from hybrid.cli import main
from hybrid.engine.engine import Engine, Outcome
from hybrid.engine.events import StepEnded
from hybrid.plus import Agent, AgentToken, CodeLocationStatus, Failure, PlusNotFound, Run
from tests.unit.cli.location_folders import make_locations

ACCOUNT, REGION, LABEL = "123456789012", "eu-central-1", "hybrid-prod"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
STACK = """\
config:
  hybrid:organization: acme
  # the agent of production
  hybrid:agent:
    kind: ecs  # Fargate
  hybrid:aws:
    account: "123456789012"
    region: eu-central-1
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@dataclass
class FakePlus:
    """One organization, all its deployments; as `hybrid.plus.PlusClient` shows it."""

    listed: list[Agent] = field(default_factory=list)
    documents: dict[str, dict[str, str]] = field(default_factory=lambda: {"prod": {}})
    """Image by location, by deployment."""
    reported: dict[str, dict[str, str]] = field(default_factory=dict)
    branches: list[str] = field(default_factory=list)
    tokens: list[AgentToken] = field(default_factory=list)
    found_runs: dict[str, Run] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def of(self, deployment: str) -> Client:
        return Client(self, deployment)


@dataclass
class Client:
    plus: FakePlus
    deployment: str

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _asks(self, what: str) -> None:
        self.plus.asked.append(f"{self.deployment} {what}")
        if what in self.plus.faults:
            raise self.plus.faults[what]

    def agents(self) -> list[Agent]:
        self._asks("agents")
        return list(self.plus.listed)

    def agent_tokens(self) -> list[AgentToken]:
        self._asks("agent_tokens")
        return list(self.plus.tokens)

    def current_deployment(self) -> Any:
        return SimpleNamespace(refuse_serverless=lambda: None)

    def deployments(self) -> list[Any]:
        self._asks("deployments")
        return [SimpleNamespace(name=name) for name in self.plus.documents if name not in self.plus.branches]

    def branch_deployments(self, limit: int) -> list[Any]:
        self._asks("branch_deployments")
        return [SimpleNamespace(deployment=SimpleNamespace(name=name)) for name in self.plus.branches][:limit]

    def location_documents(self) -> dict[str, dict[str, Any]]:
        self._asks("location_documents")
        return {name: {"image": image} for name, image in self.plus.documents[self.deployment].items()}

    def code_locations(self) -> list[CodeLocationStatus]:
        self._asks("code_locations")
        told, said = self.plus.documents[self.deployment], self.plus.reported.get(self.deployment, {})
        return [status(name, told.get(name), said.get(name)) for name in sorted({*told, *said})]

    def run(self, run_id: str) -> Run:
        if run_id not in self.plus.found_runs:
            raise PlusNotFound(f"There is no run {run_id}.")
        return self.plus.found_runs[run_id]


def status(name: str, image: str | None, reported: str | None = None) -> CodeLocationStatus:
    return CodeLocationStatus(name, "LOADED", image, None, 1.0, 1.0, 1.0, False, reported)


def agent(id: str = "a1", status: str = "RUNNING", label: str = LABEL, version: str = "1.13.27") -> Agent:
    return Agent(id, label, status, 100.0, "EcsUserCodeLauncher", {"version": version}, (), ())


def failure(text: str) -> Failure:
    return Failure(text, None)


@dataclass
class Updates:
    """What the engine was asked for. ``fault`` is raised by the next update."""

    commands: list[str] = field(default_factory=list)
    variables: list[dict[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """The stack's file at each update."""
    outputs: dict[str, Any] = field(default_factory=dict)
    fault: Exception | None = None
    changes: int = 1
    meanwhile: Callable[[], None] = lambda: None


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the locations alpha and beta and the stack prod."""
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text(STACK)
    make_locations(tmp_path, "alpha", "beta")
    return tmp_path


@pytest.fixture
def file(root: Path) -> Path:
    return root / "stacks" / "Pulumi.prod.yaml"


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", *arguments])
        code: object = 0
        try:
            main.run()
        except SystemExit as ended:
            code = ended.code
        out, err = capfd.readouterr()
        return Answer(code if isinstance(code, int) else int(code is not None), out, err)

    return run


@pytest.fixture
def plus(monkeypatch: pytest.MonkeyPatch) -> FakePlus:
    made = FakePlus()
    monkeypatch.setattr("hybrid.cli.dagster_plus.client_of", lambda who, **_: made.of(who.endpoint.deployment))
    return made


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch, file: Path) -> Updates:
    seen = Updates()

    def run(self: Engine, command: str, listener: object, targets: object = (), policy_packs: object = ()) -> Outcome:
        seen.commands.append(command)
        seen.variables.append({name: value for name, value in self._given.items() if "ROTATION" in name})
        seen.files.append(file.read_text())
        seen.meanwhile()
        if seen.fault is not None:
            raise seen.fault
        step = SimpleNamespace(operation="update", failed=False, spec=StepEnded)
        return Outcome(steps=[step] * seen.changes)  # type: ignore[list-item]

    monkeypatch.setattr(Engine, "__init__", _made_of_nothing)
    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr(Engine, "outputs_of", lambda self, name: seen.outputs.get(name, {}))
    monkeypatch.setattr("hybrid.cli.tools.pulumi_with_progress", lambda: None)
    return seen


def _made_of_nothing(self: Engine, *arguments: Any) -> None:
    self._given = arguments[3]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """AWS in memory, with the stack's cluster and the agent's service in it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_ACCOUNT_ID": ACCOUNT,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        # without it a task stops at the second look
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 10_000})
        try:
            yield Cluster()
        finally:
            state_manager.unset_transition("ecs::task")


@cache
def _client(service: str) -> Any:
    """One for all tests: moto stands behind each, anew for each."""
    return boto3.client(service, REGION)  # type: ignore[call-overload]


class Cluster:
    """The stack's cluster in moto."""

    name = "hybrid-prod"

    def __init__(self) -> None:
        self.ecs, self.ecr, self.logs = (_client(service) for service in ("ecs", "ecr", "logs"))
        self.ecs.create_cluster(clusterName=self.name)

    @cached_property
    def _network(self) -> dict[str, Any]:
        ec2 = _client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        return {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], "securityGroups": [group]}}

    def definition(self, family: str, image: str, variables: Mapping[str, str] | None = None) -> str:
        container = {
            "name": "agent" if "agent" in family else "dagster",
            "image": image,
            "memory": 1024,  # moto runs no task without it
            "environment": [{"name": name, "value": value} for name, value in (variables or {}).items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "g", "awslogs-region": REGION, "awslogs-stream-prefix": family},
            },
        }
        made = self.ecs.register_task_definition(
            family=family,
            containerDefinitions=[container],
            cpu="256",
            memory="1024",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def service(self, name: str, definition: str, tags: Mapping[str, str], running: int = 1) -> str:
        made = self.ecs.create_service(
            cluster=self.name,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=running,
            launchType="FARGATE",
            tags=_pairs(tags),
        )
        if running:  # moto's way of having it run
            self.ecs.update_service(cluster=self.name, service=name, desiredCount=running)
        return str(made["service"]["serviceArn"])

    def agent(self, image: str, running: int = 1, variables: Mapping[str, str] | None = None) -> str:
        definition = self.definition("hybrid-prod-agent", image, variables)
        return self.service("hybrid-prod-agent", definition, {"dagster-hybrid/stack": "hybrid-prod"}, running)

    def server(self, name: str, location: str, image: str, agent: str, **tags: str) -> str:
        definition = self.definition(f"hybrid-prod-s_acme_prod_{location}", image)
        given = {
            "dagster-hybrid/stack": "hybrid-prod",
            "dagster/agent_id": agent,
            "dagster/location_name": location,
            "dagster/deployment_name": "prod",
            **tags,
        }
        return self.service(name, definition, given)

    def task(self, definition: str, tags: Mapping[str, str]) -> str:
        made = self.ecs.run_task(
            cluster=self.name,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self._network,
            tags=_pairs(tags),
        )
        return str(made["tasks"][0]["taskArn"])

    def say(self, group: str, stream: str, lines: Mapping[int, str]) -> None:
        """Lines by their moment, in milliseconds since the epoch."""
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName=group)
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": moment, "message": text} for moment, text in lines.items()]
        self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in tags.items()]
