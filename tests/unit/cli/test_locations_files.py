"""``hybrid locations render`` and ``convert`` at the command line: what they print, write, refuse and end with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybrid.cli import main

pytestmark = pytest.mark.unit

STACK = """config:
  hybrid:environment: prod
  hybrid:agent: {kind: docker}
  hybrid:registry: {address: "127.0.0.1:5000/acme"}
"""
PROJECT = """[project]
name = "hello"
dependencies = ["dagster", "dagster-cloud"]

[tool.dg.project]
root_module = "hello"
"""
LEGACY = """locations:
  - location_name: orders
    code_source: {module_name: orders.definitions}
    executable_path: /opt/python
    build: {registry: r.example/orders}
    container_context: {docker: {env_vars: [A=b=c]}}
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text(STACK)
    folder = tmp_path / "locations" / "Hello"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "container_context.yaml").write_text("docker: {env_vars: [STAGE=dev]}\n")
    (folder / "container_context.prod.yaml").write_text("docker: {env_vars: [STAGE=prod]}\n")
    return tmp_path


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("HYBRID_ROOT", str(root))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(root)

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", "locations", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return Answer(0 if ended.value.code is None else int(ended.value.code), out, err)

    return run


def tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["render", "convert"])
def test_help_has_an_example(call: Call, command: str) -> None:
    answer = call(command, "--help")
    assert answer.code == 0
    assert "Example" in answer.out


def test_render_prints_the_environment_and_writes_nothing(call: Call, root: Path) -> None:
    before = tree(root)
    answer = call("render", "--env", "prod")
    assert answer.code == 0, answer.err
    assert "# --- .build/prod/Hello/container_context.yaml" in answer.out
    assert "STAGE=prod" in answer.out
    assert "STAGE=dev" not in answer.out
    assert tree(root) == before


def test_render_writes_once_and_takes_its_own_leftovers_away(call: Call, root: Path) -> None:
    assert call("render", "--env", "prod", "--write").code == 0
    first = tree(root)
    assert ".build/prod/Hello/build.yaml" in first
    again = call("render", "--env", "prod", "--write", "--json")
    assert json.loads(again.out)["written"] == [], "nothing changed"
    (root / "locations" / "Hello").rename(root / "locations" / "renamed")
    moved = json.loads(call("render", "--env", "prod", "--write", "--json").out)
    assert ".build/prod/Hello/build.yaml" in moved["removed"]
    assert not (root / ".build" / "prod" / "Hello").exists()


def test_check_ends_with_3_until_the_registry_is_what_up_would_set(call: Call, root: Path) -> None:
    path = root / "locations" / "Hello" / "build.prod.yaml"
    answer = call("render", "--env", "prod", "--check")
    assert answer.code == 3
    assert "locations/Hello/build.prod.yaml is not there" in answer.err
    assert "127.0.0.1:5000/acme/hello" in answer.err, "a repository has no capitals"
    path.write_text("registry: r.example/else\n")
    answer = call("render", "--env", "prod", "--check", "--json")
    assert answer.code == 3
    assert json.loads(answer.out)["faults"] == [
        "locations/Hello/build.prod.yaml, line 1: `registry` is r.example/else, not 127.0.0.1:5000/acme/hello."
    ]
    path.write_text("registry: 127.0.0.1:5000/acme/hello\n")
    assert call("render", "--env", "prod", "--check").code == 0, "outside of git there is nothing to be committed"
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    answer = call("render", "--env", "prod", "--check")
    assert (answer.code, "not committed" in answer.err) == (3, True)


def test_a_pinned_location_has_its_digest_and_no_registry_to_check(call: Call, root: Path) -> None:
    pin = "127.0.0.1:5000/acme/hello@sha256:" + "1" * 64
    (root / "stacks" / "Pulumi.prod.yaml").write_text(STACK + f"  hybrid:pins: {{Hello: '{pin}'}}\n")
    assert call("render", "--env", "prod", "--check").code == 0, "`up` writes no registry for it"
    assert pin in call("render", "--env", "prod").out


def test_an_environment_that_no_stack_has_is_refused_with_those_that_are(call: Call) -> None:
    answer = call("render", "--env", "prd")
    assert answer.code == 2
    assert "There are: prod." in answer.err


