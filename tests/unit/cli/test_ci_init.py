"""``hybrid ci init`` at the command line: what it shows, writes, leaves alone and ends with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from hybrid.cli import main
from stacks.pipeline import PipelineSettings, parse_pipeline

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
STACK = """config:
  hybrid:organization: acme
  hybrid:agent: {kind: docker}
  hybrid:registry: {address: "r.example/acme"}
  hybrid:images: {secrets: {pip: "env:PIP_TOKEN", ca: "file:/etc/ca.pem"}}
  hybrid:environmentVariables:
    - {name: PASSWORD, fromEnvironment: WAREHOUSE_PASSWORD}
    - {name: STAGE, value: staging}
"""
PIPELINE = """deploy:
  - stack: staging
  - {stack: prod, approval: true}
branchDeployments: {stack: staging}
"""
FOLDER = ".github/workflows"


@dataclass
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    for name in ("staging", "prod"):
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(STACK)
    (tmp_path / "stacks" / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("HYBRID_ROOT", str(root))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", "ci", "init", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return Answer(0 if ended.value.code is None else int(ended.value.code), out, err)

    return run


def tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def test_help_has_an_example(call: Call) -> None:
    answer = call("--help")
    assert answer.code == 0
    assert "Examples" in answer.out


def test_without_write_the_difference_is_shown_and_nothing_is_written(call: Call, root: Path) -> None:
    before = tree(root)
    answer = call("github")
    assert answer.code == 0, answer.err
    assert f"+++ {FOLDER}/review.yml" in answer.out
    assert "--- /dev/null" in answer.out, "they are new"
    assert tree(root) == before
    assert "--write" in answer.err, "how to go on"


def test_write_writes_and_says_which_environments_are_needed(call: Call, root: Path) -> None:
    answer = call("github", "--write")
    assert answer.code == 0, answer.err
    assert {path for path in tree(root) if path.startswith(".github")} == {
        f"{FOLDER}/{name}.yml" for name in ("branch", "deploy", "drift", "review")
    }
    assert "- review (open to pull requests)" in answer.err
    assert "- prod (bound to the branch main, with required reviewers)" in answer.err
    deploy = yaml.safe_load((root / FOLDER / "deploy.yml").read_text())["jobs"]["deploy-staging"]["steps"][-1]
    assert {"WAREHOUSE_PASSWORD", "PIP_TOKEN"} <= set(deploy["env"]), "what the stack takes from its environment"
    again = call("github", "--write")
    assert (again.code, again.out) == (0, ""), "and nothing is left to write"


def test_check_ends_with_3_until_they_are_what_would_be_written(call: Call, root: Path) -> None:
    assert call("github", "--check").code == 3
    assert call("github", "--write").code == 0
    assert call("github", "--check").code == 0
    (root / "stacks" / "pipeline.yaml").write_text(PIPELINE + "branch: trunk\n")
    answer = call("github", "--check")
    assert answer.code == 3
    assert '+    branches: ["trunk"]' in answer.out, "what differs is shown"
    assert "hybrid ci init github --write" in answer.err, "and what to do"


def test_what_nobody_edited_is_brought_up_to_date(call: Call, root: Path) -> None:
    call("github", "--write")
    (root / "stacks" / "pipeline.yaml").write_text("branch: trunk\n")
    answer = call("github", "--write")
    assert answer.code == 0, answer.err
    assert "trunk" in (root / FOLDER / "review.yml").read_text()
    assert not (root / FOLDER / "branch.yml").exists(), "branch deployments are no more wanted, nor is their workflow"
    assert "branch.yml" in answer.err, "which is said"


def test_what_somebody_edited_is_left_as_found(call: Call, root: Path) -> None:
    call("github", "--write")
    mine = (root / FOLDER / "deploy.yml").read_text() + "# ours\n"
    (root / FOLDER / "deploy.yml").write_text(mine)
    (root / FOLDER / "branch.yml").write_text("name: ours\n")
    (root / "stacks" / "pipeline.yaml").write_text("branch: trunk\n")
    answer = call("github", "--write")
    assert answer.code == 3
    assert (root / FOLDER / "deploy.yml").read_text() == mine
    assert (root / FOLDER / "branch.yml").read_text() == "name: ours\n", "nor is a file of somebody's own removed"
    assert "trunk" in (root / FOLDER / "review.yml").read_text(), "the others are written all the same"
    assert "-# ours" in answer.out, "the difference is shown"
    assert "--force" in answer.err
    forced = call("github", "--write", "--force")
    assert forced.code == 0, forced.err
    assert call("github", "--check").code == 0


def test_a_file_behind_a_link_is_not_written(call: Call, root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / ".github").symlink_to(elsewhere)
    answer = call("github", "--write")
    assert answer.code == 3
    assert "symbolic link" in answer.err
    assert list(elsewhere.iterdir()) == []


def test_gitlab_has_one_file(call: Call, root: Path) -> None:
    answer = call("gitlab", "--write", "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["written"] == [".gitlab/hybrid.yml"]
    assert [each["name"] for each in document["environments"]] == [
        "review",
        "comment",
        "branch",
        "staging",
        "prod",
        "drift",
    ]
    assert [each["name"] for each in document["environments"] if each["of_pull_requests"]] == [
        "review",
        "comment",
        "branch",
    ], "all others are bound to the branch"
    assert not (root / ".github").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("github", "--check", "--write"), 2, "exclude each other"),
        (("github", "--force"), 2, "--force is for --write"),
        (("bitbucket",), 2, "github"),
    ],
)
def test_a_wrong_call_says_what_is_right(call: Call, arguments: tuple[str, ...], code: int, says: str) -> None:
    answer = call(*arguments)
    assert answer.code == code
    assert says in answer.err


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        ("deploy: [{stack: other}]\n", "stacks that have no file: other"),
        ("branch: 'main; rm -rf /'\n", "stacks/pipeline.yaml are wrong"),
        ("- a\n", "is not a mapping"),
    ],
)
def test_a_wrong_pipeline_is_said_and_nothing_is_written(call: Call, root: Path, pipeline: str, says: str) -> None:
    (root / "stacks" / "pipeline.yaml").write_text(pipeline)
    answer = call("github", "--write")
    assert answer.code == 3
    assert says in answer.err
    assert not (root / ".github").exists()


def test_a_stack_called_like_an_environment_of_pull_requests_is_refused(call: Call, root: Path) -> None:
    (root / "stacks" / "Pulumi.review.yaml").write_text(STACK)
    (root / "stacks" / "pipeline.yaml").write_text("deploy: [{stack: review}]\n")
    answer = call("github", "--write")
    assert answer.code == 3
    assert "give the stack another name" in answer.err


def test_the_example_and_the_page_have_every_key_of_the_pipeline() -> None:
    text = (ROOT / "stacks" / "pipeline.yaml.example").read_text(encoding="utf-8")
    example = parse_pipeline(yaml.safe_load(text))
    assert {stack.stack for stack in example.deploy} == {"staging", "prod"}
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for key in keys(PipelineSettings.model_json_schema()):
        assert f"{key}:" in text, f"{key} is not in the example"
        assert f"`{key}`" in page or f".{key}`" in page or f"`{key}" in page, f"{key} is not in docs/ci.md"


def keys(schema: dict[str, object]) -> set[str]:
    found = set(schema.get("properties", {}))  # type: ignore[call-overload]
    for definition in schema.get("$defs", {}).values():  # type: ignore[attr-defined]
        found |= set(definition.get("properties", {}))
    return found
