"""Documents and content hashes of code locations. Whether Dagster takes the documents is in
tests/contracts/test_locations.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hybrid.delivery import document as module
from hybrid.delivery.catalog import Build, CodeLocationFolder
from hybrid.delivery.document import content_hash, location_document
from hybrid.delivery.project import CodeSource
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit


def location(**changes: object) -> CodeLocationFolder:
    values: dict[str, object] = {
        "name": "hello",
        "folder": Path("/checkout/locations/hello"),
        "code_source": CodeSource("module_name", "hello.definitions"),
        "working_directory": Path("/checkout/locations/hello/src"),
        "requirements": (),
        "lock": None,
        "requires_python": None,
        "build": Build(registry=None, directory=Path("/checkout/locations/hello")),
        "container_context": {},
        "agent_queue": None,
        "image": None,
    }
    return CodeLocationFolder(**(values | changes))  # type: ignore[arg-type]


def test_a_location_of_this_machine_runs_from_its_folder_in_its_own_environment() -> None:
    assert location_document(location(), executable_path="/environments/1/bin/python") == {
        "location_name": "hello",
        "code_source": {"module_name": "hello.definitions"},
        "executable_path": "/environments/1/bin/python",
        "working_directory": "/checkout/locations/hello/src",
    }


def test_a_file_of_python_is_named_by_its_whole_path_on_this_machine_and_as_written_in_an_image() -> None:
    from_file = location(code_source=CodeSource("python_file", "reports/main.py"))
    here = location_document(from_file)["code_source"]
    assert here == {"python_file": "/checkout/locations/hello/src/reports/main.py"}, "code servers start elsewhere"
    assert location_document(from_file, image="r/hello@sha256:1")["code_source"] == {"python_file": "reports/main.py"}


def test_a_path_of_this_machine_is_not_sent_with_an_image() -> None:
    assert "working_directory" not in location_document(location(), image="registry.example/hello@sha256:00")
    assert "working_directory" not in location_document(location(image="registry.example/hello@sha256:00"))


def test_an_image_just_built_goes_before_the_one_that_the_folder_names() -> None:
    document = location_document(location(image="old"), image="new", working_directory="/opt/hello")
    assert (document["image"], document["working_directory"]) == ("new", "/opt/hello")


def test_changing_a_document_leaves_its_location_alone() -> None:
    context = {"ecs": {"env_vars": ["A=1"]}}
    folder = location(container_context=context, agent_queue="gpu")
    document = location_document(folder, commit_hash="abc", repository_url="https://git.example/team/repo")
    document["container_context"]["ecs"]["env_vars"].append("B=2")
    assert folder.container_context == {"ecs": {"env_vars": ["A=1"]}}
    assert document["git"] == {"commit_hash": "abc", "url": "https://git.example/team/repo"}
    assert document["agent_queue"] == "gpu"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src" / "hello").mkdir(parents=True)
    (tmp_path / "src" / "hello" / "definitions.py").write_text("x = 1\n")
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def test_what_does_not_matter_does_not_change_the_hash(folder: Path) -> None:
    before = content_hash(folder)
    for name in (".git/HEAD", ".venv/lib/x.py", "src/hello/__pycache__/x.pyc", ".pytest_cache/x", "hello.egg-info/x"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    os.utime(folder / "pyproject.toml", (1, 1))
    (folder / "pyproject.toml").chmod(0o660)
    assert content_hash(folder) == before, "each of these would restart the location's code server for nothing"


def _edit(folder: Path) -> None:
    (folder / "src" / "hello" / "definitions.py").write_text("x = 2\n")


def _rename(folder: Path) -> None:
    (folder / "pyproject.toml").rename(folder / "pyproject.tom")


def _add_an_empty_file(folder: Path) -> None:
    (folder / "src" / "hello" / "__init__.py").touch()


def _make_executable(folder: Path) -> None:
    (folder / "pyproject.toml").chmod(0o755)


def _replace_by_a_link(folder: Path) -> None:
    (folder / "pyproject.toml").unlink()
    (folder / "pyproject.toml").symlink_to("src")


@pytest.mark.parametrize(
    "change",
    [_edit, _rename, _add_an_empty_file, _make_executable, _replace_by_a_link],
    ids=lambda change: change.__name__.strip("_"),
)
def test_what_matters_changes_the_hash(folder: Path, change: object) -> None:
    before = content_hash(folder)
    change(folder)  # type: ignore[operator]
    assert content_hash(folder) != before


def test_the_same_bytes_cut_differently_into_files_have_another_hash(tmp_path: Path) -> None:
    hashes = set()
    for number, (first, second) in enumerate([("ab", "c"), ("a", "bc")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "1").write_text(first)
        (folder / "2").write_text(second)
        hashes.add(content_hash(folder))
    assert len(hashes) == 2


def test_where_a_checkout_lies_does_not_matter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "renamed"
    before = content_hash(folder)
    folder.rename(elsewhere)
    assert content_hash(elsewhere) == before


def test_a_folder_with_data_in_it_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "dump").open("wb") as file:
        file.truncate(module.MAX_BYTES + 1)  # takes no space on disk
    with pytest.raises(SettingsError, match="more than 100 MiB"):
        content_hash(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "shadow").symlink_to("/etc/shadow")
    with pytest.raises(SettingsError, match="leads out of the location's folder"):
        content_hash(folder)


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(SettingsError, match="neither a file nor a folder"):
        content_hash(folder)
