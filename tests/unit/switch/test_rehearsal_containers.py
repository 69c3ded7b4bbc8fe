"""A rehearsal with containers: its stack file, its registry, its names; nothing of the team's is touched."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hybrid.cli.main import app
from hybrid.containers.docker import Docker
from hybrid.errors import HybridError, UsageError
from hybrid.switch.rehearsal_containers import RehearsalContainers, name_of_rehearsal, registry_of_rehearsal
from hybrid.switch.rehearsal_place import place_for
from hybrid.switch.rehearsal_stack import RehearsedSettings, rehearsed_settings
from hybrid.workspace import Workspace, checked_stack_name
from stacks.settings import Settings, parse
from tests.unit.switch.test_rehearsal_stack import ECS, URL

pytestmark = pytest.mark.unit

OURS = "127.0.0.1:5000/rehearsal"
DOCKER: dict[str, Any] = {
    "hybrid:organization": "acme",
    "hybrid:environment": "production",
    "hybrid:registry": {"address": "registry.acme.example/data"},
    "hybrid:images": {
        "pythonImage": "registry.acme.example/python:3.12",
        "platforms": ["linux/arm64"],
        "secrets": {"index": "env:INDEX_TOKEN", "netrc": "file:/etc/netrc"},
    },
    "hybrid:agent": {
        "kind": "docker", "network": "prod", "restart": "always", "socket": "/run/docker.sock",
        "containerKwargs": {"mem_limit": "1g"}, "branchDeployments": True,
    },
}  # fmt: skip


def rehearsed(config: dict[str, Any]) -> RehearsedSettings:
    return rehearsed_settings(
        config, organization="acme", deployment="prod", url=URL, values=Path("/values"), checkout=Path("/checkout"),
        registry=OURS, stack="prod",
    )  # fmt: skip


def read(found: RehearsedSettings) -> Settings:
    values = {key.removeprefix("hybrid:"): each for key, each in found.config.items()}
    return parse(values, stack="rehearsal-1", source="Pulumi.prod.yaml")


def test_a_stack_on_docker_keeps_how_its_images_are_built_and_run_and_pushes_elsewhere() -> None:
    found = rehearsed(DOCKER)
    settings, agent = read(found), found.config["hybrid:agent"]
    assert settings.registry is not None
    assert settings.registry.address == OURS
    assert settings.images.python_image == "registry.acme.example/python:3.12"
    assert settings.images.platforms == (), "this engine builds for itself"
    assert agent["containerKwargs"] == {"mem_limit": "1g"}
    assert agent["socket"] == "/run/docker.sock"
    assert "network" not in agent, "what is on the real stack's network would be swept with the rehearsal's"
    assert agent["restart"] == "no", "what a killed rehearsal leaves must not come back with the engine"
    assert settings.environment == "production"
    assert any(OURS in each for each in found.differs)


def test_a_stack_on_ecs_becomes_one_on_docker_with_its_pins() -> None:
    found = rehearsed(ECS)
    settings = read(found)
    assert settings.agent.kind == "docker"
    assert settings.agent.label == "ours"
    assert settings.pins == ECS["hybrid:pins"], "a pinned image is what the real stack would run"
    assert settings.aws is None
    assert settings.environment == "prod", "its build.prod.yaml counts, whatever the rehearsal is called"
    assert any("not ecs" in each for each in found.differs)


@given(st.sampled_from(["local", "docker", "ecs"]), st.booleans())
def test_whatever_the_stack_is_nothing_names_the_teams_registry_to_push_to(kind: str, named: bool) -> None:
    config: dict[str, Any] = {"hybrid:agent": {"kind": kind}}
    if named:
        config["hybrid:registry"] = {"address": "registry.acme.example/data"}
    found = rehearsed(config)
    assert "registry.acme.example" not in str(found.config)
    assert read(found).agent.kind == "docker"


@pytest.mark.parametrize(
    "named",
    ["registry.acme.example", "registry.acme.example:5000", "10.0.0.7:5000", "0.0.0.0:5000", "127.0.0.1.acme.example",
     "localhost.acme.example:5000", "::1", "acme", ""],
)  # fmt: skip
def test_a_registry_elsewhere_is_refused(named: str) -> None:
    with pytest.raises(HybridError):
        registry_of_rehearsal(named, {})


@pytest.mark.parametrize("named", ["127.0.0.1:5000", "localhost:5000", "127.0.0.1:5000/", "127.0.0.1:5000/team"])
def test_a_registry_of_this_machine_is_taken_with_a_place_of_its_own(named: str) -> None:
    assert registry_of_rehearsal(named, {}) == f"{named.partition('/')[0]}/rehearsal"


def test_the_stacks_own_registry_is_taken_only_if_it_is_on_this_machine() -> None:
    assert registry_of_rehearsal(None, {"hybrid:registry": {"address": "localhost:5000/data"}}) == (
        "localhost:5000/rehearsal"
    )
    for config in (DOCKER, ECS, {}):
        with pytest.raises(UsageError, match="registry"):
            registry_of_rehearsal(None, config)


def test_a_rehearsal_is_named_apart_from_the_stack_and_from_rehearsals_of_other_checkouts(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    names = {name_of_rehearsal(root, stack) for root in (first, second) for stack in ("prod", "staging")}
    assert len(names) == 4
    assert name_of_rehearsal(first, "prod") in names, "the same each time, or what was left is not found"
    assert not names & {"prod", "staging"}
    assert all(checked_stack_name(name) == name for name in names)


def containers(run: Any = None) -> RehearsalContainers:
    docker = Docker(Path("/bin/docker"), {})
    if run is not None:
        docker.run = run  # type: ignore[method-assign]
    return RehearsalContainers(docker, OURS, "172.17.0.1")


def test_commands_get_dockers_settings_and_the_build_secrets_that_are_named_and_nothing_else() -> None:
    given = {
        "HOME": "/home/me", "DOCKER_HOST": "unix:///x", "INDEX_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "k",
        "DAGSTER_CLOUD_API_TOKEN": "d",
    }  # fmt: skip
    made = containers().variables(given, DOCKER)
    assert made == {"DOCKER_HOST": "unix:///x", "INDEX_TOKEN": "t", "DOCKER_CONFIG": "/home/me/.docker"}
    assert "INDEX_TOKEN" not in containers().variables(given, {})


def test_a_sweep_takes_what_has_the_name_and_nothing_else() -> None:
    there = {
        "ps --all --quiet --filter label=io.dagster-hybrid.stack=rehearsal-1": "c1\nc2\n",
        "ps --all --quiet --filter network=hybrid-rehearsal-1": "c2\nc3\n",
        "network ls --quiet --filter label=io.dagster-hybrid.stack=rehearsal-1": "n1\n",
        "volume ls --quiet --filter label=io.dagster-hybrid.stack=rehearsal-1": "",
    }
    done: list[str] = []

    def run(*arguments: str, **_: Any) -> Any:
        words = " ".join(arguments)
        if words not in there:
            done.append(words)
        return SimpleNamespace(out=there.get(words, ""), code=0)

    containers(run).sweep("rehearsal-1")
    assert done == ["rm --force --volumes c1 c2 c3", "network rm n1"]


def test_the_place_is_swept_before_and_after_by_the_rehearsals_own_name(tmp_path: Path) -> None:
    swept: list[str] = []

    def run(*arguments: str, **_: Any) -> Any:
        swept.append(arguments[-1])
        return SimpleNamespace(out="", code=0)

    found = containers(run)
    with place_for(Workspace(tmp_path), "prod", organization="acme", deployment="prod", containers=found) as place:
        assert place.stack == name_of_rehearsal(tmp_path, "prod")
        before = len(swept)
    assert before == len(swept) / 2 > 0
    assert all(place.stack in each for each in swept), "the real stack may stand on the same engine"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--registry", "127.0.0.1:5000"],
        ["--agent", "docker", "--registry", "registry.acme.example"],
        ["--agent", "docker"],
    ],
)
def test_a_registry_that_cannot_be_is_said_before_anything_is_made(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    said = CliRunner().invoke(app, ["switch", "rehearse", *arguments])
    assert isinstance(said.exception, UsageError)
    assert list(tmp_path.iterdir()) == []
