"""What a change does to contents, told by names of files; held against what is really hashed and sent."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from hybrid.delivery.document import content_hash, is_code
from hybrid.delivery.images.content import ignore_rules
from hybrid.delivery.images.context import read_context
from hybrid.delivery.images.ignore import IgnoreRules
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.selection import Changes
from hybrid.engine.recording import CHECKOUT
from hybrid.engine.stack import Stack
from hybrid.review.contents import ChangedContents
from hybrid.review.touched import is_of_the_program
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

PROJECT = """[project]
name = "{name}"
version = "0.1"
dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "{name}"
code_location_name = "{name}"
"""
KINDS = {
    "docker": "  hybrid:registry: {address: ghcr.io/acme}\n",
    "local": "",
    "ecs": '  hybrid:aws: {account: "123456789012", region: eu-west-1}\n',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("hello", "other"):
        (tmp_path / "locations" / name / "src" / name).mkdir(parents=True)
        (tmp_path / "locations" / name / "pyproject.toml").write_text(PROJECT.format(name=name))
        (tmp_path / "locations" / name / "requirements.lock").write_text("dagster==1.13.27\n")
    (tmp_path / "stacks").mkdir()
    for kind in ("image", "mirror"):
        (tmp_path / "agent" / kind).mkdir(parents=True)
        (tmp_path / "agent" / kind / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def contents(root: Path, *paths: str, kind: str = "docker", repository: Path | None = None) -> ChangedContents:
    organization = "" if kind == "local" else "  hybrid:organization: acme\n"
    text = f"config:\n{organization}  hybrid:agent: {{kind: {kind}}}\n{KINDS[kind]}"
    (root / "stacks" / "Pulumi.dev.yaml").write_text(text)
    changes = Changes((repository or root).resolve(), tuple(Path(path) for path in paths))
    return ChangedContents.of(Stack.read(Workspace(root), "dev"), root, changes)


def test_a_changed_file_is_in_the_image_and_in_the_code_of_its_location_alone(root: Path) -> None:
    found = contents(root, "locations/hello/src/hello/x.py", "README.md")
    assert found.marks == {"hello-image": ('files["src/hello/x.py"]',)}
    assert found.folders == {f"{CHECKOUT}/locations/hello": "src/hello/x.py"}


def test_a_local_agent_has_no_images(root: Path) -> None:
    found = contents(root, "locations/hello/src/hello/x.py", "agent/image/Dockerfile", kind="local")
    assert not found.marks
    assert found.folders


def test_build_files_are_neither_code_nor_content(root: Path) -> None:
    assert (
        contents(root, "locations/hello/build.dev.yaml", "locations/hello/container_context.yaml") == ChangedContents()
    )


def test_a_changed_lock_makes_another_environment(root: Path) -> None:
    assert contents(root, "locations/hello/requirements.lock").marks["hello-environment"] == ("path",)
    assert "hello-environment" not in contents(root, "locations/hello/src/hello/x.py").marks


@pytest.mark.parametrize(("kind", "folder"), [("docker", "image"), ("ecs", "mirror")])
def test_the_agents_own_image_is_built_from_its_folder(root: Path, kind: str, folder: str) -> None:
    assert contents(root, f"agent/{folder}/own/x.py", kind=kind).marks == {"agent-image": ('files["own/x.py"]',)}


def test_a_dockerfile_that_is_not_sent_is_told_of_all_the_same(root: Path) -> None:
    (root / "locations/hello/Dockerfile").write_text("FROM scratch\n")
    (root / "locations/hello/.dockerignore").write_text("Dockerfile\n")
    assert contents(root, "locations/hello/Dockerfile").marks == {"hello-image": ("dockerfile",)}


def test_a_checkout_in_a_folder_of_its_repository_is_found(root: Path) -> None:
    inner = root / "inner"
    inner.mkdir()
    for name in ("locations", "stacks", "agent"):
        (root / name).rename(inner / name)
    found = contents(inner, "inner/locations/hello/src/hello/x.py", "locations/hello/x.py", repository=root)
    assert found.folders == {f"{CHECKOUT}/locations/hello": "src/hello/x.py"}


def test_a_submodule_is_changed_as_a_whole(root: Path) -> None:
    assert contents(root, "locations/hello").marks["hello-image"] == ('files["(the whole folder)"]',)


PATHS = (
    *("a.py", "b/c.py", "b/c.pyc", "b/__pycache__/c.txt", "notes/x.md", "notes/keep/y.md", "deep/er/z", "build.yaml"),
    *("build.dev.yaml", "b/build.yaml", "container_context.yaml", "x.egg-info/PKG", ".git/config", "data~", ".env"),
)


@pytest.mark.parametrize(
    "text", ["", "notes\n", "notes\n!notes/keep\n", "*\n!b\n", "**/c.*\n!b/c.py\n", "notes/*\n!notes/keep"]
)
def test_a_path_is_left_out_as_it_is_when_the_folder_is_read(tmp_path: Path, text: str) -> None:
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    rules = IgnoreRules(text)
    sent = {path for path in read_context(tmp_path, rules).entries if not path.endswith("/")}
    assert {path for path in PATHS if not rules.leaves_out(path)} == sent


def test_the_usual_rules_leave_out_the_same(tmp_path: Path) -> None:
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    rules = ignore_rules(ImageSpec(repository="r", context=tmp_path))
    sent = {path for path in read_context(tmp_path, rules).entries if not path.endswith("/")}
    assert {path for path in PATHS if not rules.leaves_out(path)} == sent


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_code_exactly_when_it_is_hashed(tmp_path: Path, path: str) -> None:
    empty = content_hash(tmp_path)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(path)
    assert is_code(PurePosixPath(path)) is (content_hash(tmp_path) != empty)


def test_what_a_program_is_made_of_is_known_by_its_paths() -> None:
    program = ["stacks/ecs.py", "agent/image/Dockerfile", "infra/x.py", "hybrid/delivery/x.py", "Pulumi.yaml"]
    others = ["stacks/Pulumi.prod.yaml", "locations/a/x.py", "hybrid/review/x.py", "docs/x.md", "tests/x.py"]
    assert [path for path in [*program, *others] if is_of_the_program(path)] == program
