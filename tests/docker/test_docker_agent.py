"""The Docker agent's image and launcher with a real engine, a real registry and the real agent, against the embedded
Dagster+. Pulumi is not part of it: test_docker_component.py shows the component.

It cannot show Docker Desktop, nor an engine on another machine.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from hybrid.containers.docker import Docker
from hybrid.containers.host import address_from_containers
from hybrid.provider.container_state import ContainerState
from hybrid.provider.container_sweep import STACK_LABEL, ContainerSweep
from hybrid.provider.resource import Call
from tests.docker.engine import LOCATION_DOCKERFILE, ROOT, Engine, StandingAgent, agent_args
from tests.emulated.checkout import until
from tests.emulated.served import ServedOrganization

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import os, time
import dagster as dg

@dg.op
def speak(context):
    context.log.info("as user %s, %s" % (os.getuid(), os.environ.get("GREETING")))

@dg.job
def greet():
    speak()

@dg.op
def sleep():
    time.sleep(600)

@dg.job
def nap():
    sleep()

@dg.asset
def first():
    return 41

@dg.asset
def second(first):
    assert first == 41, "the value of another run's container"
    return first + 1

one = dg.define_asset_job("one", selection=["first"])
two = dg.define_asset_job("two", selection=["second"])
defs = dg.Definitions(assets=[first, second], jobs=[greet, nap, one, two])
"""


@dataclass
class Stack:
    plus: ServedOrganization
    agent: StandingAgent
    engine: Engine

    def code_servers(self) -> set[str]:
        return self.engine.names("label=dagster_grpc_server", f"label={STACK_LABEL}={self.agent.args.stack}")

    def run_containers(self) -> set[str]:
        return self.engine.names("label=dagster/run_id", f"label={STACK_LABEL}={self.agent.args.stack}")


@pytest.fixture(scope="module")
def engine(containers) -> Engine:
    return Engine(containers.environ)


@pytest.fixture(scope="module")
def agent_image(containers, engine: Engine) -> str:
    secret = ["--secret", f"id=certificates,src={containers.certificates}"] if containers.certificates else []
    return engine.built(
        f"{containers.registry}/docker-agent-test/agent:1",
        ROOT / "agent" / "image",
        *("--build-arg", f"PYTHON_IMAGE={containers.python_image}"),
        *secret,
    )


