"""What an image may be asked for: names, and no secret where it would stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.delivery.images.errors import SecretInArgument
from hybrid.delivery.images.spec import ImageSpec
from hybrid.errors import SettingsError
from hybrid.redaction import register

pytestmark = pytest.mark.unit


def spec(**given):
    return ImageSpec("ghcr.io/acme/x", Path("/x"), **given)


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "npm_token", "AWS_SECRET_ACCESS_KEY", "API_KEY", "apikey", "SSH_KEY", "PASSPHRASE", "NPM_AUTH"],
)
def test_a_build_argument_with_the_name_of_a_secret_is_refused(name):
    with pytest.raises(SecretInArgument, match=rf"(?s){name} holds a secret.*Its name says so.*--mount=type=secret"):
        spec(arguments={name: "swordfish"})


@pytest.mark.parametrize(
    "value",
    ["agent:acme:" + "0f" * 12, "https://user:swordfish@example.com/simple", "AKIA" + "A" * 16,
     "ghp_" + "a1" * 12, "-----BEGIN RSA PRIVATE KEY-----"],
)  # fmt: skip
def test_a_build_argument_with_the_shape_of_a_secret_is_refused_without_showing_it(value):
    with pytest.raises(SecretInArgument, match="Its value says so") as raised:
        spec(arguments={"INDEX": value})
    assert value not in raised.value.sentence(), "the error is printed and logged"


def test_a_build_argument_that_holds_a_known_secret_is_refused():
    register("a-secret-of-this-stack")
    with pytest.raises(SecretInArgument):
        spec(arguments={"INDEX": "x a-secret-of-this-stack y"})


def test_ordinary_build_arguments_pass():
    spec(arguments={"PYTHON_IMAGE": "python:3.12-slim", "KEYBOARD": "us", "MONKEY": "1", "AUTHOR": "a"})


@pytest.mark.parametrize("source", ["swordfish", "env:", "env:A B", "file:relative", "file:/a,dst=/x", "literal:x", ""])
def test_a_build_secret_is_named_and_never_given(source):
    with pytest.raises(SettingsError, match="names no source") as raised:
        spec(secrets={"mine": source})
    assert "swordfish" not in raised.value.sentence(), "it may be the secret itself"


def test_build_secrets_by_variable_and_file_pass():
    spec(secrets={"a": "env:A", "certificates": "file:/etc/ssl/ca.crt"})


@pytest.mark.parametrize(
    "given",
    [{"platforms": ("amd64",)}, {"platforms": ("linux/amd64", "linux/amd64")}, {"arguments": {"A B": "1"}},
     {"secrets": {"a,b": "env:A"}}],
    ids=["platform", "twice", "argument", "secret's id"],
)  # fmt: skip
def test_what_docker_could_not_take_is_refused(given):
    with pytest.raises(SettingsError, match="Next:"):
        spec(**given)


@pytest.mark.parametrize("repository", ["ghcr.io/acme/x:1", "ghcr.io/acme/X", "ghcr.io/../x"])
def test_a_repository_is_a_name_without_a_tag(repository):
    with pytest.raises(SettingsError):
        ImageSpec(repository, Path("/x"))
