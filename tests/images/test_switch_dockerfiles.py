"""The Dockerfiles that `hybrid switch plan` proposes, built by the real engine: code can be imported, hooks have had
their effects in the order and the places of Serverless."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.spec import ImageSpec
from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.fixes.catalogue import fixes_for
from hybrid.switch.fixes.fix import Texts, Wishes

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1800)]

CODE = """from dagster import Definitions, asset
import helper

@asset
def numbers():
    return helper.numbers()

defs = Definitions(assets=[numbers])
"""
PRE = """#!/bin/sh
set -e
echo "pre $(pwd) $(ls /requirements.txt) $(ls /opt/dagster/app 2>/dev/null | wc -l) $(id -u)" >> /effects
mkdir -p /root/.cache/browser && echo kept > /root/.cache/browser/kept
"""
POST = """#!/bin/sh
set -e
found=$(python3 -c 'import importlib.util as u; print(bool(u.find_spec("dagster")))')
echo "post $(pwd) $(ls numbers_defs.py) $found" >> /effects
"""
REQUIREMENTS = "dagster==1.13.27\ndagster-cloud==1.13.27\n"


def proposed(folder, kind, location="numbers", **facts):
    """The Dockerfile for ``folder``, written into it."""
    texts = {
        path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    finding = Finding(kind, Weight.MUST, "dagster_cloud.yaml:1", "", "", location, {"folder": ".", **facts})
    (file,) = fixes_for([finding], Texts(texts), Wishes("prod")).files
    assert file.path == "Dockerfile"
    (folder / "Dockerfile").write_text(file.text)


@pytest.fixture
def image_of(containers, builder, read, repository):
    """Built and pushed as `hybrid up` does it, from this machine's base."""

    def build(folder, argument):
        spec = ImageSpec(
            repository,
            folder,
            folder / "Dockerfile",
            arguments={argument: containers.python_image},
            secrets={"certificates": f"file:{containers.certificates}"} if containers.certificates else {},
        )
        return builder.publish(spec, read(spec), lambda text: None).reference

    return build


def said(containers, image, *command):
    return containers.run("run", "--rm", "--network", "none", image, *command, seconds=120)


def test_an_image_with_hooks_runs_them_where_and_when_serverless_does(containers, image_of, tmp_path):
    for name, text in {
        "numbers_defs.py": CODE,
        "helper.py": "numbers = lambda: [1]\n",
        "requirements.txt": REQUIREMENTS,
    }.items():
        (tmp_path / name).write_text(text)
    for name, text in {"dagster_cloud_pre_install.sh": PRE, "dagster_cloud_post_install.sh": POST}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    proposed(tmp_path, FindingKind.DOCKER_HOOKS, executable_path="/usr/local/bin/python3")
    image = image_of(tmp_path, "BASE_IMAGE")
    effects = said(containers, image, "cat", "/effects").splitlines()
    assert effects == [
        "pre / /requirements.txt 0 0",
        "post /opt/dagster/app numbers_defs.py True",
    ], "before anything is installed or copied, with what it may read; and after all"
    kept = said(containers, image, "cat", "/root/.cache/browser/kept")
    assert kept.strip() == "kept", "what a hook leaves in a cache is not in a mount that is gone"
    loaded = said(
        containers, image, "python3", "-c", "import dagster, numbers_defs; print(len(dagster.__version__) > 0)"
    )
    assert "True" in loaded


def test_an_image_in_place_of_an_executable_has_all_that_it_had(containers, image_of, tmp_path):
    package = tmp_path / "numbers_of"
    package.mkdir()
    (package / "__init__.py").write_text("from importlib.metadata import version\n\nOWN = version('numbers-of')\n")
    (package / "definitions.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("numbers = lambda: [1]\n")
    (tmp_path / "requirements.txt").write_text("# of the code\ntabulate  # tables\n")
    (tmp_path / "setup.py").write_text(
        "from setuptools import find_packages, setup\n\n"
        "setup(name='numbers-of', version='7.1', packages=find_packages(), "
        "install_requires=['dagster==1.13.27', 'dagster-cloud==1.13.27'])\n"
    )
    proposed(tmp_path, FindingKind.PEX_BUILD, python_version="3.11")
    image = image_of(tmp_path, "BASE_IMAGE")
    code = (
        "import os, dagster, dagster_cloud, tabulate, numbers_of, numbers_of.definitions as d;"
        "print(numbers_of.OWN, os.getuid(), d.defs.resolve_asset_graph().get_all_asset_keys(), d.__cached__)"
    )
    answer = said(containers, image, "python", "-c", code)
    assert answer.startswith("7.1 1000 "), "its own package is installed, and it runs as nobody's root"
    assert "numbers" in answer
    said(containers, image, "python", "-c", "import grpc_health.v1.health_pb2")  # not of a protobuf too new
    listed = said(containers, image, "sh", "-c", "ls /opt/dagster/app /opt/dagster/app/numbers_of/__pycache__")
    assert "definitions.cpython-311.pyc" in listed, "compiled before, not at each start"
    assert "egg-info" not in listed, "the build of the package leaves nothing in the folder"
