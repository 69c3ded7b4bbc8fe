"""``hybrid agent upgrade``: what it shows, what it writes, and what it refuses. The judgement of the agent's settings
is Dagster's own; the registry is not asked here."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from hybrid.cli.agent.upgrade import retagged, version_in
from hybrid.delivery.images.errors import RegistryUnreachable
from hybrid.delivery.images.registry import Registry
from hybrid.engine.agent_yaml import problems
from hybrid.errors import UsageError
from tests.unit.cli.ecs_checkout import STACK, Call, Cluster, FakePlus, Updates, agent

pytestmark = pytest.mark.unit

GALLERY = "public.ecr.aws/dagster/dagster-cloud-agent"
HERE = version("dagster-cloud")
YAML = """\
instance_class: {module: dagster_cloud.instance, class: DagsterCloudAgentInstance}
dagster_cloud_api:
  agent_token: {env: DAGSTER_CLOUD_AGENT_TOKEN}
  deployments: [prod]
user_code_launcher:
  module: dagster_cloud.workspace.ecs
  class: EcsUserCodeLauncher
  config: {cluster: a, subnets: [s], execution_role_arn: x, log_group: y, service_discovery_namespace_id: ns-1}
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What it is asked for; it has everything."""
    asked: list[str] = []
    monkeypatch.setattr(Registry, "digest", lambda self, image: asked.append(image) or "sha256:" + "a" * 64)
    return asked


@pytest.fixture
def standing(aws: Cluster, plus: FakePlus) -> FakePlus:
    plus.listed = [agent(version="1.13.20")]
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    return plus


def test_a_check_shows_what_runs_and_changes_nothing(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster
) -> None:
    aws.agent(f"{GALLERY}:1.13.20", variables={"HYBRID_DAGSTER_YAML": YAML})
    answer = call("agent", "upgrade", "prod", "--check", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["running"] == {"versions": ["1.13.20"], "image": f"{GALLERY}:1.13.20"}
    assert told["wanted"] == {"version": HERE, "image": f"{GALLERY}:{HERE}"}
    assert told["changes"] is True, "another version runs than the one that is wanted"
    assert told["settings"] == {"checked": True, "problems": []}, "this checkout has the schemas of that version"
    assert file.read_text() == STACK
    assert updates.commands == []


def test_an_upgrade_writes_the_tag_and_updates(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster, registry: list[str]
) -> None:
    aws.agent(f"{GALLERY}:{HERE}")
    answer = call("agent", "upgrade", "prod", "--to", "1.13.99", "--yes")
    assert answer.code == 0, answer.err
    assert yaml.safe_load(file.read_text())["config"]["hybrid:agent"]["image"] == f"{GALLERY}:1.13.99"
    assert registry == [f"{GALLERY}:1.13.99"], "an image that is not there would be found out late"
    assert updates.commands == ["up"]
    assert "every code location" in answer.err
    assert f"this checkout has {HERE}" in answer.err, "its settings were not judged by that version, and that is said"


def test_what_runs_already_is_left_alone(
    call: Call, updates: Updates, standing: FakePlus, aws: Cluster, registry: list[str]
) -> None:
    aws.agent(f"{GALLERY}:{HERE}")
    answer = call("agent", "upgrade", "prod", "--yes")
    assert (answer.code, updates.commands) == (0, [])
    assert "Nothing to do" in answer.err


def test_settings_that_the_version_refuses_stop_it(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster, registry: list[str]
) -> None:
    wrong = YAML.replace("cluster: a", "clustr: a")
    aws.agent(f"{GALLERY}:1.13.20", variables={"HYBRID_DAGSTER_YAML": wrong})
    answer = call("agent", "upgrade", "prod", "--yes")
    assert answer.code == 3
    assert '"clustr"' in answer.err, "which of them is said"
    assert "Expected:" not in answer.err, "not the page of what would be right"
    assert file.read_text() == STACK
    assert updates.commands == []


def test_dagster_s_own_schemas_judge_instance_and_launcher() -> None:
    assert problems(YAML) == []
    assert any("deploymints" in each for each in problems(YAML.replace("deployments", "deploymints")))
    assert any("clustr" in each for each in problems(YAML.replace("cluster: a", "clustr: a")))


def test_an_image_that_is_not_there_is_said_before_anything_is_written(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.agent(f"{GALLERY}:{HERE}")
    monkeypatch.setattr(Registry, "digest", lambda self, image: None)
    answer = call("agent", "upgrade", "prod", "--to", "9.9.9", "--yes")
    assert answer.code == 2
    assert f"{GALLERY}:9.9.9" in answer.err
    assert file.read_text() == STACK


def test_a_registry_that_does_not_answer_does_not_stop_it(
    call: Call, updates: Updates, standing: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(self: Registry, image: str) -> str:
        raise RegistryUnreachable("It does not answer.")

    aws.agent(f"{GALLERY}:{HERE}")
    monkeypatch.setattr(Registry, "digest", unreachable)
    answer = call("agent", "upgrade", "prod", "--to", "1.13.99", "--yes")
    assert (answer.code, updates.commands) == (0, ["up"]), answer.err
    assert "was not asked" in answer.err


def test_without_aws_credentials_the_rest_is_shown(
    call: Call, standing: FakePlus, aws: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    answer = call("agent", "upgrade", "prod", "--check", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["running"]["versions"] == ["1.13.20"], "the agents tell it"
    assert told["unknown"] == "There are no AWS credentials."


@pytest.mark.parametrize("kind", ["local", "docker"])
def test_elsewhere_the_agent_is_of_the_checkout(call: Call, root: Path, kind: str) -> None:
    registry = '  hybrid:registry: {address: "127.0.0.1:5000/x"}\n' if kind == "docker" else ""
    (root / "stacks" / "Pulumi.here.yaml").write_text(f"config:\n  hybrid:agent: {{kind: {kind}}}\n{registry}")
    answer = call("agent", "upgrade", "here")
    assert answer.code == 2
    assert HERE in answer.err


@pytest.mark.parametrize(
    ("image", "known"),
    [
        (f"{GALLERY}:1.13.27", "1.13.27"),
        (f"{GALLERY}:1.13.27@sha256:{'a' * 64}", "1.13.27"),
        ("registry:5000/agent", None),
        ("registry:5000/agent:latest", None),
        (f"acme/agent@sha256:{'a' * 64}", None),
    ],
)
def test_the_version_is_the_tag_s(image: str, known: str | None) -> None:
    assert version_in(image) == known
    if known is None:
        with pytest.raises(UsageError, match="no version"):
            retagged(image, "1.13.28")
    else:
        assert retagged(image, "1.13.28") == f"{GALLERY}:1.13.28", "a digest would be the former version's"
        assert retagged(image, known) == image
