"""Flat build files of one environment: what is in them, and how they are written. That the stock tools read them is in
tests/contracts/test_build_files.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.project import CodeSource
from hybrid.delivery.references import LocationImage, NamedLocation
from hybrid.delivery.registry_overlay import registry_faults, registry_overlay
from hybrid.delivery.render import MARK, flat_files, flat_folder
from hybrid.delivery.written_files import remove_leftovers, write_files
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

DIGEST = "r.example/hello@sha256:" + "0" * 64


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "locations" / "hello"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "hello"\nagent_queue = "gpu"\n')
    (folder / "build.yaml").write_text("registry: r.example/base\n")
    (folder / "build.prod.yaml").write_text("registry: r.example/hello\n")
    (folder / "container_context.yaml").write_text("ecs: &e {env_vars: [A=1, 'U=p://h?m=x']}\ndocker: *e\n")
    (folder / "container_context.prod.yaml").write_text("ecs: {env_vars: [A=2]}\n")
    return tmp_path


def flat(root: Path, **images: str) -> dict[str, str]:
    image = LocationImage("r.example/x:1", "built_elsewhere", CodeSource("module_name", "x"), working_directory="/x")
    locations = find_code_locations(root, [NamedLocation("hello"), image], environment="prod")
    return flat_files("prod", locations, root=root, images=images)


def test_flat_files_are_the_environment_with_a_word_on_where_they_come_from(checkout: Path) -> None:
    files = flat(checkout)
    assert sorted(files) == [
        ".build/prod/built_elsewhere/container_context.yaml",
        ".build/prod/dagster_cloud.yaml",
        ".build/prod/hello/build.yaml",
        ".build/prod/hello/container_context.yaml",
    ], "an image that is built elsewhere is not built from anything here"
    for text in files.values():
        assert text.startswith(f"{MARK}\n# The environment prod, from:\n")
    assert "#   locations/hello/container_context.prod.yaml\n" in files[".build/prod/hello/build.yaml"]
    assert yaml.safe_load(files[".build/prod/hello/build.yaml"]) == {
        "registry": "r.example/hello",
        "directory": "../../../locations/hello",
    }
    context = files[".build/prod/hello/container_context.yaml"]
    assert yaml.safe_load(context)["ecs"]["env_vars"] == ["A=2", "U=p://h?m=x"]
    assert "&" not in context, "other tools read the file; aliases are for people"


def test_the_older_shape_has_all_locations_and_images_by_digest(checkout: Path) -> None:
    elsewhere, hello = yaml.safe_load(flat(checkout, hello=DIGEST)[".build/prod/dagster_cloud.yaml"])["locations"]
    assert hello == {
        "location_name": "hello",
        "code_source": {"module_name": "hello.definitions"},
        "build": {"registry": "r.example/hello", "directory": "../../locations/hello"},
        "image": DIGEST,
        "agent_queue": "gpu",
        "container_context": {
            "ecs": {"env_vars": ["A=2", "U=p://h?m=x"]},
            "docker": {"env_vars": ["A=1", "U=p://h?m=x"]},
        },
    }
    assert elsewhere == {
        "location_name": "built_elsewhere",
        "code_source": {"module_name": "x"},
        "image": "r.example/x:1",
        "working_directory": "/x",
    }


def test_the_same_locations_give_the_same_text_wherever_the_checkout_lies(checkout: Path, tmp_path: Path) -> None:
    before = flat(checkout)
    moved = tmp_path / "moved"
    moved.mkdir()
    (checkout / "locations").rename(moved / "locations")
    assert flat(moved) == before


def test_files_are_written_once_and_only_own_leftovers_are_removed(checkout: Path) -> None:
    files = flat(checkout)
    assert write_files(checkout, files) == tuple(files)
    assert write_files(checkout, files) == (), "nothing changed, so nothing is touched"
    folder = checkout / flat_folder("prod")
    (folder / "gone").mkdir()
    (folder / "gone" / "build.yaml").write_text(f"{MARK}\nregistry: x\n")
    (folder / "note.txt").write_text("a person's")
    (folder / "link.yaml").symlink_to(checkout / "locations" / "hello" / "build.yaml")
    assert remove_leftovers(checkout, flat_folder("prod"), files.keys(), mark=MARK) == (".build/prod/gone/build.yaml",)
    assert not (folder / "gone").exists()
    assert (folder / "note.txt").exists(), "what nobody marked is somebody's"
    assert (folder / "link.yaml").is_symlink()
    assert not list(folder.rglob(".*")), "nothing half-written stays"


@pytest.mark.parametrize("link", [".build", ".build/prod", ".build/prod/hello/build.yaml"])
def test_nothing_is_written_or_removed_through_a_link(checkout: Path, link: str) -> None:
    outside = checkout / "outside"
    outside.mkdir()
    place = checkout / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    with pytest.raises(SettingsError, match="not a plain text file in plain folders"):
        write_files(checkout, flat(checkout))
    if not link.endswith(".yaml"):
        with pytest.raises(SettingsError, match="not a plain text file in plain folders"):
            remove_leftovers(checkout, flat_folder("prod"), (), mark=MARK)
    assert list(outside.iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_refused_and_nothing_is_written(checkout: Path) -> None:
    (checkout / ".build").write_text("")
    with pytest.raises(SettingsError):
        write_files(checkout, flat(checkout))
    assert (checkout / ".build").read_text() == ""


def faults(root: Path, address: str = "r.example") -> tuple[str, ...]:
    return registry_faults(
        find_code_locations(root, environment="prod"), root=root, environment="prod", address=address
    )


def test_a_registry_that_up_would_not_set_is_named_with_its_line(checkout: Path) -> None:
    assert faults(checkout) == ()
    overlay = checkout / "locations" / "hello" / "build.prod.yaml"
    overlay.write_text("# ours\nregistry: r.example/old\n")
    assert faults(checkout) == (
        "locations/hello/build.prod.yaml, line 2: `registry` is r.example/old, not r.example/hello.",
    )
    overlay.write_text("directory: .\n")
    assert faults(checkout) == ("locations/hello/build.prod.yaml has no `registry`; it is to be r.example/hello.",)
    overlay.unlink()
    assert faults(checkout) == (
        "locations/hello/build.prod.yaml is not there; its `registry` is to be r.example/hello.",
    )


def test_a_file_that_is_not_committed_as_it_is_is_named(checkout: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=checkout, check=True, capture_output=True)

    said = ("locations/hello/build.prod.yaml is not committed as it is.",)
    git("init", "-q")
    assert faults(checkout) == said, "untracked"
    git("add", ".")
    assert faults(checkout) == said, "staged"
    git("commit", "-qm", "x")
    assert faults(checkout) == ()
    (checkout / "locations" / "hello" / "build.prod.yaml").write_text("registry: r.example/hello\n# edited\n")
    assert faults(checkout) == said, "changed since"
    git("rm", "-q", "--cached", "locations/hello/build.prod.yaml")
    (checkout / ".gitignore").write_text("build.prod.yaml\n")
    git("add", ".gitignore")
    git("commit", "-qm", "ignored")
    assert faults(checkout) == said, "ignored"


def test_there_is_no_such_file_where_up_writes_none(checkout: Path, tmp_path: Path) -> None:
    (location,) = find_code_locations(checkout)
    assert registry_overlay(location, checkout, "prod") == "locations/hello/build.prod.yaml"
    assert registry_overlay(location, checkout / "elsewhere", "prod") is None, "outside of the checkout"
    (checkout / "locations" / "hello" / "pyproject.toml").unlink()
    for name in ("build.yaml", "container_context.yaml"):
        (checkout / "locations" / "hello" / name).unlink()
    (checkout / "locations" / "hello" / "dagster_cloud.yaml").write_text(
        "locations:\n"
        "  - {location_name: a, code_source: {module_name: a}}\n"
        "  - {location_name: b, code_source: {module_name: b}}\n"
    )
    shared = find_code_locations(checkout, environment="prod")
    assert [registry_overlay(each, checkout, "prod") for each in shared] == [None, None], "one file, two repositories"
