"""Logins to ECR: asked of AWS, kept out of docker's own settings. AWS is moto, and no docker command runs: what the
client makes of the folder is not shown here."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from hybrid.aws.registry import EcrAddress
from hybrid.delivery.images.builder import Builder
from hybrid.delivery.images.errors import LoginRefused
from hybrid.delivery.images.login import Login, Logins, logged_in
from hybrid.delivery.images.registry import Registry, refused
from hybrid.redaction import Token
from tests.unit.aws.motolab import ACCOUNT, REGION, laboratory

pytestmark = pytest.mark.unit

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture
def lab(monkeypatch):
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def own(tmp_path):
    """The user's docker settings."""
    folder = tmp_path / "docker"
    (folder / "contexts" / "meta").mkdir(parents=True)
    (folder / "buildx").mkdir()
    document = {
        "auths": {"ghcr.io": {"auth": base64.b64encode(b"me:pw-of-a-test").decode()}},
        "currentContext": "away",
        "credHelpers": {"gcr.io": "gcloud"},
    }
    (folder / "config.json").write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize(
    ("registry", "region"),
    [
        (ECR, REGION),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        (f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("public.ecr.aws", None),
        ("ghcr.io", None),
        (f"{ECR}.evil.example", None),
        ("123.dkr.ecr.eu-central-1.amazonaws.com", None),
    ],
)
def test_only_a_private_registry_of_ecr_is_one(registry, region):
    found = EcrAddress.parse(registry)
    assert (found.region if found else None) == region, "a login of AWS goes to AWS alone"


def test_the_login_is_asked_of_aws_once_and_again_when_it_lapsed(lab, own):
    logins = Logins({"DOCKER_CONFIG": str(own)})
    lab.calls.clear()
    first = logins.of(ECR)
    assert first.user == "AWS"
    assert first.password.reveal()
    assert logins.of(ECR) is first
    logins.forget(ECR)
    logins.of(ECR)
    assert lab.calls == ["GetAuthorizationToken"] * 2


def test_other_registries_are_as_docker_has_them(lab, own):
    lab.calls.clear()
    login = Logins({"DOCKER_CONFIG": str(own)}).of("ghcr.io")
    assert (login.user, login.password.reveal()) == ("me", "pw-of-a-test")
    assert lab.calls == []


def test_without_rights_in_aws_a_login_that_docker_has_is_taken(lab, own):
    lab.refuse("GetAuthorizationToken", "AccessDeniedException", times=2)
    document = json.loads((own / "config.json").read_text())
    document["auths"][ECR] = {"auth": base64.b64encode(b"AWS:docker-has-it").decode()}
    del document["credHelpers"]
    (own / "config.json").write_text(json.dumps(document))
    assert Logins({"DOCKER_CONFIG": str(own)}).of(ECR).password.reveal() == "docker-has-it"


def test_without_any_login_it_is_said_what_to_do(lab, tmp_path):
    lab.refuse("GetAuthorizationToken", "ExpiredTokenException", "the token is expired")
    with pytest.raises(LoginRefused) as caught:
        Logins({"DOCKER_CONFIG": str(tmp_path)}).of(ECR)
    text = caught.value.sentence()
    assert f"There is no login for {ECR}." in text
    assert "The AWS credentials have expired." in text
    assert "aws sso login" in text


def test_docker_gets_a_folder_with_the_login_and_the_users_settings(lab, own):
    before = (own / "config.json").read_text()
    environ = {"DOCKER_CONFIG": str(own), "PATH": "/usr/bin"}
    with logged_in(environ, Logins(environ), {ECR, "ghcr.io"}) as given:
        folder = Path(given["DOCKER_CONFIG"])
        document = json.loads((folder / "config.json").read_text())
        assert base64.b64decode(document["auths"][ECR]["auth"]).startswith(b"AWS:")
        assert document["credHelpers"] == {"gcr.io": "gcloud", ECR: ""}, "no helper may hide the login"
        assert document["currentContext"] == "away"
        assert "ghcr.io" in document["auths"]
        assert (folder / "contexts" / "meta").is_dir()
        assert (folder / "buildx").is_dir()
        assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert given["PATH"] == "/usr/bin"
    assert not folder.exists(), "the login does not outlive the command"
    assert (own / "contexts" / "meta").is_dir(), "what was linked to stays"
    assert (own / "config.json").read_text() == before


def test_without_a_registry_of_ecr_nothing_is_made(own):
    environ = {"DOCKER_CONFIG": str(own)}
    with logged_in(environ, Logins(environ), {"ghcr.io", "docker.io"}) as given:
        assert given is environ


def test_settings_that_are_no_json_are_told_of(lab, own):
    (own / "config.json").write_text("{")
    environ = {"DOCKER_CONFIG": str(own)}
    with pytest.raises(LoginRefused, match=r"config\.json cannot be read"), logged_in(environ, Logins(environ), {ECR}):
        pass


class RecordingDocker:
    has_buildx = False
    executable = Path("/nonexistent/docker")

    def __init__(self, environ):
        self.environ = environ


def test_the_builder_takes_the_login_only_for_ecr(own, monkeypatch):
    environ = {"DOCKER_CONFIG": str(own)}
    registry, docker = Registry(environ), RecordingDocker(environ)
    monkeypatch.setattr(registry.logins, "of", lambda name: Login("AWS", Token("swordfish-of-ecr")))
    builder = Builder(lambda: docker, registry)
    with builder._client("ghcr.io/acme/x:1") as same:
        assert same is docker
    with builder._client("python:3.12", f"{ECR}/acme/x:1") as other:
        assert other.environ["DOCKER_CONFIG"] != str(own)
        assert "swordfish" not in repr(other)


def test_a_refusal_of_ecr_speaks_of_aws():
    assert "docker login" not in refused(ECR, "acme/x", 403).sentence()
    assert "aws sts get-caller-identity" in refused(ECR, "acme/x", 403).sentence()
