"""Messages about wrong inputs, defaults, and what marks a secret."""

from __future__ import annotations

import pytest

from hybrid.provider.definition import (
    Definition,
    Flag,
    ListOf,
    MapOf,
    Number,
    Property,
    Record,
    Text,
    record_failures,
)
from hybrid.provider.properties import UNKNOWN, Secret

pytestmark = pytest.mark.unit

DEFINITION = Definition(
    name="Thing",
    description="A thing.",
    inputs={
        "name": Property(Text(), "what people call it"),
        "place": Property(Text(absolute=True), "where it is", required=False),
        "port": Property(Number(1, 65535), "its port", default=80),
        "tags": Property(MapOf(Text(empty=True)), "labels", default={}),
        "words": Property(ListOf(Text(), empty=False), "words", required=False),
        "on": Property(Flag(), "whether", default=False),
        "where": Property(Record("Where", "A place.", {"city": Property(Text(), "a city")}), "a place", required=False),
        "password": Property(Text(), "the password", required=False, secret=True),
    },
)


def reasons(**inputs):
    complete = DEFINITION.complete({"name": "x", **inputs})
    return {failure.path: failure.reason for failure in record_failures(DEFINITION.inputs, complete)}


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"name": None}, "name", "is missing: what people call it"),
        ({"name": ""}, "name", "must not be empty"),
        ({"name": 3}, "name", "must be text, not a number"),
        ({"name": "a\0b"}, "name", "must not hold a NUL character"),
        ({"place": "here"}, "place", "must be an absolute path, not 'here'"),
        ({"port": 70000}, "port", "must be a whole number from 1 to 65535, not 70000"),
        ({"port": True}, "port", "must be a whole number from 1 to 65535, not a boolean"),
        ({"port": 1.5}, "port", "must be a whole number from 1 to 65535, not 1.5"),
        ({"tags": {"a": 1}}, "tags.a", "must be text, not a number"),
        ({"tags": ["a"]}, "tags", "must be a mapping of names to values, not a list"),
        ({"words": []}, "words", "must have at least one item"),
        ({"words": ["a", None]}, "words[1]", "must be text, not nothing"),
        ({"on": "yes"}, "on", "must be true or false, not text"),
        ({"where": {}}, "where.city", "is missing: a city"),
        ({"where": {"city": "x", "street": "y"}}, "where.street", "is not known; known are city"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_input_is_named_with_what_is_allowed(inputs, path, reason):
    assert reasons(**inputs)[path] == reason


def test_an_unknown_input_is_named_beside_the_known_ones():
    assert "known are name, on, password, place" in reasons(nmae="x")["nmae"]


def test_what_a_preview_does_not_know_yet_is_no_failure():
    assert not reasons(name=UNKNOWN, port=UNKNOWN, tags={"a": UNKNOWN}, where=UNKNOWN)


def test_a_wrong_secret_is_named_but_not_quoted():
    (failure,) = record_failures({"pin": Property(Number(1, 9), "pin")}, {"pin": Secret(4711)})

    assert failure.reason == "must be a whole number from 1 to 9"


def test_defaults_are_filled_in_and_secrets_marked():
    complete = DEFINITION.complete({"name": "x", "password": "swordfish", "place": None})

    assert complete == {"name": "x", "password": Secret("swordfish"), "port": 80, "tags": {}, "on": False}
