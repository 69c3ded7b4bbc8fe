"""Where containers of a Docker agent find Dagster+."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.docker_spec import DockerAgentSpec
from hybrid.workspace import Workspace
from stacks import docker as platform
from stacks.docker import DockerPlatform
from stacks.identity import StackIdentity
from stacks.settings import parse

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"emulator": {"port": 4601}}, "http://172.17.0.1:4601"),
        ({"organization": "acme", "url": "http://127.0.0.1:4602"}, "http://172.17.0.1:4602"),
        ({"organization": "acme"}, "https://acme.agent.dagster.cloud"),
        ({"organization": "acme", "url": "http://plus.acme.example:80"}, "http://plus.acme.example:80"),
    ],
)
def test_a_dagster_plus_on_this_machine_is_reached_by_the_address_that_containers_have_for_it(
    given: dict[str, object], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform.Docker, "find", lambda environ: None)
    monkeypatch.setattr(platform, "address_from_containers", lambda docker: "172.17.0.1")
    spec = {"kind": "docker"}
    values = {**given, "agent": spec, "registry": {"address": "127.0.0.1:5000/data"}}
    who = StackIdentity.of("prod", parse(values, stack="prod", source="x"), Workspace(tmp_path))
    made = DockerPlatform.of(who, Workspace(tmp_path), DockerAgentSpec.model_validate(spec))
    assert made._agent_url == url
    assert made.reached_at == (("172.17.0.1",) if "172.17.0.1" in url else ())
