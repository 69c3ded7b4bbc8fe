"""`hybrid locations check` on locations whose environments are stand-ins: what it answers, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from hybrid.cli import main
from hybrid.delivery.virtualenv import VirtualEnvironmentSpec
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

PYPROJECT = """[project]
name = "{name}"
version = "0"
dependencies = ["dagster", "dagster-cloud"]
[dependency-groups]
dev = ["pytest"]
[tool.dg.project]
root_module = "{name}"
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the locations `good` and `other`, whose environments load everything."""
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.local.yaml").write_text("config:\n  hybrid:deployment: prod\n")
    (tmp_path / "stacks/Pulumi.second.yaml").write_text("config:\n  hybrid:environment: qa\n")
    for name in ("good", "other"):
        (tmp_path / "locations" / name / "src" / name).mkdir(parents=True)
        (tmp_path / "locations" / name / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    environment(tmp_path, "All code locations passed validation.")
    environment(tmp_path, "All code locations passed validation.", "pytest")
    return tmp_path


def environment(checkout: Path, event: str, *further: str, code: int = 0) -> Path:
    """A finished environment of both locations whose `dagster` says ``event``."""
    workspace = Workspace(checkout)
    requirements = ("dagster", "dagster-cloud", *further)
    path = VirtualEnvironmentSpec(workspace.environments, requirements, None, str(workspace.python)).path
    (path / "bin").mkdir(parents=True, exist_ok=True)
    (path / ".complete").touch()
    said = json.dumps({"event": event})
    scripts = {"dagster": f"cat <<'END'\n{said}\nEND\nexit {code}", "python": "echo 1 failed\nexit 1"}
    for name, text in scripts.items():
        (path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (path / "bin" / name).chmod(0o755)
    for name in ("dagster", "dagster_cloud"):
        release = version("dagster-cloud")
        info = path / f"lib/python3.11/site-packages/{name}-{release}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")
    return path


@pytest.fixture
def call(checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """Run the command; its exit code, its answer and its notes."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hybrid", "locations", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_all_locations_of_local_are_checked_when_nothing_is_named(call):
    code, out, err = call()

    assert code == 0
    assert "✓ good" in out
    assert "✓ other" in out
    assert "loading its definitions" in err, "progress is beside the answer"


def test_a_location_that_fails_ends_it_with_the_code_of_wrong_settings(call, checkout):
    environment(checkout, "Validation failed for code location x:\n\nValueError: postgres://me:swordfish@h", code=1)

    code, out, err = call("local", "good")

    assert code == 3
    assert "ValueError" in out
    assert "swordfish" not in out + err
    assert "other" not in out, "only what is named is checked"


def test_the_answer_for_machines_is_one_document(call, checkout):
    (checkout / "locations/good/container_context.yaml").write_text("ecs:\n  envvars: []\n")

    code, out, _ = call("--json")

    document = json.loads(out)
    good, other = document["locations"]
    assert code == 0, "what another platform's context says stops nothing"
    assert document["passed"] is True
    assert good["findings"][0]["severity"] == "warning"
    assert good["findings"][0]["where"] == "locations/good/container_context.yaml, line 2"
    assert other == {"name": "other", "passed": True, "seconds": other["seconds"], "findings": []}


def test_the_tests_of_a_location_run_on_request_alone(call):
    assert call("local", "good")[0] == 0

    code, out, _ = call("local", "good", "--tests")

    assert code == 3
    assert "its tests fail" in out


def test_an_environment_that_cannot_be_made_is_a_finding_of_its_location(call, checkout):
    text = PYPROJECT.format(name="good").replace('"dagster",', '"dagster", "no-such @ file:///no/such/folder",')
    (checkout / "locations/good/pyproject.toml").write_text(text)

    code, out, _ = call("--json")

    good, other = json.loads(out)["locations"]
    assert code == 3
    assert "virtual environment could not be made" in good["findings"][0]["what"]
    assert other["passed"] is True, "one broken location does not hide the others"


def test_a_stack_can_be_named_by_its_environment(call):
    code, out, _ = call("--env", "qa", "other", "--json")

    assert code == 0
    assert json.loads(out)["stack"] == "second"
    assert [location["name"] for location in json.loads(out)["locations"]] == ["other"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["good"], "hybrid locations check local good"),
        (["local", "goood"], "did you mean good?"),
        (["--env", "prod"], "No stack is of the environment 'prod'"),
    ],
)
def test_names_that_are_not_there_are_answered_with_those_that_are(call, arguments, said):
    code, out, err = call(*arguments)

    assert code == 2
    assert said in err
    assert out == ""


def test_the_help_has_an_example(call):
    assert "Example" in call("--help")[1]
