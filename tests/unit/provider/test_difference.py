"""Which paths differ between state and program, and what replaces."""

from __future__ import annotations

import pytest

from hybrid.provider.agent_token import DEFINITION as AGENT_TOKEN
from hybrid.provider.code_location import DEFINITION as CODE_LOCATION
from hybrid.provider.difference import Change, changes
from hybrid.provider.process import DEFINITION as PROCESS
from hybrid.provider.properties import UNKNOWN, Secret

pytestmark = pytest.mark.unit


def test_equal_inputs_have_no_changes():
    inputs = {"name": "a", "files": {"x": "1"}, "secretEnvironment": Secret({"A": "1"})}

    assert changes(PROCESS, inputs, dict(inputs)) == []


def test_a_secret_equals_its_plain_value():
    assert changes(PROCESS, {"secretEnvironment": {"A": "1"}}, {"secretEnvironment": Secret({"A": "1"})}) == []


def test_a_changed_secret_is_told_without_its_keys():
    old, new = {"secretEnvironment": Secret({"A": "1"})}, {"secretEnvironment": Secret({"A": "2", "B": "3"})}

    assert changes(PROCESS, old, new) == [Change("secretEnvironment", "update", replaces=False)]


def test_maps_are_compared_by_key_and_odd_keys_are_quoted():
    old, new = {"files": {"a/b.yaml": "1", "c": "1", "d": "1"}}, {"files": {"a/b.yaml": "2", "d": "1", "e": "1"}}

    assert changes(PROCESS, old, new) == [
        Change('files["a/b.yaml"]', "update", replaces=False),
        Change("files.c", "delete", replaces=False),
        Change("files.e", "add", replaces=False),
    ]


def test_another_directory_is_another_process():
    assert changes(PROCESS, {"directory": "/a"}, {"directory": "/b"}) == [Change("directory", "update", replaces=True)]


def test_what_is_not_known_yet_counts_as_changed():
    assert changes(PROCESS, {"command": ["a"]}, {"command": ["a", UNKNOWN]}) == [
        Change("command", "update", replaces=False)
    ]


@pytest.mark.parametrize(
    ("definition", "part", "replaces"),
    [
        (CODE_LOCATION, "organization", True),
        (CODE_LOCATION, "deployment", True),
        (CODE_LOCATION, "url", False),
        (CODE_LOCATION, "tokenFile", False),
        (AGENT_TOKEN, "organization", True),
        (AGENT_TOKEN, "url", True),
        (AGENT_TOKEN, "tokenFile", False),
    ],
)
def test_a_location_at_another_address_of_the_same_deployment_is_not_deleted(definition, part, replaces):
    old = {"connection": {"url": "u", "organization": "o", "deployment": "d", "tokenFile": "/t"}}
    new = {"connection": {**old["connection"], part: "other"}}

    assert changes(definition, old, new) == [Change(f"connection.{part}", "update", replaces=replaces)]
