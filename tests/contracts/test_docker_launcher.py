"""What the launcher of the agent's image rests on in the installed dagster-cloud and dagster-docker: names that it
overrides or calls, and the order of arguments. It cannot show what they do; tests/docker does."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from dagster_cloud.workspace.docker import CloudDockerRunLauncher, DockerUserCodeLauncher
from dagster_docker.container_context import DockerContainerContext

from agent.image import hybrid_docker_launcher as ours

pytestmark = pytest.mark.contracts

IMAGE = Path(ours.__file__).parent


@pytest.mark.parametrize(
    "name", ["start", "__exit__", "run_launcher", "config_type", "_create_container", "_launch_container",
             "_list_server_handles"]
)  # fmt: skip
def test_what_the_launcher_overrides_is_there_with_the_same_arguments(name: str) -> None:
    stock, own = getattr(DockerUserCodeLauncher, name), getattr(ours.DockerUserCodeLauncher, name)
    assert own is not stock, f"{name} is meant to be overridden"
    if name != "_launch_container":  # passes on what it does not look at
        names = list(inspect.signature(stock).parameters)
        assert list(inspect.signature(own).parameters) == names, f"{name} is called by the stock launcher"


def test_a_code_servers_labels_are_handed_on_by_name() -> None:
    source = inspect.getsource(DockerUserCodeLauncher._start_new_server_spinup)
    assert "labels=labels" in source, "the override of _launch_container looks for them there"
    names = list(inspect.signature(DockerUserCodeLauncher._launch_container).parameters)
    assert names[:3] == ["self", "deployment_name", "location_name"]


def test_what_the_run_launcher_overrides_is_there() -> None:
    assert "get_container_context" in dir(CloudDockerRunLauncher)
    assert DockerContainerContext._fields == ("registry", "env_vars", "networks", "container_kwargs")


def test_the_images_packages_are_the_installed_release() -> None:
    lock = (IMAGE / "requirements.lock").read_text(encoding="utf-8")
    for package in ("dagster", "dagster-cloud", "dagster-docker"):
        assert f"\n{package}=={version(package)} " in lock, f"{package} of the agent's image is another release"
    assert f"dagster-cloud[docker]=={version('dagster-cloud')}" in (IMAGE / "requirements.in").read_text()
    assert "://" not in lock, "the lock names no address"


def test_all_that_the_dockerfile_copies_reaches_the_build() -> None:
    sent = {line[1:] for line in (IMAGE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in (IMAGE / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == sent
    assert all((IMAGE / name).is_file() for name in sent)
