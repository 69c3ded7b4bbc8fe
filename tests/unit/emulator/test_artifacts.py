"""Artifacts: through the real clients' own functions, and past them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import requests
from dagster_cloud_cli.core.artifacts import download_artifact, upload_artifact
from dagster_cloud_cli.core.headers.auth import DagsterCloudInstanceScope as Scope
from dagster_rest_resources.s3_client import S3Client

from hybrid.emulator.organization import Organization
from tests.unit.emulator.serving import Served, served

pytestmark = pytest.mark.unit


@pytest.fixture
def plane(organization: Organization, tmp_path: Path, standin: ModuleType) -> Iterator[Served]:
    with served(organization, tmp_path, standin) as plane:
        yield plane


def up(plane: Served, key: str, path: Path, scope: Scope = Scope.DEPLOYMENT, token: str | None = None) -> None:
    upload_artifact(url=plane.url, api_token=token or plane.api_token, scope=scope, key=key, path=path)


def down(plane: Served, key: str, path: Path, scope: Scope = Scope.DEPLOYMENT) -> bytes:
    download_artifact(url=plane.url, api_token=plane.api_token, scope=scope, key=key, path=path)
    return path.read_bytes()


def url(plane: Served, kind: str, key: str, token: str | None = None, **headers: str) -> httpx.Response:
    return httpx.post(f"{plane.url}/gen_artifact_{kind}", json={"key": key}, headers=plane.headers(token, **headers))


def test_a_deployments_artifact_comes_back_as_it_was(plane: Served, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_text("first line\r\n--not-a-boundary--\r\n\r\nö\n", newline="")
    up(plane, "models/latest", sent)
    # The client opens the file as text, which turns CR LF into LF before it is sent.
    assert down(plane, "models/latest", tmp_path / "got").decode() == sent.read_text(), "what is stored was changed"


def test_binary_content_of_any_size_comes_back_byte_for_byte(plane: Served) -> None:
    client = S3Client(base_url=plane.url, headers=plane.headers())
    for content in (b"", b"\r\n", bytes(range(256)) * 20_000 + b"\r\n--"):
        client.upload("model", "prod", io.BytesIO(content))
        assert client.download("model", "prod") == content, f"{len(content)} bytes were not kept as they are"


def test_the_organization_and_its_deployments_have_artifacts_of_their_own(plane: Served, tmp_path: Path) -> None:
    for scope in (Scope.ORGANIZATION, Scope.DEPLOYMENT):
        (tmp_path / "sent").write_text(scope.value)
        up(plane, "same", tmp_path / "sent", scope)
    assert down(plane, "same", tmp_path / "a", Scope.ORGANIZATION) == b"organization", "a deployment's took its place"
    assert down(plane, "same", tmp_path / "b", Scope.DEPLOYMENT) == b"deployment", "the organization's took its place"


def test_a_client_that_names_no_scope_means_the_deployment_it_names_or_the_organization(plane: Served) -> None:
    # As `dg api artifact` makes it: below the organization's name.
    client = S3Client(base_url=f"{plane.url}/local", headers=plane.headers())
    client.upload("k", None, io.BytesIO(b"whole"))
    client.upload("k", "prod", io.BytesIO(b"part"))
    assert (client.download("k", None), client.download("k", "prod")) == (b"whole", b"part"), "scopes are mixed up"


def test_a_later_upload_takes_the_place_of_the_former_and_leaves_nothing_of_it(plane: Served, tmp_path: Path) -> None:
    client = S3Client(base_url=plane.url, headers=plane.headers())
    client.upload("k", "prod", io.BytesIO(b"one"))
    client.upload("other", "prod", io.BytesIO(b"one"))
    client.upload("k", "prod", io.BytesIO(b"two"))
    assert client.download("k", "prod") == b"two", "the former version is still served"
    assert client.download("other", "prod") == b"one", "content that another key has as well is gone"
    client.upload("other", "prod", io.BytesIO(b"two"))
    assert len(list((tmp_path / "artifacts").iterdir())) == 1, "content that no key has is kept"


def test_what_was_never_uploaded_is_not_found(plane: Served, tmp_path: Path) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        down(plane, "never", tmp_path / "got")


def test_an_agent_writes_its_deployments_artifacts_but_not_the_organizations(plane: Served) -> None:
    assert url(plane, "post", "k", plane.agent_token, **{"Dagster-Cloud-Scope": "deployment"}).status_code == 200, (
        "agents keep the state of components there"
    )
    refused = url(plane, "post", "k", plane.agent_token, **{"Dagster-Cloud-Scope": "organization"})
    assert refused.status_code == 403, "an agent's token wrote for the whole organization"
    assert "EDITOR" in refused.text, "the refusal does not say what it takes"


def test_a_viewer_may_not_write(plane: Served) -> None:
    viewer = plane.organization.users.add("viewer@example.com", [("VIEWER", "ORGANIZATION", None)])
    token = plane.organization.tokens.create("user", "viewer", viewer.id)[1].reveal()
    for scope in ("organization", "deployment"):
        there = {"Dagster-Cloud-Scope": scope}
        assert url(plane, "post", "k", token, **there).status_code == 403, f"a viewer writes artifacts of the {scope}"
        assert url(plane, "get", "k", token, **there).status_code == 200, f"a viewer cannot read those of the {scope}"


def test_a_url_permits_one_method_on_one_key(plane: Served) -> None:
    read, write = url(plane, "get", "k").json()["url"], url(plane, "post", "k").json()["url"]
    assert httpx.post(read, files={"file": b"x"}).status_code == 403, "a URL to read with lets write"
    assert httpx.get(write).status_code == 403, "a URL to write with lets read"
    for altered in (write.replace("key=k", "key=l"), write.replace("scope=organization", "scope=deployment%3Aprod")):
        assert altered != write
        assert httpx.post(altered, files={"file": b"x"}).status_code == 403, f"{altered} was not given out"


@pytest.mark.parametrize("key", ["../../escape", "/etc/passwd", "a/../b", "\x00", "@", "ö" * 400])
def test_hostile_keys_are_names_and_nothing_else(plane: Served, tmp_path: Path, key: str) -> None:
    client = S3Client(base_url=plane.url, headers=plane.headers())
    client.upload(key, "prod", io.BytesIO(b"value"))
    assert client.download(key, "prod") == b"value", "a key that S3 takes is not taken"
    stored = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"value"]
    assert [path.parent for path in stored] == [tmp_path / "artifacts"], f"the key became part of a path: {stored}"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"key": ""}', b'{"key": 7}', b"[" * 100_000, b'{"key": "\\ud800"}'])
def test_a_request_without_a_proper_key_is_refused(plane: Served, body: bytes) -> None:
    answer = httpx.post(f"{plane.url}/gen_artifact_post", content=body, headers=plane.headers())
    assert answer.status_code == 400, f"{body[:20]!r} was answered with {answer.status_code}"


def forms() -> list[Any]:
    whole = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nvalue'
    unnamed = whole.replace(b"file", b"data") + b"\r\n--b--\r\n"
    return [
        pytest.param("multipart/form-data; boundary=b", whole, id="cut short"),
        pytest.param("multipart/form-data; boundary=b", unnamed, id="no file"),
        pytest.param("multipart/form-data; boundary=b", b"--b\r\n" + b"x" * 100_000, id="endless head"),
        pytest.param("text/plain", whole + b"\r\n--b--\r\n", id="not a form"),
        pytest.param("multipart/form-data; boundary=c", whole + b"\r\n--b--\r\n", id="another boundary"),
        pytest.param("multipart/form-data; boundary=b", b"", id="nothing"),
    ]


@pytest.mark.parametrize(("content_type", "body"), forms())
def test_a_broken_form_is_refused_and_leaves_nothing(
    plane: Served, tmp_path: Path, content_type: str, body: bytes
) -> None:
    target = url(plane, "post", "k").json()["url"]
    answer = httpx.post(target, content=body, headers={"content-type": content_type})
    assert answer.status_code == 400, f"answered with {answer.status_code}: {answer.text}"
    assert httpx.get(url(plane, "get", "k").json()["url"]).status_code == 404, "something was stored"
    assert not list((tmp_path / "artifacts").iterdir()), "a draft was left behind"


def test_a_deleted_deployments_artifacts_are_gone(plane: Served) -> None:
    plane.organization.deployments.create("second")
    client = S3Client(base_url=plane.url, headers=plane.headers())
    client.upload("k", "second", io.BytesIO(b"value"))
    plane.organization.deployments.delete(plane.organization.deployments.named("second").id)
    plane.organization.deployments.create("second")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        client.download("k", "second")
