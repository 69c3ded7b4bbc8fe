"""pulumi-docker's four resources with Pulumi's real engine and a real Docker engine."""

from __future__ import annotations

import pytest

from tests.containers.stand import Containers
from tests.program.standins.conftest import Project

pytestmark = [pytest.mark.program, pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

SLEEPS = '["python3", "-c", "import signal; signal.pause()"]'

AGENT_LIKE = f"""
network = docker.Network("net", name=NAME, driver="bridge", labels=[{{"label": "of", "value": NAME}}])
volume = docker.Volume("data", name=NAME, labels=[{{"label": "of", "value": NAME}}])
image = docker.RemoteImage("image", name=IMAGE, keep_locally=True)
agent = docker.Container(
    "agent",
    name=NAME,
    image=image.image_id,
    command={SLEEPS},
    envs=pulumi.Output.secret([f"TOKEN=token-of-{{NAME}}", "PLAIN=1"]),
    labels=[{{"label": "of", "value": NAME}}],
    networks_advanced=[{{"name": network.name, "aliases": ["agent"]}}],
    volumes=[{{"volume_name": volume.name, "container_path": "/data"}}],
    mounts=[{{"type": "tmpfs", "target": "/scratch", "tmpfs_options": {{"size_bytes": 1048576}}}}],
    uploads=[
        {{"file": "/etc/agent/token", "content": pulumi.Output.secret(f"upload-of-{{NAME}}"), "permissions": "0400"}},
        {{"file": "/etc/agent/hello", "content_base64": "aGVsbG8=", "executable": True}},
    ],
    healthcheck={{"tests": ["CMD", "true"], "interval": "200ms", "timeout": "5s", "retries": 3, "start_period": "1s"}},
    log_driver="json-file",
    log_opts={{"max-size": "1m", "max-file": "2"}},
    restart="unless-stopped",
    memory=128,
    memory_swap=256,
    cpu_shares=512,
    cpus="0.5",
    hosts=[{{"host": "example.internal", "ip": "10.1.2.3"}}],
    ports=[{{"internal": 8080, "ip": "127.0.0.1"}}],
    capabilities={{"drops": ["NET_RAW"]}},
    security_opts=["no-new-privileges:true"],
    user="1000:1000",
    working_dir="/tmp",
    init=True,
    read_only=False,
    wait=True,
    wait_timeout=30,
    destroy_grace_seconds=2,
    must_run=True,
)
pulumi.export("id", agent.id)
pulumi.export("image", image.image_id)
pulumi.export("digest", image.repo_digest)
pulumi.export("scope", network.scope)
pulumi.export("mountpoint", volume.mountpoint)
pulumi.export("networks", agent.network_datas)
"""


def plain(**changes: str) -> str:
    """A container of a few settings, each written as Python."""
    settings = {"name": "NAME", "image": "image.image_id", "command": SLEEPS, "destroy_grace_seconds": "1", **changes}
    given = ", ".join(f"{name}={value}" for name, value in settings.items())
    return (
        'image = docker.RemoteImage("image", name=IMAGE, keep_locally=True)\n'
        f'one = docker.Container("one", {given})\npulumi.export("id", one.id)\n'
    )


def test_an_agent_like_stack_stands_up_as_declared_and_goes_without_a_trace(
    project: Project, clean_engine: Containers
) -> None:
    project.declare(AGENT_LIKE)
    said = project.up()
    found, outputs = project.inspect(), project.outputs()

    host = found["HostConfig"]
    assert found["State"]["Health"]["Status"] == "healthy", "'wait' must end only when the health check has passed"
    assert found["Id"] == outputs["id"], "the resource's id must be the container's"
    assert found["Image"] == outputs["image"], "the container must run the image that was given"
    assert outputs["digest"].startswith(f"{project.containers.registry}/python@sha256:"), "digest of the pushed image"
    assert outputs["scope"] == "local", "a computed output of the network is missing"
    assert outputs["mountpoint"].endswith(f"{project.name}/_data"), "a computed output of the volume is missing"
    assert list(found["NetworkSettings"]["Networks"]) == [project.name], "the default network must be left"
    assert "agent" in found["NetworkSettings"]["Networks"][project.name]["Aliases"], "the alias is missing"
    assert outputs["networks"][0]["ipAddress"], "the address must be told"
    assert (host["Memory"], host["MemorySwap"]) == (128 << 20, 256 << 20), "memory is in megabytes"
    assert (host["CpuShares"], host["NanoCpus"]) == (512, 500_000_000), "CPU limits did not arrive"
    assert host["RestartPolicy"]["Name"] == "unless-stopped", "the restart policy did not arrive"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}, "log limits"
    assert host["CapDrop"] == ["NET_RAW"], "capabilities did not arrive"
    assert found["Config"]["User"] == "1000:1000", "the user did not arrive"
    assert found["Config"]["Healthcheck"]["Interval"] == 200_000_000, "durations are nanoseconds to the engine"

    seen = project.containers.run("exec", "-u", "0", project.name, "stat", "-c", "%a %u", "/etc/agent/token")
    assert seen == "400 0", f"the upload's mode and owner are {seen}"
    assert project.containers.run("exec", project.name, "cat", "/etc/agent/hello") == "hello", "base64 upload"
    assert "10.1.2.3" in project.containers.run("exec", project.name, "cat", "/etc/hosts"), "the host entry"
    if "stand-in" in said:
        assert "docker: stand-in for Pulumi's plugin (tests/standins/docker)" in said, "it must say what it is"

    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert "unchanged" in again, "a second update of the same program must change nothing"

    state = project.state()
    assert project.name in state, "the state that was read must be this stack's"
    for secret in (f"token-of-{project.name}", f"upload-of-{project.name}"):
        assert secret not in state, "a secret lies in the state in the clear"
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.containers.names(f"name={project.name}") == [], "destroy must remove the container"


