"""`VirtualEnvironment` on the real engine with real uv, on a package that needs no network."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.program


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "SAYS = 'hello'\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path


def declared(*names, requirement):
    return "".join(
        f'VirtualEnvironment("{name}", VirtualEnvironmentArgs(parent=str(RUN / "environments"), '
        f"requirements=[{str(requirement)!r}]))\n"
        for name in names
    )


def test_two_locations_with_the_same_dependencies_share_one_environment_that_works(project, wheel):
    project.declare(declared("one", "two", requirement=wheel))
    project.up()

    one, two = project.outputs("one"), project.outputs("two")
    said = subprocess.run(
        [one["executable"], "-c", "import tiny; print(tiny.SAYS)"], capture_output=True, text=True, check=True
    )

    assert said.stdout == "hello\n"
    assert one["path"] == two["path"]
    assert [path.name for path in Path(one["path"]).parent.iterdir()] == [Path(one["path"]).name], "no build remains"
    assert list(Path(one["path"]).rglob("tiny.*.pyc")), "bytecode is compiled at install, not at each start"
    assert "3 unchanged" in project.up()


def test_an_environment_that_was_removed_is_built_again(project, wheel):
    project.declare(declared("one", requirement=wheel))
    project.up()
    path = Path(project.outputs("one")["path"])
    (path / ".complete").unlink()

    project.up()

    assert (path / ".complete").exists()
    project.destroy()
    assert path.exists(), "it is a cache: another stack may use it"


def test_a_requirement_that_cannot_be_installed_fails_with_uvs_words(project, tmp_path):
    project.declare(declared("one", requirement=tmp_path / "nope-1.0-py3-none-any.whl"))

    said = project.up(succeeds=False)

    assert "The virtual environment could not be made." in said
    assert "nope-1.0-py3-none-any.whl" in said
    assert not list((project.run_folder / "environments").iterdir()), "nothing half made is left"
