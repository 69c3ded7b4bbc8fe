"""What came with the provider's second part, on the real engine: against the embedded Dagster+, and `AgentDrain`
against a stand-in that has the runs that the test wants.

`pulumi import` writes into state here. The code that it writes beside comes from Pulumi's own generator, which hosts
built from Go modules lack: GENERATED is what the engine's generator (v3.259) made of these imports, and must run.
"""

from __future__ import annotations

import http.server
import json
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hybrid.plus import AgentGrants, PlusRejected, Scopes
from hybrid.redaction import Token

pytestmark = pytest.mark.program

SECOND_PART = """
EnvironmentVariable("warehouse", EnvironmentVariableArgs(connection=DAGSTER_PLUS, name="WAREHOUSE",
    value=VALUE, scopes=EnvironmentVariableScopes(full_deployment=True)), AFTER)
SETTINGS = DeploymentSettings("settings", DeploymentSettingsArgs(connection=DAGSTER_PLUS,
    settings={"run_queue": {"max_concurrent_runs": 7}}, agent_type="HYBRID", allow_agent_type_change=ALLOWED), AFTER)
AlertPolicy("away", AlertPolicyArgs(connection=DAGSTER_PLUS, name="agent-away",
    document={"event_types": ["AGENT_UNAVAILABLE"], "enabled": True},
    notification_service={"pagerduty": {"integration_key": VALUE}}), AFTER)
pulumi.export("runBy", SETTINGS.run_by)
"""

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


@pytest.fixture
def value(project):
    """A secret that reaches the program as secrets do: by an environment variable, and is in no file of the test."""
    made = secrets.token_hex(16)
    project.environment["VALUE_OF_A_TEST"] = made
    return made


@pytest.fixture
def emulator(emulator, value):
    """That stands the embedded Dagster+ up, and the secret."""
    return f"""
import os
{emulator}VALUE = os.environ["VALUE_OF_A_TEST"]
ALLOWED = False
"""


def test_variables_settings_and_alerts_through_their_whole_life(project, emulator, plus, value):
    project.declare(emulator + SECOND_PART)
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

        project.declare(emulator)
        said += project.up()
        assert "3 deleted" in said
        assert client.environment_variables() == []
        assert client.alert_policies() == {}
        assert client.deployment_settings()["run_queue"]["max_concurrent_runs"] == 7, "settings stay as they are"
    for text in (said, kept, project.state_text()):
        assert value not in text
        assert "by-hand-since" not in text, "nor is a value shown that drift brought"
    assert "ciphertext" in kept


def test_a_variable_of_somebody_else_is_refused_until_it_is_imported(project, emulator, plus, port, value):
    project.declare(emulator)
    project.up()
    with plus() as client:
        theirs = client.create_environment_variable(
            "WAREHOUSE", Token("theirs-since-long"), Scopes(full_deployment=True)
        )
        program = emulator + SECOND_PART
        project.declare(program)

        said = project.up(succeeds=False)

        assert "There is an environment variable WAREHOUSE already" in said
        assert f"pulumi import dagsterhybrid:index:EnvironmentVariable warehouse local/prod/{theirs.id}" in said
        assert client.environment_variables(values=True)[0].value == Token("theirs-since-long")

        _speak_to(project, port)
        _import(project, "EnvironmentVariable", "warehouse", f"local/prod/{theirs.id}")
        said = project.up()
        assert "updated" in said
        (kept,) = client.environment_variables(values=True)
        assert (kept.id, kept.value) == (theirs.id, Token(value)), "the same variable, with the program's value"
        assert "theirs-since-long" not in said + project.state_text()


def test_a_switch_is_shown_refused_and_made_only_when_it_is_allowed(project, emulator, plus):
    project.declare(emulator + SECOND_PART)
    project.up()
    with plus() as client:
        client.set_agent_type("SERVERLESS")

        assert "agentType" in project.pulumi("preview", "--refresh", "--diff")
        refused = project.up(succeeds=False)
        assert "is run by SERVERLESS, and the program says HYBRID" in refused
        assert client.current_deployment().agent_type == "SERVERLESS", "nothing happens in passing"

        project.declare(emulator.replace("ALLOWED = False", "ALLOWED = True") + SECOND_PART)
        assert "handing 'prod' from SERVERLESS to HYBRID" in project.up()
        assert client.current_deployment().agent_type == "HYBRID"


