"""The component of the Docker agent with Pulumi's real engine, a real Docker engine, and pulumi-docker's plugin or its
stand-in. No Dagster+: the agent's container only has to stand, and it tries for a minute to reach one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.docker import TOKEN_FILE
from hybrid.provider.container_sweep import STACK_LABEL
from hybrid.toolchain import Pulumi
from tests.docker.engine import ROOT, Engine
from tests.program.standins.conftest import Project

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

TOKEN = "agent:acme:" + "7" * 32

PROGRAM = """
import json
import sys

sys.path.insert(0, {root!r})
from agent.docker import DockerAgent, DockerAgentArgs
from agent.docker_spec import DockerAgentSpec

agent = DockerAgent(
    "agent",
    DockerAgentArgs(
        spec=DockerAgentSpec.model_validate(json.loads({spec!r})),
        stack=NAME,
        label="mine",
        agent_url="http://172.17.0.1:9",
        deployment="prod",
        token=pulumi.Output.secret({token!r}),
        image={image!r},
    ),
)
for name in ("label", "instance", "started_at", "container", "network"):
    pulumi.export(name, getattr(agent, name))
"""


class AgentProject(Project):
    """A project whose program is the component alone."""

    image = ""

    def agent(self, **spec: Any) -> None:
        socket = self.containers.environ["DOCKER_HOST"].removeprefix("unix://")
        login = self.containers.environ["DOCKER_CONFIG"]
        # without a Dagster+ the agent does not end by itself
        text = json.dumps({"socket": socket, "registryCredentials": login, "stopTimeoutSeconds": 2, **spec})
        self.declare(PROGRAM.format(root=str(ROOT), spec=text, token=TOKEN, image=self.image))

    def names(self, *filters: str) -> set[str]:
        return Engine(self.containers.environ).names(*filters)


@pytest.fixture(scope="session")
def image(containers) -> str:
    secret = ["--secret", f"id=certificates,src={containers.certificates}"] if containers.certificates else []
    build = ("--build-arg", f"PYTHON_IMAGE={containers.python_image}", *secret)
    reference = f"{containers.registry}/docker-agent-test/agent:1"
    return Engine(containers.environ).built(reference, ROOT / "agent" / "image", *build)


@pytest.fixture
def project(tmp_path: Path, pulumi: Pulumi, containers, docker_plugin_path: str, image: str) -> Iterator[AgentProject]:
    made = AgentProject(tmp_path, pulumi, containers, docker_plugin_path)
    made.image = image
    plugin = json.dumps(str(ROOT / "hybrid" / "provider" / "plugin"))
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: standin\nruntime: python\nplugins:\n  providers:\n    - name: dagsterhybrid\n      path: {plugin}\n"
    )
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


def test_the_agent_stands_as_it_was_declared(project: AgentProject) -> None:
    project.agent(memoryMib=400, cpus=0.5)
    project.up()

    found = project.inspect(f"hybrid-{project.name}-agent")
    host = found["HostConfig"]
    assert found["State"]["Running"]
    assert found["Config"]["Labels"][STACK_LABEL] == project.name
    assert (host["RestartPolicy"]["Name"], host["Memory"]) == ("unless-stopped", 400 * 1024 * 1024)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert "/var/run/docker.sock" in str(found["Mounts"])
    assert TOKEN not in json.dumps(found), "docker inspect must not show the token"
    inside = project.containers.run("exec", found["Id"], "cat", TOKEN_FILE)
    assert inside.strip() == TOKEN
    assert TOKEN not in project.state(), "the state has it as ciphertext only"
    out = project.outputs()
    assert (out["label"], out["network"], out["container"]) == ("mine", f"hybrid-{project.name}", found["Id"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", out["started_at"])


def test_nothing_changed_is_nothing_done_and_a_changed_setting_is_a_new_agent(project: AgentProject) -> None:
    project.agent()
    project.up()
    first = project.outputs()

    assert "unchanged" in (said := project.up())
    assert not re.search(r"[1-9]\d* (created|updated|replaced)", said)
    project.agent(apiRetries=9)
    project.up()

    second = project.outputs()
    assert second["container"] != first["container"], "an agent reads its dagster.yaml when it starts"
    assert second["instance"] != first["instance"]
    text = project.containers.run("exec", second["container"], "cat", "/opt/dagster/home/dagster.yaml")
    assert "retries: 9" in text


def test_a_container_that_somebody_removed_is_made_again(project: AgentProject) -> None:
    project.agent()
    project.up()
    first = project.outputs()
    project.containers.run("rm", "--force", first["container"])

    project.pulumi("up", "--yes", "--skip-preview", "--refresh")

    assert project.outputs()["container"] != first["container"]


def test_a_container_that_somebody_stopped_is_started_and_keeps_its_log(project: AgentProject) -> None:
    project.agent()
    project.up()
    first = project.outputs()
    project.containers.run("stop", "--time", "20", first["container"])

    project.pulumi("preview", "--refresh")
    assert project.inspect(first["container"])["State"]["Status"] == "exited", "a preview changes nothing"
    project.pulumi("up", "--yes", "--skip-preview", "--refresh")

    second = project.outputs()
    assert second["container"] == first["container"], "its log may say why it ended"
    assert second["instance"] != first["instance"]
    assert project.inspect(first["container"])["State"]["Running"]


def test_destroy_leaves_nothing_of_the_stack_and_takes_nothing_else(project: AgentProject) -> None:
    run = project.containers.run
    project.agent()
    project.up()
    name, idle = project.name, ("--entrypoint", "sleep", project.image, "600")
    # as runs and their steps are left: on the network without our label, and with it somewhere else
    run("run", "--detach", "--name", f"{name}-step", "--network", f"hybrid-{name}", *idle)
    run("run", "--detach", "--name", f"{name}-run", "--label", f"{STACK_LABEL}={name}", *idle)
    run("run", "--detach", "--name", f"{name}-stranger", "--label", f"{STACK_LABEL}={name}-other", *idle)
    try:
        said = project.pulumi("destroy", "--yes", "--skip-preview")

        assert project.names(f"name={name}") == {f"{name}-stranger"}, "only what is another stack's is left"
        assert not run("network", "ls", "--quiet", "--filter", f"name=hybrid-{name}")
        assert not run("volume", "ls", "--quiet", "--filter", f"name=hybrid-{name}")
        gone = [said.index(f"{what} deleted") for what in ("agent-container", "agent-sweep", "agent-network")]
        assert gone == sorted(gone), "the agent first, or it would start anew what is removed; the network last"
        assert "removed 2 containers of the stack" in said
    finally:
        run("rm", "--force", f"{name}-stranger", f"{name}-step", f"{name}-run")
