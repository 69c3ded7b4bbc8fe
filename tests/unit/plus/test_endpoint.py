"""Addresses: which of them are understood, and what is asked where. That they answer is not shown here."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid.errors import SettingsError
from hybrid.plus import Endpoint

pytestmark = pytest.mark.unit


def test_dagster_plus_in_the_united_states():
    endpoint = Endpoint.of("acme", "prod")
    assert endpoint.url == "https://acme.dagster.cloud"
    assert endpoint.deployment_graphql == "https://acme.dagster.cloud/prod/graphql"
    assert endpoint.organization_graphql == "https://acme.dagster.cloud/graphql"
    assert endpoint.agent_url == "https://acme.agent.dagster.cloud"
    assert endpoint.page == "https://acme.dagster.cloud/prod"
    assert (endpoint.is_saas, endpoint.region, endpoint.is_loopback) == (True, "us", False)


def test_dagster_plus_in_europe():
    endpoint = Endpoint.of("acme", "prod", region="eu")
    assert endpoint.url == "https://acme.eu.dagster.cloud"
    assert endpoint.agent_url == "https://acme.agent.eu.dagster.cloud"
    assert endpoint.region == "eu"


def test_the_agents_address_is_the_one_that_the_agent_would_find_itself():
    """Against the installed agent's own derivation, from a token that names its region."""
    from dagster_cloud.auth.constants import decode_agent_token

    in_europe = b"eu".hex() + "0" * 8 + "8000" + "8000" + "0" * 12
    organization, region = decode_agent_token(f"agent:acme:{in_europe}")
    assert region == "eu", "the token's first two bytes are its region"
    assert Endpoint.of("acme", "prod", region="eu").agent_url == f"https://{organization}.agent.{region}.dagster.cloud"


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.dagster.cloud",
        "https://acme.dagster.cloud/",
        "https://acme.dagster.cloud/prod",
        "https://acme.dagster.cloud/prod/",
        "https://acme.dagster.cloud/prod/graphql",
        "https://acme.dagster.cloud/graphql",
        "https://acme.agent.dagster.cloud",
        "https://dagster.cloud/acme",
        "https://dagster.cloud",
        "  https://ACME.dagster.cloud/prod ",
    ],
)
def test_what_people_paste_for_the_same_deployment_is_the_same(url):
    assert Endpoint.of("acme", "prod", url=url) == Endpoint.of("acme", "prod")


@pytest.mark.parametrize(
    "url",
    ["https://eu.dagster.cloud/acme", "https://acme.agent.eu.dagster.cloud", "https://acme.eu.dagster.cloud/prod"],
)
def test_europe_is_recognised_in_an_address(url):
    assert Endpoint.of("acme", "prod", url=url) == Endpoint.of("acme", "prod", region="eu")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://127.0.0.1:3000/prod/", "http://127.0.0.1:3000"),
        ("https://proxy.example/dagster/prod/graphql", "https://proxy.example/dagster"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://notdagster.cloud", "https://notdagster.cloud"),
    ],
)
def test_an_own_address_serves_api_and_agents(url, base):
    endpoint = Endpoint.of("acme", "prod", url=url)
    assert endpoint.url == endpoint.agent_url == endpoint.page == base
    assert endpoint.deployment_graphql == endpoint.organization_graphql == f"{base}/graphql"
    assert endpoint.region is None


@pytest.mark.parametrize(("url", "here"), [("http://localhost:1", True), ("http://[::1]:1", True), ("http://a", False)])
def test_this_machine_is_recognised(url, here):
    assert Endpoint.of("acme", "prod", url=url).is_loopback is here


@pytest.mark.parametrize(
    ("url", "phrase"),
    [
        ("https://other.dagster.cloud", "organization 'other', the settings say 'acme'"),
        ("https://acme.dagster.cloud/staging", "deployment 'staging', the settings say 'prod'"),
        ("https://dagster.cloud/other", "organization 'other'"),
        ("acme.dagster.cloud", "not an address"),
        ("ftp://acme.dagster.cloud", "not an address"),
        ("http://", "not an address"),
        ("http://a:b", "not an address"),
        ("http://[", "not an address"),
        ("https://acme.dagster.cloud?x=1", "query"),
        ("https://me:s3cr3tpassword@acme.dagster.cloud", "user or password"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_the_next_step(url, phrase):
    with pytest.raises(SettingsError, match=phrase) as refused:
        Endpoint.of("acme", "prod", url=url)
    assert refused.value.next_step
    assert "s3cr3tpassword" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "a b", "-a", "ä"])
def test_a_name_that_would_change_the_address_is_refused(name):
    with pytest.raises(SettingsError, match="organization"):
        Endpoint.of(name, "prod")
    with pytest.raises(SettingsError, match="deployment"):
        Endpoint.of("acme", name)


def test_a_token_pasted_into_the_wrong_field_is_not_printed():
    token = f"user:acme:{'0f' * 16}"
    for wrong in (lambda: Endpoint.of(token, "prod"), lambda: Endpoint.of("acme", "prod", url=token)):
        with pytest.raises(SettingsError) as refused:
            wrong()
        assert "0f0f" not in str(refused.value)


PIECES = [
    "http://",
    "https://",
    "acme",
    "prod",
    "graphql",
    "dagster.cloud",
    "eu",
    "agent",
    ".",
    "/",
    ":",
    "1",
    "@",
    "?",
    "#",
    " ",
    "[::1]",
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("http://a/prod/prod")
@example("http://a/graphql/prod")
def test_any_text_is_an_address_or_a_settings_error(text):
    try:
        endpoint = Endpoint.of("acme", "prod", url=text or None)
    except SettingsError:
        return
    assert Endpoint.of("acme", "prod", url=endpoint.url) == endpoint, "a base is its own base"
    assert endpoint.agent_url.startswith(("http://", "https://"))
