"""The repository of a location's image."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.delivery.project import NAME
from hybrid.delivery.repository import repositories_of, repository_of
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit


def test_a_repository_is_the_registry_and_the_name_without_capitals() -> None:
    assert repository_of("127.0.0.1:5000/acme", "Hello_World") == "127.0.0.1:5000/acme/hello_world"
    assert repository_of("ghcr.io/acme/", "My_Pipeline.v2") == "ghcr.io/acme/my_pipeline.v2"


@pytest.mark.parametrize("name", ["_a", "a.", "a..b", "a___b", "a_-b", "", "a/b", "a b", "..", "-", "a-", "é", "a:b"])
def test_a_name_that_no_repository_can_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="no image repository"):
        repository_of("registry.example", name)


def test_the_agents_repository_is_not_given_to_a_location() -> None:
    with pytest.raises(SettingsError, match="the agent's own image"):
        repository_of("registry.example", "Hybrid-Agent")


def test_a_repository_longer_than_registries_take_is_refused() -> None:
    with pytest.raises(SettingsError, match="more than 255 characters"):
        repository_of("registry.example/" + "x" * 200, "y" * 90)


def test_two_names_that_fall_together_are_refused_with_both() -> None:
    with pytest.raises(SettingsError, match="'Hello' and 'hello' would have one"):
        repositories_of("registry.example", ["Hello", "other", "hello"])
    assert repositories_of("r.example", ["a", "b"]) == {"a": "r.example/a", "b": "r.example/b"}


@given(some.from_regex(NAME, fullmatch=True))
def test_what_is_not_refused_is_a_repository_by_the_specification(name: str) -> None:
    try:
        repository = repository_of("registry.example/acme", name)
    except SettingsError:
        return
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    assert re.fullmatch(rf"registry\.example/{part}(/{part})*", repository)
