"""What the tag of an image stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hybrid.delivery.images.content import content_of
from hybrid.delivery.images.errors import ContextError, DockerfileError
from hybrid.delivery.images.spec import ImageSpec

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG A=1\nFROM python:3.12\n")
    (tmp_path / "a.py").write_text("")
    return ImageSpec("ghcr.io/acme/x", tmp_path, tmp_path / "Dockerfile")


def hash_of(spec, base=DIGEST):
    return content_of(spec, lambda reference: base).hash


def test_all_that_makes_the_image_another_one_makes_another_tag(spec):
    hashes = {
        hash_of(spec),
        hash_of(spec, "sha256:" + "b" * 64),
        hash_of(replace(spec, arguments={"A": "2"})),
        hash_of(replace(spec, platforms=("linux/arm64",))),
        hash_of(replace(spec, dockerfile=None)),
    }
    spec.dockerfile.write_text("ARG A=1\nFROM python:3.12\nLABEL a=b\n")
    hashes.add(hash_of(spec))

    assert len(hashes) == 6, "each is another image"


def test_the_repository_labels_secrets_and_the_order_of_platforms_do_not(spec):
    both = replace(spec, platforms=("linux/amd64", "linux/arm64"))
    same = replace(spec, repository="ghcr.io/acme/y", labels={"a": "b"}, secrets={"s": "env:S"})

    assert hash_of(same) == hash_of(spec)
    assert hash_of(replace(both, platforms=both.platforms[::-1])) == hash_of(both)


def test_the_tag_is_the_start_of_the_hash(spec):
    content = content_of(spec, lambda reference: DIGEST)

    assert content.tag == content.hash[:32]


def test_the_ignore_file_beside_the_dockerfile_goes_before_the_context_s(spec):
    (spec.context / ".dockerignore").write_text("a.py\n")
    assert "a.py" not in content_of(spec, lambda reference: DIGEST).files

    spec.dockerfile.with_name("Dockerfile.dockerignore").write_text("Dockerfile*\n")
    assert list(content_of(spec, lambda reference: DIGEST).files) == [".dockerignore", "a.py"]


def test_a_missing_folder_and_a_missing_dockerfile_are_named(spec):
    with pytest.raises(ContextError, match=r"nowhere is no folder"):
        hash_of(replace(spec, context=spec.context / "nowhere"))
    with pytest.raises(DockerfileError, match=r"(?s)Dockerfile is not there.*leave its name out"):
        hash_of(replace(spec, dockerfile=spec.context / "no" / "Dockerfile"))


def test_a_dockerfile_that_is_no_text_is_refused(spec):
    spec.dockerfile.write_bytes(b"FROM \xff")
    with pytest.raises(DockerfileError, match="no text in UTF-8"):
        hash_of(spec)
    spec.dockerfile.write_bytes(b"# " + b"x" * 2_000_000)
    with pytest.raises(DockerfileError, match="more than 1 MB"):
        hash_of(spec)
