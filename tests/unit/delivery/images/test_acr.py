"""What Azure's registry tells of its images, and what is made of answers that it does not give."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.delivery.images.acr import Acr, AcrManifest
from hybrid.delivery.images.errors import LoginRefused, RegistryError
from hybrid.delivery.images.login import Logins
from hybrid.delivery.images.transport import Transport
from tests.standins.azure.acr_catalogue import PASSWORD, AcrStandIn

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def standing() -> Iterator[AcrStandIn]:
    with AcrStandIn() as acr:
        yield acr


@pytest.fixture
def acr(standing: AcrStandIn, tmp_path: Path) -> Acr:
    (tmp_path / "config.json").write_text(json.dumps(standing.docker_config))
    environ = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    return Acr(standing.host, Transport(environ, Logins(environ), wait=0.01))


def test_all_pages_are_read(standing: AcrStandIn, acr: Acr) -> None:
    for name in "abcde":
        standing.push(f"x/{name}", "1", AT)
    for number in range(5):
        standing.push("x/a", f"v{number}", AT)
    assert acr.repositories() == [f"x/{name}" for name in "abcde"]
    assert len(acr.manifests("x/a")) == 6, "three pages"
    first = acr.manifests("x/b")[0]
    assert (first.tags, first.pushed.replace(microsecond=0), first.locked) == (("1",), AT, False)


def test_of_a_repository_that_is_not_there_there_are_none(acr: Acr) -> None:
    assert acr.manifests("x/nothing") == []


def test_what_is_gone_already_is_removed(standing: AcrStandIn, acr: Acr) -> None:
    digest = standing.push("x/a", "1", AT)
    acr.delete("x/a", digest)
    acr.delete("x/a", digest)
    assert standing.repositories["x/a"] == []


@pytest.mark.parametrize("link", ["https://evil.example/acr/v1/_catalog?last=2", "/v2/other/tags/list?last=2"])
def test_a_next_page_that_is_elsewhere_in_the_registry_is_not_followed(
    link: str, standing: AcrStandIn, acr: Acr
) -> None:
    for name in "abc":
        standing.push(f"x/{name}", "1", AT)
    standing.link_to = link
    if "evil" in link:
        standing.link_to = link.replace("_catalog", "_other")
    with pytest.raises(RegistryError, match="elsewhere"):
        acr.repositories()


def test_a_page_that_names_itself_as_the_next_ends(standing: AcrStandIn, acr: Acr) -> None:
    for name in "abc":
        standing.push(f"x/{name}", "1", AT)
    standing.link_to = "/acr/v1/_catalog?n=500"
    with pytest.raises(RegistryError, match="twice"):
        acr.repositories()


def test_a_refusal_names_the_rights_and_no_password(standing: AcrStandIn, acr: Acr) -> None:
    standing.refused = {"registry:catalog:*"}
    with pytest.raises(LoginRefused, match="AcrDelete") as raised:
        acr.repositories()
    assert PASSWORD not in raised.value.sentence()
    assert base64.b64encode(PASSWORD.encode()).decode() not in raised.value.sentence()


@pytest.mark.parametrize(
    "wrong", [{"createdTime": "yesterday"}, {"createdTime": "2026-03-01T12:00:00"}, {"digest": None}]
)
def test_a_time_that_cannot_be_read_is_an_error_and_no_old_image(
    wrong: dict[str, Any], standing: AcrStandIn, acr: Acr, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing.push("x/a", "1", AT)
    image = standing.repositories["x/a"][0]
    told = {name: value for name, value in {**image.told(), **wrong}.items() if value is not None}
    monkeypatch.setattr(type(image), "told", lambda self: told)
    with pytest.raises(RegistryError, match="cannot be read"):
        acr.manifests("x/a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("digest", "imageSize", "createdTime", "lastUpdateTime", "mediaType", "tags", "changeableAttributes")


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_is_told_of_a_manifest_is_read_or_refused(told: dict[str, Any]) -> None:
    try:
        found = AcrManifest.parse(told)
    except (KeyError, ValueError, TypeError, AttributeError):
        return
    assert found.changed >= found.pushed, "what was tagged later was used later"
