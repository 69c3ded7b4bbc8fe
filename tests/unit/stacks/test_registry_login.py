"""Which of this machine's logins becomes a Secret of a cluster. Docker's file is the test's."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from hybrid.errors import SettingsError
from stacks.registry_login import docker_config

pytestmark = pytest.mark.unit

GIVEN = base64.b64encode(b"ci:swordfish").decode()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_the_one_login_is_taken_and_no_other(docker: Path) -> None:
    auths = {"r.acme.example": {"auth": GIVEN}, "other.example": {"auth": base64.b64encode(b"x:y").decode()}}
    docker.write_text(json.dumps({"auths": auths}))
    assert json.loads(docker_config("r.acme.example")) == {"auths": {"r.acme.example": {"auth": GIVEN}}}


def test_no_login_is_an_error_that_says_what_to_do(docker: Path) -> None:
    with pytest.raises(SettingsError, match=r"docker login r\.acme\.example"):
        docker_config("r.acme.example")


def test_a_login_that_lapses_is_refused(docker: Path) -> None:
    with pytest.raises(SettingsError, match="twelve hours"):
        docker_config("123456789012.dkr.ecr.eu-central-1.amazonaws.com")
    docker.write_text(json.dumps({"auths": {"r.acme.example": {"auth": GIVEN, "identitytoken": "swordfish"}}}))
    with pytest.raises(SettingsError, match="lapses") as caught:
        docker_config("r.acme.example")
    assert "swordfish" not in str(caught.value), "an error is shown to anybody"
