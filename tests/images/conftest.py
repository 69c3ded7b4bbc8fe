"""A folder to build from, and the real engine and registry."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from hybrid.containers.docker import Docker
from hybrid.delivery.images.builder import Builder, base_digests
from hybrid.delivery.images.content import content_of
from hybrid.delivery.images.registry import Registry
from hybrid.delivery.images.spec import ImageSpec


@pytest.fixture(scope="session")
def docker(containers):
    return Docker.find(containers.environ, building=True)


@pytest.fixture
def registry(containers):
    return Registry(containers.environ)


@pytest.fixture
def builder(docker, registry):
    return Builder(lambda: docker, registry, pause=0.1)


@pytest.fixture
def read(docker, registry):
    """The content of a spec, with bases as the registry has them."""
    return lambda spec: content_of(spec, base_digests(registry, lambda: docker))


@pytest.fixture
def repository(containers, docker):
    """One that no other test has; what is tagged in it is untagged again."""
    name = f"{containers.registry}/images/{secrets.token_hex(6)}"
    yield name
    tags = docker.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={name}*")
    if tags:
        docker.run("image", "rm", "--force", *tags)


@pytest.fixture
def small(tmp_path, repository):
    """A spec of an image that needs no base: seconds instead of minutes."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    (folder / "data").write_bytes(os.urandom(1000))
    return ImageSpec(repository, folder, folder / "Dockerfile")


HELLO = Path(__file__).resolve().parents[2] / "locations" / "hello"