@pytest.mark.slow
def test_what_is_there_is_imported_by_its_id_and_the_code_for_it_runs(project, emulator, plus, port, value):
    project.declare(emulator)
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
    _speak_to(project, port)

    refused = _import(project, "AgentToken", "mine", f"local/prod/{token.id}", succeeds=False)
    assert "shows a token's value only when it is made" in refused
    project.environment["DAGSTER_CLOUD_AGENT_TOKEN"] = token.token.reveal()
    said = _import(project, "AgentToken", "mine", f"local/prod/{token.id}")
    said += _import(project, "CodeLocation", "found", "local/prod/found")
    said += _import(project, "EnvironmentVariable", "warehouse", "local/prod/WAREHOUSE")
    said += _import(project, "DeploymentSettings", "prod", "local/prod")
    said += _import(project, "AlertPolicy", "away", "local/prod/agent-away")
    assert "failed to validate" not in said, "what was read is what the program may give"

    written = """{
        "run_queue": {
            "max_concurrent_runs": 3,
        },
    }"""
    assert written in GENERATED
    generated = GENERATED.replace(written, repr(settings))  # with the defaults that the embedded Dagster+ keeps
    project.declare(f'{emulator}URL = "http://127.0.0.1:{port}"\n{generated}')
    said += project.up()
    assert "7 unchanged" in said, "the code says what is there"
    assert value not in said + project.state_text()
    assert token.token.reveal() not in said + project.state_text()


def test_the_embedded_dagster_plus_answers_what_no_resource_asks(project, emulator, plus):
    project.declare(emulator)
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


def test_the_schema_is_whole_for_pulumi_itself(project):
    from hybrid.workspace import Workspace

    plugin = Workspace.of_this_checkout().root / "hybrid" / "provider" / "plugin" / "pulumi-resource-dagsterhybrid"
    schema = json.loads(project.pulumi("package", "get-schema", str(plugin)))

    assert {token.rpartition(":")[2] for token in schema["resources"]} == {
        "AgentDrain", "AgentReady", "AgentToken", "AlertPolicy", "AzureDrain", "BuildFile", "CodeLocation",
        "ContainerState", "ContainerSweep", "DeploymentSettings", "EcsDrain", "EcsLaunchCheck", "EcsServiceState",
        "EnvironmentVariable",
        "KubernetesAgentState", "KubernetesDrain", "KubernetesLaunchCheck", "LocationCheck", "LocationImage", "Process",
        "PublishedImage", "VirtualEnvironment",
    }  # fmt: skip
    variable = schema["resources"]["dagsterhybrid:index:EnvironmentVariable"]
    assert variable["inputProperties"]["value"]["secret"] is True
    assert [each["value"] for each in schema["types"]["dagsterhybrid:index:AgentType"]["enum"]] == [
        "HYBRID",
        "SERVERLESS",
    ]


def test_a_build_file_through_its_whole_life(project):
    checkout = project.run_folder / "checkout"
    checkout.mkdir()
    theirs = checkout / "theirs.yaml"
    theirs.write_text("# kept\ndirectory: . # here\n")
    ours = checkout / "envs" / "prod" / "build.yaml"

    def declare(registry: str) -> None:
        project.declare(f"""
for name, path in (("ours", "envs/prod/build.yaml"), ("theirs", "theirs.yaml")):
    BuildFile(name, BuildFileArgs(checkout=str(RUN / "checkout"), path=path, values={{"registry": "{registry}"}}))
""")

    declare("r.example/a")
    assert not ours.exists()
    project.pulumi("preview")
    assert not ours.exists(), "a preview writes nothing"
    project.up()
    assert theirs.read_text() == "# kept\ndirectory: . # here\nregistry: r.example/a\n"
    assert "3 unchanged" in project.up()

    ours.write_text("registry: by-hand # mine\n")
    assert "1 updated" in project.up()
    assert ours.read_text() == "registry: r.example/a # mine\n"

    ours.unlink()
    assert "1 created" in project.up()
    declare("r.example/b")
    project.up()
    project.destroy()
    assert not ours.exists(), "it made that one, and nobody changed it since"
    assert theirs.read_text() == "# kept\ndirectory: . # here\nregistry: r.example/b\n"


