"""What locations of older shapes list in requirements.txt and setup.py, which Serverless reads together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.dependencies import require_dagster_cloud
from hybrid.delivery.references import LocationPath
from hybrid.delivery.requirement_files import is_requirement, listed_in_setup, listed_in_text
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

SETUP = 'from setuptools import setup\nsetup(name="a", install_requires=["dagster==1.13.27", "dagster-cloud"])\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "dagster_cloud.yaml").write_text(
        "locations:\n  - location_name: alpha\n    code_source: {module_name: alpha}\n"
    )
    return tmp_path


def alpha(root: Path, **texts: str) -> CodeLocationFolder:
    for name, text in texts.items():
        (root / "team" / name.replace("_", ".")).write_text(text)
    (found,) = find_code_locations(root, [LocationPath("team")])
    return found


def test_a_setup_and_a_requirements_file_count_together(root: Path) -> None:
    found = alpha(root, setup_py=SETUP, requirements_txt="# of the team\npolars>=1  # tables\n-r more.txt\n")
    assert found.requirements == ("polars>=1", "dagster==1.13.27", "dagster-cloud"), "Serverless installs both"
    require_dagster_cloud([found])


def test_a_requirements_file_adds_to_a_pyproject(root: Path) -> None:
    project = '[project]\nname = "alpha"\nversion = "1"\ndependencies = ["dagster", "dagster-cloud"]\n'
    found = alpha(root, requirements_txt="dagster\npolars\n", pyproject_toml=project)
    assert found.requirements == ("dagster", "dagster-cloud", "polars"), "Serverless takes all of them together"


def test_in_a_dg_project_what_its_pyproject_lists_is_all_that_counts(root: Path) -> None:
    project = '[project]\nname = "alpha"\nversion = "1"\ndependencies = ["dagster"]\n'
    (root / "team" / "dagster_cloud.yaml").unlink()
    table = '[tool.dg.project]\nroot_module = "alpha"\n'
    assert alpha(root, requirements_txt="polars\n", pyproject_toml=project + table).requirements == ("dagster",)
    bare = '[project]\nname = "alpha"\nversion = "1"\n'
    assert alpha(root, pyproject_toml=bare + table).requirements == ("polars",), "unless it lists none"


def test_a_lock_has_all_already(root: Path) -> None:
    found = alpha(root, setup_py=SETUP, requirements_txt="dagster==1.13.27 --hash=sha256:00\n")
    assert found.requirements == (), "another version beside the lock could not be installed"
    assert found.lock == root / "team" / "requirements.txt"


def test_a_wheel_in_the_folder_is_installed_and_one_elsewhere_is_not(root: Path) -> None:
    name = "dagster_asset_values-0.1.0-py3-none-any.whl"
    (root / "team" / "wheels").mkdir()
    for place in (root / "team" / "wheels", root):
        (place / name).write_bytes(b"")
    listed = f"./wheels/{name}\n./../{name}\n./wheels/not-there-1-py3-none-any.whl\n./wheels/odd.whl\n"
    wheel = (root / "team" / "wheels" / name).as_uri()
    assert alpha(root, requirements_txt=listed).requirements == (f"dagster-asset-values @ {wheel}",)


def test_the_file_that_lists_too_little_is_named(root: Path) -> None:
    found = alpha(root, requirements_txt="dagster\n")
    with pytest.raises(SettingsError, match=r"team/requirements\.txt"):
        require_dagster_cloud([found])


@given(st.text(max_size=300))
@settings(deadline=None)
def test_no_text_breaks_the_readers(text: str) -> None:
    for found, _ in (listed_in_text(text), listed_in_setup(text)):
        assert all(is_requirement(each) for each in found), "only what an installer understands is handed on"