def test_memory_and_restart_change_in_place(project: Project) -> None:
    project.declare(plain(memory="64", memory_swap="128"))
    project.up()
    before = project.inspect()["Id"]
    project.declare(plain(memory="96", memory_swap="192", restart='"on-failure"', max_retry_count="3"))
    said = project.up()
    after = project.inspect()
    assert after["Id"] == before, "a limit must not replace a container"
    assert after["HostConfig"]["Memory"] == 96 << 20, "the new limit must be in force"
    assert after["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}, "the new policy"
    assert "1 updated" in said, "the engine must have called it an update"


def test_a_changed_environment_replaces_and_keeps_the_name(project: Project) -> None:
    project.declare(plain(envs='["A=1", "B=2"]'))
    project.up()
    before = project.inspect()["Id"]
    project.declare(plain(envs='["B=2", "A=1"]'))
    project.pulumi("preview", "--expect-no-changes")
    project.declare(plain(envs='["A=3", "B=2"]'))
    said = project.pulumi("preview", "--diff")
    assert "envs" in said, "a preview must name what replaces"
    assert "replace" in said, "a preview must say that it replaces"
    project.up()
    after = project.inspect()
    assert after["Id"] != before, "another environment needs another container"
    assert "A=3" in after["Config"]["Env"], "the new container must have the new value"


def test_a_container_that_was_removed_is_seen_by_refresh_and_made_again(project: Project) -> None:
    project.declare(plain())
    project.up()
    before = project.inspect()["Id"]
    assert before in project.ids(), "the state must hold the container before"
    project.containers.run("rm", "--force", project.name)
    project.pulumi("refresh", "--yes", "--skip-preview")
    assert before not in project.ids(), "refresh must take a container that is gone out of the state"
    project.up()
    assert project.inspect()["Id"] != before, "the next update must make it again"


def test_a_container_that_stopped_is_started_again(project: Project) -> None:
    project.declare(plain())
    project.up()
    before = project.inspect()["Id"]
    project.containers.run("stop", "--time", "1", project.name)
    project.pulumi("refresh", "--yes", "--skip-preview")
    project.up()
    after = project.inspect()
    assert after["State"]["Running"], "mustRun must bring it back"
    assert after["Id"] == before, "starting is enough"


def test_a_property_that_is_not_mapped_is_an_error_that_names_it(project: Project, docker_plugin_path: str) -> None:
    if not docker_plugin_path:
        pytest.skip("the official plugin maps every property")
    project.declare(plain(gpus='"all"', networks_advanced='[{"name": "bridge", "mac_address": "02:42:ac:11:00:99"}]'))
    said = project.up(succeeds=False)
    assert "'gpus'" in said, "the error must name the property"
    assert "'networksAdvanced[0].macAddress'" in said, "the error must name a property inside a list"
    assert project.containers.names(f"name={project.name}") == [], "nothing must have been made"


def test_a_container_that_ends_at_once_fails_with_its_last_words(project: Project, docker_plugin_path: str) -> None:
    check = '{"tests": ["CMD", "true"], "interval": "1h"}'  # not before it has ended
    ends = '["python3", "-c", "raise SystemExit(\'no such settings\')"]'
    project.declare(plain(command=ends, wait="True", healthcheck=check))
    said = project.up(succeeds=False)
    assert "exited immediately" in said, "the failure must say what happened"
    assert docker_plugin_path == "" or "no such settings" in said, "and what the program said last"
    assert project.containers.names(f"name={project.name}") == [], "what failed must not stay behind"


def test_a_container_that_never_gets_healthy_fails_and_is_replaced_by_the_next_update(project: Project) -> None:
    check = '{"tests": ["CMD", "false"], "interval": "100ms", "retries": 2}'
    project.declare(plain(wait="True", wait_timeout="20", healthcheck=check))
    said = project.up(succeeds=False)
    assert "not healthy" in said, "the failure must say what it waited for"
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.containers.names(f"name={project.name}") == [], "destroy must remove what failed half-way"


def test_names_are_made_up_and_kept(project: Project) -> None:
    program = 'one = docker.Network("mine")\ntwo = docker.Volume("mine")\npulumi.export("n", one.name)\n'
    project.declare(program)
    project.up()
    name = project.outputs()["n"]
    assert name.startswith("mine-"), "a name that is not given begins with the resource's"
    project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert project.outputs()["n"] == name, "a name that was made up must stay"


def test_an_image_is_pulled_with_the_login_of_docker_s_settings(project: Project) -> None:
    copy = f"{project.containers.registry}/{project.name}:1"
    project.containers.run("tag", project.containers.python_image, copy)
    project.containers.run("push", "--quiet", copy)
    project.containers.run("image", "rm", copy)
    project.declare(f'docker.RemoteImage("image", name="{copy}")\n')
    project.up()
    assert project.containers.run("image", "ls", "--quiet", copy), "the image must have been pulled"
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not project.containers.run("image", "ls", "--quiet", copy), "an image that is not kept must go"


def test_a_network_is_imported_by_its_id(project: Project) -> None:
    id = project.containers.run("network", "create", project.name)
    project.declare(f'docker.Network("net", name=NAME, driver="bridge", opts=pulumi.ResourceOptions(import_="{id}"))\n')
    said = project.up()
    assert "1 imported" in said, "an existing network must be taken over, not made again"
    assert id in project.ids(), "the state must hold the network that was there"
