"""The Dockerfile that is made up. That it builds and its image runs is for tests/images to show."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.dockerfile import Dockerfile
from hybrid.delivery.images.scaffold import Layout, dockerfile, layout_of, scaffold

pytestmark = pytest.mark.unit

PROJECT = '[project]\nname = "x"\ndependencies = ["dagster"]\n[dependency-groups]\ndev = ["pytest"]\n'


def test_a_lock_with_hashes_is_installed_as_such(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements.lock").write_text("dagster==1.13.27 --hash=sha256:00\n")
    (tmp_path / "src").mkdir()

    assert layout_of(tmp_path) == Layout(("requirements.lock",), hashed=True, src=True)
    assert "--require-hashes -r /build/requirements.lock" in scaffold(tmp_path)


def test_without_a_lock_the_project_s_dependencies_are_installed(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    text = scaffold(tmp_path)

    assert "-r /build/pyproject.toml" in text
    assert "--group" not in text, "what development needs does not belong in an image"
    assert "--extra" not in text, "nor do extras"
    assert "PYTHONPATH=/opt/dagster/app " in text, "there is no src folder"


@pytest.mark.parametrize("broken", ["= no toml", "[project]\nname = 'x'\n", "project = 1"])
def test_a_project_without_dependencies_gives_way_to_requirements_txt(tmp_path, broken):
    (tmp_path / "pyproject.toml").write_text(broken)
    (tmp_path / "requirements.txt").write_text("dagster\n")

    assert layout_of(tmp_path).requirements == ("requirements.txt",)


SETUP = "from setuptools import setup\nsetup(name='x', install_requires=['dagster'])\n"
SETUP_CFG = "[metadata]\nname = x\n[options]\ninstall_requires =\n    dagster\n"
POETRY = '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry.dependencies]\ndagster = "1.13.27"\n'


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.py", SETUP),
        ("setup.cfg", SETUP_CFG),
        ("pyproject.toml", '[project]\nname = "x"\ndynamic = ["dependencies"]\n'),
        ("pyproject.toml", POETRY),
    ],
)
def test_where_only_a_build_can_tell_what_is_needed_the_folder_itself_is_installed(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    made = scaffold(tmp_path)

    assert layout_of(tmp_path).from_folder == (".",), "an image without anything installed cannot even start"
    assert "uv pip install" in made
    assert made.index("WORKDIR /build/source") < made.index("uv pip install"), "a build leaves files in its folder"
    assert ("> setup.py" in made) == (file == "setup.cfg"), "no installer takes a setup.cfg alone"


def test_beside_a_setup_py_its_requirements_come_first(tmp_path):
    (tmp_path / "setup.py").write_text(SETUP)
    (tmp_path / "requirements.txt").write_text("polars\n")
    made = scaffold(tmp_path)

    assert made.index("-r /build/requirements.txt") < made.index("COPY . ."), "they stay when only code has changed"
    assert made.count("uv pip install") == 2, "what setup.py lists is needed too"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.cfg", "[flake8]\nmax-line-length = 120\n"),
        ("setup.cfg", "no section\n"),
        ("pyproject.toml", "[tool.ruff]\nline-length = 120\n"),
        ("pyproject.toml", "tool = 1\n[build-system]\nrequires = []\n"),
        ("pyproject.toml", "[project]\nname = 'x'\ndynamic = 1\n"),
    ],
)
def test_a_file_of_settings_makes_no_package(tmp_path, file, text):
    (tmp_path / file).write_text(text)

    assert layout_of(tmp_path) == Layout((), src=False)


def test_code_comes_last_so_that_a_change_of_it_makes_one_layer():
    text = dockerfile(Layout(("pyproject.toml",)))
    final = text[text.rindex("\nFROM") :]

    assert text.index("uv pip install") < text.index("COPY . ."), "dependencies do not wait for code"
    assert final.rstrip().endswith("COPY --from=builder /opt/dagster/app /opt/dagster/app")
    assert "USER 1000:1000" in final, "nothing runs as root"
    assert "grpc-health-check" in final
    assert "SSL_CERT_FILE" not in final, "the builder's certificates are not the image's"


def test_one_argument_chooses_the_base_of_both_stages():
    read = Dockerfile(dockerfile(Layout(())), {"PYTHON_IMAGE": "mine:1"})

    assert read.references == ("mine:1",)
    assert Dockerfile(dockerfile(Layout(())), {}).references == ("python:3.12-slim",)