def test_an_overlay_of_an_unknown_environment_is_listed(call: Call, root: Path) -> None:
    (root / "locations" / "Hello" / "build.prd.yaml").write_text("registry: x\n")
    (root / "locations" / "container_context.prod.yml").write_text("{}\n")
    (root / "stacks" / "local.example.yaml").write_text("")
    (root / "locations" / "Hello" / "build.local.yaml").write_text("registry: x\n")
    answer = call("render", "--env", "prod", "--json")
    assert json.loads(answer.out)["strangeOverlays"] == [
        "locations/Hello/build.prd.yaml",
        "locations/container_context.prod.yml",
    ], "one is misspelt, one ends as nothing that is read; a personal stack's is known"
    assert "build.prd.yaml is of an environment that no stack has" in answer.err


def test_check_and_write_exclude_each_other(call: Call) -> None:
    assert call("render", "--env", "prod", "--check", "--write").code == 2


@pytest.fixture
def legacy(root: Path) -> Path:
    folder = root / "old"
    folder.mkdir()
    (folder / "dagster_cloud.yaml").write_text(LEGACY)
    return folder


def test_convert_shows_the_files_and_what_they_cannot_say(call: Call, root: Path, legacy: Path) -> None:
    before = tree(root)
    answer = call("convert", "old")
    assert answer.code == 0, answer.err
    assert '+root_module = "orders"' in answer.out
    assert "+registry: r.example/orders" in answer.out
    assert "- orders: executable_path: a dg project has no word for it; it was /opt/python" in answer.out
    assert tree(root) == before


def test_convert_writes_beside_what_is_there_and_a_second_time_nothing(call: Call, legacy: Path) -> None:
    (legacy / "pyproject.toml").write_text('# ours\n[project]\nname = "orders"\n')
    (legacy / "build.yaml").write_text("registry: r.example/orders # ours\n")
    answer = call("convert", "old/dagster_cloud.yaml", "--write", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["written"] == ["container_context.yaml", "pyproject.toml"]
    assert (legacy / "pyproject.toml").read_text().startswith('# ours\n[project]\nname = "orders"\n\n[tool.dg]\n')
    assert (legacy / "build.yaml").read_text() == "registry: r.example/orders # ours\n", "it says the same"
    assert json.loads(call("convert", "old", "--write", "--json").out)["written"] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("build.yaml", "registry: r.example/other\n"),
        ("container_context.yaml", "docker: {env_vars: [A=1]}\n"),
        ("pyproject.toml", '[tool.dg.project]\nroot_module = "other"\n'),
    ],
)
def test_convert_replaces_nothing_that_says_something_else(
    call: Call, root: Path, legacy: Path, name: str, text: str
) -> None:
    (legacy / name).write_text(text)
    before = tree(root)
    answer = call("convert", "old", "--write")
    assert answer.code == 3
    assert f"Nothing is written: old/{name} says something else" in answer.err
    assert "-" + text.splitlines()[-1] in answer.err, "the difference is shown"
    assert tree(root) == before, "all or nothing"


def test_convert_makes_one_older_file_of_all_projects_in_a_folder(call: Call, root: Path) -> None:
    answer = call("convert", "locations", "--to", "legacy", "--json")
    said = json.loads(answer.out)
    assert "location_name: Hello" in said["files"]["dagster_cloud.yaml"]
    assert "directory: Hello" in said["files"]["dagster_cloud.yaml"]
    assert any("container_context.prod.yaml" in sentence for sentence in said["unsaid"])


@pytest.mark.parametrize(("path", "to"), [("none", "build"), ("stacks", "build"), ("stacks", "legacy")])
def test_convert_refuses_what_has_nothing_to_convert(call: Call, path: str, to: str) -> None:
    assert call("convert", path, "--to", to).code == 2


def test_convert_writes_through_no_link(call: Call, root: Path, legacy: Path) -> None:
    (legacy / "build.yaml").symlink_to(root / "stacks" / "Pulumi.prod.yaml")
    assert call("convert", "old", "--write").code == 3
    assert (root / "stacks" / "Pulumi.prod.yaml").read_text() == STACK
