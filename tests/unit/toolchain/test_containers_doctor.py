"""What the doctor says of a stack that runs containers, on machines that lack something of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.containers.docker import Docker, EngineAbsent, EngineInfo, EngineTooOld
from hybrid.errors import HybridError
from hybrid.toolchain import containers_doctor
from hybrid.toolchain.containers_doctor import check_containers, check_plugin, plugin_finding
from hybrid.toolchain.pulumi import Origin, Pulumi

pytestmark = pytest.mark.unit


class FakeDocker:
    executable = Path("/usr/bin/docker")
    has_buildx = False

    def info(self) -> EngineInfo:
        return EngineInfo("28.0", "arm64", desktop=False)


class Machine:
    """Which ``Docker.find`` succeeds."""

    engine: HybridError | None = None
    builder: HybridError | None = None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    def find(environ: object, *, building: bool = False) -> FakeDocker:
        fault = made.engine or (made.builder if building else None)
        if fault is not None:
            raise fault
        return FakeDocker()

    monkeypatch.setattr(containers_doctor.Docker, "find", find)
    assert Docker.find is find
    return made


def test_a_machine_that_has_all_is_well_and_the_registry_was_asked_once(machine: Machine) -> None:
    asked: list[str] = []
    found = check_containers({"DOCKER_HOST": "unix:///x"}, "ghcr.io/acme", asked.append)
    assert [finding.status for finding in found] == ["ok"] * 3
    assert len(asked) == 1
    assert asked[0].startswith("ghcr.io/acme/"), "the login is for the registry that the stack pushes to"
    assert "28.0" in found[0].detail
    assert "unix:///x" in found[0].detail, "people have several engines"


def test_without_an_engine_both_its_uses_are_missing_with_a_next_step(machine: Machine) -> None:
    machine.engine = EngineAbsent("No engine answers.", next_step="start it.")
    found = check_containers({}, None, lambda reference: None)
    assert [(finding.status, finding.next_step) for finding in found] == [("missing", "start it.")] * 2


def test_a_client_that_cannot_build_is_told_apart_from_an_absent_engine(machine: Machine) -> None:
    machine.builder = EngineTooOld("docker 28 has no buildx.", next_step="install the plugin.")
    found = {finding.name: finding for finding in check_containers({}, None, lambda reference: None)}
    assert found[containers_doctor.ENGINE].status == "ok"
    assert found[containers_doctor.BUILDER].status == "missing"


def test_a_refused_login_is_missing(machine: Machine) -> None:
    def refuse(reference: str) -> None:
        raise HybridError("The registry refused the login.", next_step="docker login ghcr.io")

    finding = check_containers({}, "ghcr.io/acme", refuse)[-1]
    assert (finding.status, finding.next_step) == ("missing", "docker login ghcr.io")


def pulumi(origin: Origin) -> Pulumi:
    return Pulumi(Path("/tools/pulumi"), "3.259.0", origin, Path("/tools"))


def test_a_plugin_on_path_is_the_one_that_is_used(tmp_path: Path) -> None:
    plugin = tmp_path / "pulumi-resource-docker"
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    found = check_plugin({"PATH": str(tmp_path), "PULUMI_HOME": str(tmp_path / "none")}, pulumi("build"))
    assert (found.status, str(plugin) in found.detail) == ("ok", True), "Pulumi takes what is on PATH first"


def test_a_pulumi_that_was_built_here_cannot_get_the_plugin_by_itself(tmp_path: Path) -> None:
    environ = {"PATH": "", "PULUMI_HOME": str(tmp_path)}
    found = check_plugin(environ, pulumi("build"))
    assert found.status == "missing", "`up` would end in Pulumi's own words about a plugin"
    assert "plugin install resource docker" in (found.next_step or ""), "what to type"
    assert check_plugin(environ, pulumi("download")).status == "ok", "a downloaded one fetches what it needs"
    (tmp_path / "plugins" / "resource-docker-v5.2.0").mkdir(parents=True)
    assert check_plugin(environ, pulumi("build")).status == "ok", "it is there already"


def test_a_plugin_that_was_built_beside_pulumi_is_there_and_the_command_that_builds_it_is_named(tmp_path: Path) -> None:
    environ, tools = {"PATH": "", "PULUMI_HOME": str(tmp_path / "none")}, tmp_path / "bin"
    built = Pulumi(tools / "pulumi", "3.259.0", "build", tools)
    asked = ("kubernetes", "kubernetes plugin", "4.34.2", environ, built)
    found = plugin_finding(*asked, built_by="hybrid tools install --kubernetes")
    assert found.status == "missing"
    assert "hybrid tools install --kubernetes" in (found.next_step or ""), "it needs none of Pulumi's servers"
    tools.mkdir()
    (tools / "pulumi-resource-kubernetes").write_text("#!/bin/sh\n")
    (tools / "pulumi-resource-kubernetes").chmod(0o755)
    assert plugin_finding(*asked).status == "ok", "Pulumi runs with that folder on PATH"
