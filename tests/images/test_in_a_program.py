"""The resources in a program of the real Pulumi engine, with the real registry: what a preview shows, and what state
holds."""

from __future__ import annotations

import json

import pytest

from hybrid.toolchain import find_pulumi
from tests.program.provider.conftest import Project

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def project(tmp_path, containers):
    pulumi = find_pulumi()
    assert pulumi is not None, "there is no Pulumi here: run `hybrid tools` first"
    (tmp_path / "project").mkdir()
    made = Project(tmp_path / "project", pulumi)
    for name in ("DOCKER_HOST", "DOCKER_CONFIG"):
        made.environment[name] = containers.environ[name]
    made.environment["PATH"] += f":{containers.docker.parent}"
    try:
        yield made
    finally:
        made.clean_up()


def program(spec):
    return (
        "from hybrid.provider.image_resources import *\n"
        f"image = LocationImage('image', LocationImageArgs(repository={spec.repository!r}, "
        f"context={str(spec.context)!r}, dockerfile={str(spec.dockerfile)!r}))\n"
        "pulumi.export('reference', image.reference)\n"
        "PublishedImage('pinned', PublishedImageArgs(image=image.reference))\n"
    )


def test_a_changed_file_is_named_before_it_is_built_and_nothing_else_is_built_again(project, small, registry):
    project.declare(program(small))
    project.up()
    first = project.outputs("image")
    assert registry.digest(first["reference"]) == first["digest"]
    assert project.outputs("pinned")["reference"] == first["reference"]

    project.up()
    assert project.outputs("image") == first, "nothing changed"

    (small.context / "data").write_bytes(b"other")
    shown = project.pulumi("preview", "--diff")
    changed = json.loads(project.pulumi("preview", "--json"))["steps"]
    (step,) = [step for step in changed if step["urn"].endswith("::image")]
    assert list(step["detailedDiff"]) == ["files.data"], "the reason, and no other"
    assert "data" in shown
    assert project.outputs("image") == first, "a preview builds nothing"

    project.up()
    second = project.outputs("image")
    assert second["reference"] != first["reference"]
    project.destroy()
    for made in (first, second):
        assert registry.digest(made["reference"]), "images stay: a rollback may need one"


def test_an_image_that_somebody_deleted_is_made_again(project, small, registry, docker, containers):
    import httpx

    project.declare(program(small))
    project.up()
    first = project.outputs("image")
    path = small.repository.partition("/")[2]
    url = f"http://{containers.registry}/v2/{path}/manifests/{first['digest']}"
    assert httpx.delete(url, auth=(containers.username, containers.password), trust_env=False).status_code == 202
    assert registry.digest(first["reference"]) is None

    project.up()
    assert registry.digest(project.outputs("image")["reference"]) is not None
