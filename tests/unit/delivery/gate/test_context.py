"""Rules that the agent's schema does not have."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.context import context_findings
from hybrid.delivery.gate.places import Places

pytestmark = pytest.mark.unit


def findings(context, platform="docker", networks=None):
    return list(context_findings("hello", context, platform, Places(), networks=networks))


@pytest.mark.parametrize("entry", ["STAGE: prod", "STAGE prod", "=x", "", "A B=1", "1A=2", "export A=1"])
def test_an_entry_that_is_neither_key_nor_key_and_value_is_an_error_without_its_text(entry):
    (found,) = findings({"docker": {"env_vars": [entry]}})

    assert found.severity == "error"
    assert not entry or entry not in found.what


@pytest.mark.parametrize(
    "entry", ["STAGE", "STAGE=", "URL=postgres://host?sslmode=require", "_A=1", "a.b-c=d", "PASSWORD", "API_TOKEN="]
)
def test_names_with_and_without_a_value_are_right(entry):
    assert findings({"docker": {"env_vars": [entry]}}) == []


@pytest.mark.parametrize(
    "entry",
    [
        "X=agent:acme:0123456789abcdef0123456789abcdef",
        "URL=postgres://me:swordfish@host/db",
        "DB_PASSWORD=swordfish-swordfish",
        "KEY=AKIA" + "ABCDEFGHIJKLMNOP",
    ],
)
def test_a_value_of_the_shape_of_a_secret_is_an_error_that_shows_the_way_and_not_the_value(entry):
    (found,) = findings({"docker": {"env_vars": [entry]}})

    assert found.severity == "error"
    assert "environmentVariables" in found.next_step
    assert entry.partition("=")[2] not in repr(found), "an error is printed and logged"


@pytest.mark.parametrize("name", ["PASSWORD", "GITHUB_TOKEN", "CLIENT_SECRET", "API_KEY", "SNOWFLAKE_PRIVATE_KEY"])
def test_a_name_that_announces_a_secret_is_a_warning(name):
    (found,) = findings({"docker": {"env_vars": [f"{name}=abc"]}})

    assert found.severity == "warning", "the value may be a harmless one"
    assert "abc" not in found.what


@pytest.mark.parametrize("entry", ["PASSWORD_FILE=/run/x", "TOKEN_URL=https://h/t", "SECRET_NAME=a", "MONKEY=1"])
def test_a_name_that_says_where_a_secret_is_is_none(entry):
    assert findings({"docker": {"env_vars": [entry]}}) == []


@pytest.mark.parametrize("key", ["labels", "auto_remove", "environment", "name", "ports", "network"])
def test_arguments_that_the_launcher_gives_itself_are_refused_with_the_reason(key):
    (found,) = findings({"docker": {"container_kwargs": {key: {}, "mem_limit": "1g"}}})

    assert found.severity == "error"
    assert f"container_kwargs.{key}" in found.what
    assert ":" in found.what, "the reason follows"


def test_on_another_platform_they_are_warned_about():
    (found,) = findings({"docker": {"container_kwargs": {"labels": {}}}}, platform="ecs")

    assert found.severity == "warning"


def test_networks_other_than_the_stacks_are_a_warning_if_the_stacks_are_known():
    context = {"docker": {"networks": ["hybrid-docker", "other"]}}

    (found,) = findings(context, networks=["hybrid-docker"])

    assert "`other`" in found.what
    assert found.severity == "warning"
    assert findings(context, networks=None) == []


@pytest.mark.parametrize("context", [{"docker": None}, {"docker": {"env_vars": "A=1"}}, {"docker": {"networks": 3}}])
def test_what_the_schema_refuses_is_left_to_it(context):
    assert findings(context, networks=[]) == []