class Runs:
    """A Dagster+ that knows only runs in progress."""

    def __init__(self) -> None:
        self.running = ["r1"]
        self.terminated: list[str] = []
        self.asked = 0

    def answer(self, body: dict) -> dict:
        if body["operationName"] == "HybridTerminateRun":
            self.terminated.append(body["variables"]["runId"])
            self.running.remove(body["variables"]["runId"])
            return {"terminateRun": {"__typename": "TerminateRunSuccess", "run": {"runId": "r1"}}}
        assert body["operationName"] == "HybridRunsInProgress"
        self.asked += 1
        runs = [
            {
                "runId": id, "jobName": "nightly", "status": "STARTED", "startTime": 1.0, "endTime": None, "tags": [],
                "repositoryOrigin": {"repositoryLocationName": "hello"},
            }
            for id in self.running
        ]  # fmt: skip
        return {"runsOrError": {"__typename": "Runs", "results": runs}}


@contextmanager
def _served(answer: Callable[[dict], dict]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps({"data": answer(body)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing: the test's output is for the test."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def runs(project):
    made = Runs()
    with _served(made.answer) as port:
        token_file = project.run_folder / "api-token"
        token_file.touch(mode=0o600)
        token_file.write_text(f"user:local:{secrets.token_hex(16)}")
        project.declare(f"""
AGENT = Process("agent", ProcessArgs(name="agent", directory=str(RUN / "agent"),
                command=[PYTHON, "-c", "import time; time.sleep(600)"], remove_on_delete=[]))
AgentDrain("drain", AgentDrainArgs(
    connection=Connection(url="http://127.0.0.1:{port}", organization="local", deployment="prod",
                          token_file=str(RUN / "api-token")),
    locations=["hello"], timeout_seconds=60,
), pulumi.ResourceOptions(depends_on=[AGENT]))
""")
        project.up()
        assert made.asked == 0, "it does nothing until it is deleted"
        yield made


def test_an_agent_stays_up_until_the_last_run_has_ended(project, runs):
    engine = project.start("destroy", "--yes", "--skip-preview")
    said = _read_until(engine, "waiting for 1 run (1 STARTED): nightly r1")
    assert project.processes("agent"), "the run needs it"

    runs.running.clear()
    rest, _ = engine.communicate(timeout=30)

    assert engine.returncode == 0, said + rest
    assert "no run is in progress any more" in rest
    assert not project.processes("agent")
    assert runs.terminated == []


def test_ctrl_c_while_runs_are_waited_for_keeps_agent_and_state(project, runs):
    engine = project.start("destroy", "--yes", "--skip-preview")
    _read_until(engine, "waiting for 1 run")

    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=30)

    assert project.processes("agent"), "it still has the run"
    assert project.resource("drain") is not None
    runs.running.clear()
    project.destroy()
    assert not project.processes("agent")


def test_runs_are_terminated_when_the_command_says_so(project, runs):
    project.environment["HYBRID_RUNS_ON_DOWN"] = "terminate"

    project.destroy()

    assert runs.terminated == ["r1"]
    assert not project.processes("agent")


def _read_until(engine, text):
    said = ""
    while text not in said:
        line = engine.stdout.readline()
        assert line, f"the engine ended before '{text}':\n{said}"
        said += line
    return said


def _speak_to(project, port):
    token = (project.run_folder / "data" / "api-token").read_text().strip()
    project.environment |= {"DAGSTER_CLOUD_API_TOKEN": token, "DAGSTER_CLOUD_URL": f"http://127.0.0.1:{port}"}


def _import(project, kind, name, id, *, succeeds=True):
    what = (f"dagsterhybrid:index:{kind}", name, id)
    return project.pulumi("import", *what, "--yes", "--skip-preview", "--generate-code=false", succeeds=succeeds)
