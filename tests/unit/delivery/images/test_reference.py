"""References and names of repositories."""

from __future__ import annotations

import pytest

from hybrid.delivery.images.reference import Reference
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest"),
    [
        ("python", "docker.io", "library/python", None, None),
        ("acme/x:1", "docker.io", "acme/x", "1", None),
        ("docker.io/python", "docker.io", "library/python", None, None),
        ("ghcr.io/a/b/c:V1", "ghcr.io", "a/b/c", "V1", None),
        ("localhost/x", "localhost", "x", None, None),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000", "x", "1", None),
        ("[::1]:5000/x", "[::1]:5000", "x", None, None),
        (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io", "a/b", "1", DIGEST),
    ],
)
def test_a_reference_is_taken_apart_as_docker_does(text, registry, path, tag, digest):
    assert Reference.parse(text) == Reference(registry, path, tag, digest)


@pytest.mark.parametrize(
    "text",
    ["", "A", "ghcr.io/Acme/x", "ghcr.io/a/../b", "ghcr.io/a b", "ghcr.io/a//b", "x:", "x:a b", "x@sha256:1",
     "-x/y.z/a", "ghcr.io/" + "a" * 255, "ghcr.io/a\n", "https://ghcr.io/a", "u:p@ghcr.io/a", "ghcr.io:port/a"],
)  # fmt: skip
def test_what_docker_would_refuse_is_refused_with_an_example(text):
    with pytest.raises(SettingsError, match=r"is no image reference") as raised:
        Reference.parse(text)
    assert "ghcr.io/acme/name" in raised.value.sentence()


@pytest.mark.parametrize("registry", ["127.0.0.1:5000", "127.9.9.9", "localhost:5", "[::1]:5000", "[::1]"])
def test_a_registry_of_this_machine_is_known(registry):
    assert Reference.parse(f"{registry}/x").is_loopback


@pytest.mark.parametrize("registry", ["ghcr.io", "10.0.0.1:5000", "127.0.0.1.evil.example", "localhost.example:80"])
def test_another_registry_is_never_taken_for_one_of_this_machine(registry):
    assert not Reference.parse(f"{registry}/x").is_loopback, "a password must not go there without TLS"