@pytest.fixture(scope="module")
def location_image(containers, engine: Engine, agent_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    context = tmp_path_factory.mktemp("location")
    (context / "shop.py").write_text(CODE)
    (context / "Dockerfile").write_text(LOCATION_DOCKERFILE)
    reference = f"{containers.registry}/docker-agent-test/location:1"
    image = engine.built(reference, context, "--build-arg", f"AGENT={agent_image}")
    # the agent has to pull it, which shows that it has the login
    engine.run("rmi", "--force", reference, image, check=False)
    return image


@pytest.fixture(scope="module")
def stack(
    engine: Engine, agent_image: str, location_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("docker")
    gateway = address_from_containers(Docker.find(engine.environ))
    with ServedOrganization(folder, "--also-listen", gateway) as plus:
        args = agent_args(
            f"t{plus.port}",
            f"http://{gateway}:{plus.port}",
            engine.environ,
            finishedRunContainersKeptSeconds=12,
            environment={"GREETING": "hello"},
            containerKwargs={"mem_limit": "700m"},
        )
        agent = StandingAgent(engine, args, plus.agent_token())
        try:
            agent.start(agent_image, folder)
            deploy(plus, "code", location_image)
            plus.until_loaded("code")
            yield Stack(plus, agent, engine)
        except BaseException:
            print(agent.log()[-6000:] if agent.container else "no agent")
            raise
        finally:
            agent.destroy()


def deploy(plus: ServedOrganization, name: str, image: str, **more: object) -> None:
    answer = plus.ask(
        "mutation($document: GenericScalar!) { put: addOrUpdateLocationFromDocument(document: $document) "
        "{ __typename ... on Error { message } } }",
        document={"location_name": name, "image": image, "code_source": {"python_file": "/opt/shop/shop.py"}, **more},
    )
    assert answer["put"]["__typename"] == "WorkspaceEntry", answer


def test_a_location_is_a_container_of_the_stack_that_loads(stack: Stack) -> None:
    (name,) = stack.code_servers()
    found = stack.engine.inspected(name)

    labels = found["Config"]["Labels"]
    assert labels["io.dagster-hybrid.location"] == "code"
    assert labels["io.dagster-hybrid.deployment"] == "prod"
    assert found["HostConfig"]["Memory"] == 700 * 1024 * 1024, "limits of the agent's settings reach its code servers"
    assert found["HostConfig"]["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, "logs are bounded"
    assert f"{stack.agent.args.volume}:/opt/dagster/storage:rw" in found["HostConfig"]["Binds"]


def test_the_agent_is_healthy_and_its_token_is_no_part_of_its_configuration(stack: Stack) -> None:
    inspect = stack.engine.inspected

    until(lambda: inspect(stack.agent.container)["State"]["Health"]["Status"] == "healthy", seconds=40, what="healthy")
    assert stack.agent.token not in str(inspect(stack.agent.container)), "docker inspect of the agent must not show it"
    (server,) = stack.code_servers()
    assert stack.agent.token in str(inspect(server)["Config"]["Env"]), (
        "docs/docker.md says that Dagster's launcher hands it to code servers as a variable; if it no longer does, "
        "the page is to be mended"
    )


def test_a_run_is_a_container_of_its_own_and_shares_asset_values(stack: Stack) -> None:
    plus = stack.plus
    assert plus.until_status(plus.launch("code", "greet"), "SUCCESS", "FAILURE")["status"] == "SUCCESS"
    assert plus.until_status(plus.launch("code", "one"), "SUCCESS", "FAILURE")["status"] == "SUCCESS"

    second = plus.until_status(plus.launch("code", "two"), "SUCCESS", "FAILURE")

    assert second["status"] == "SUCCESS", "the value that another container stored is read from the stack's volume"
    assert re.fullmatch(r"[0-9a-f]{64}", second["tags"]["docker/container_id"]), "each run has a container"


def test_containers_of_finished_runs_are_swept_and_others_stay(stack: Stack) -> None:
    plus, engine = stack.plus, stack.engine
    finished = plus.launch("code", "greet")
    napping = plus.launch("code", "nap")
    plus.until_status(napping, "STARTED")
    killed = plus.run(napping)["tags"]["docker/container_id"]
    engine.run("run", "--detach", "--name", f"{stack.agent.args.stack}-stranger", "--label", "dagster/run_id=x",
               "--entrypoint", "true", plus_image(stack))  # fmt: skip
    try:
        plus.until_status(finished, "SUCCESS")
        gone = plus.run(finished)["tags"]["docker/container_id"][:12]
        until(lambda: not engine.run("ps", "-aq", "--filter", f"id={gone}"), seconds=40, what="the sweep")
        assert engine.run("ps", "-q", "--filter", f"id={killed}"), "a run in progress keeps its container"
        assert engine.names(f"name={stack.agent.args.stack}-stranger"), "a run container of nobody's stack stays"
        assert "of the finished run" in stack.agent.log(), "what is removed is said in the agent's log"
    finally:
        engine.run("rm", "--force", f"{stack.agent.args.stack}-stranger", check=False)
        plus.ask("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=napping)
    plus.until_status(napping, "CANCELED")


def test_a_killed_run_is_reported_and_its_container_stays_until_dagster_has_ended_it(stack: Stack) -> None:
    plus, engine = stack.plus, stack.engine
    napping = plus.launch("code", "nap")
    plus.until_status(napping, "STARTED")

    engine.run("kill", plus.run(napping)["tags"]["docker/container_id"])

    ended = plus.until_status(napping, "FAILURE", seconds=120)
    assert ended["status"] == "FAILURE", "a dead run worker is missed, as with the stock launcher"


def test_a_killed_code_server_is_replaced(stack: Stack) -> None:
    (before,) = stack.code_servers()

    stack.engine.run("kill", before)

    until(
        lambda: (now := stack.code_servers()) and before not in now and stack.plus.load_states()["code"] == "LOADED",
        seconds=150,
        what="another code server stands",
    )


def plus_image(stack: Stack) -> str:
    return str(stack.engine.inspected(stack.agent.container)["Image"])


def test_what_is_left_is_swept_and_a_stranger_survives(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of this module: it takes the stack down, an agent that was killed and a run in progress with it."""
    plus, engine, args = stack.plus, stack.engine, stack.agent.args
    for key in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH"):
        monkeypatch.setenv(key, engine.environ[key])
    plus.until_status(plus.launch("code", "nap"), "STARTED")
    stranger = f"{args.stack}-stranger"
    engine.run("run", "--detach", "--name", stranger, "--entrypoint", "sleep", plus_image(stack), "600")
    try:
        engine.run("rm", "--force", stack.agent.container)
        assert stack.code_servers(), "a killed agent leaves its code servers"
        assert stack.run_containers(), "and its runs"
        said: list[str] = []
        report = SimpleNamespace(status=said.append, info=said.append, warning=said.append)
        call = Call(report, threading.Event())  # type: ignore[arg-type]
        inputs = {"stack": args.stack, "network": args.network, "timeoutSeconds": 60}

        ContainerSweep().delete("id", inputs, {}, call)

        assert not engine.names(f"label={STACK_LABEL}={args.stack}"), "nothing of the stack is left"
        assert not engine.names(f"network={args.network}"), "the network can go"
        assert engine.names(f"name={stranger}", "status=running"), "what is not the stack's is not touched"
        assert re.fullmatch(r"removed \d+ containers of the stack", said[-1]), "it says how many"
        ContainerSweep().delete("id", inputs, {}, call)  # again, when nothing is left
    finally:
        engine.run("rm", "--force", stranger, check=False)


def test_a_container_that_ends_again_and_again_is_told_of_with_its_last_words(
    engine: Engine, agent_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH"):
        monkeypatch.setenv(key, engine.environ[key])
    name = f"without-token-{os.getpid()}"
    container = engine.run("run", "--detach", "--restart", "unless-stopped", "--name", name, agent_image)
    silent = SimpleNamespace(status=print, info=print, warning=print)
    inputs = {"container": container, "settleSeconds": 2, "timeoutSeconds": 30}
    try:
        with pytest.raises(Exception, match="does not stay up") as caught:
            ContainerState().create(inputs, Call(silent, threading.Event()))  # type: ignore[arg-type]
        assert "The agent's token is not there" in str(caught.value), "the reader need not look for the log"
    finally:
        engine.run("rm", "--force", name, check=False)


def test_the_agents_image_holds_the_installed_release(engine: Engine, agent_image: str) -> None:
    from importlib.metadata import version

    code = "import importlib.metadata as m; print(m.version('dagster-cloud'))"
    said = engine.run("run", "--rm", "--entrypoint", "python3", agent_image, "-c", code)
    assert said == version("dagster-cloud")
