"""Values between wire and Python. Proves the round trip of what we send; that the engine reads it is proven by the
program tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.provider.properties import (
    OUTPUT,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    Secret,
    decode,
    encode,
    has_unknown,
    masked,
    reveal,
)

pytestmark = pytest.mark.unit

plain = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text() | some.just(UNKNOWN),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)
values = some.recursive(
    plain,
    lambda inner: inner.map(Secret) | some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)


@given(some.dictionaries(some.text(), values, max_size=4))
def test_what_is_encoded_decodes_to_the_same(properties):
    assert decode(encode(properties)) == properties


@given(values)
def test_revealed_values_hold_no_secret_and_masked_ones_no_secret_value(value):
    assert "[secret]" not in repr(reveal(Secret("x")))
    assert not _holds_secret(reveal(value))
    assert not _holds_secret(masked(value))


def _holds_secret(value):
    if isinstance(value, dict):
        return any(_holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_secret(item) for item in value)
    return isinstance(value, Secret)


def test_a_secret_does_not_show_itself():
    assert "swordfish" not in f"{Secret('swordfish')} {Secret('swordfish')!r} {masked({'a': Secret('swordfish')})}"


def test_a_secret_is_marked_as_the_engine_marks_it():
    struct = encode({"token": Secret("swordfish")})

    assert dict(struct.fields["token"].struct_value) == {SIGNATURE: SECRET, "value": "swordfish"}


def test_output_values_of_an_engine_that_sends_them_are_understood():
    wire = encode({"known": {SIGNATURE: OUTPUT, "value": 1}, "unknown": {SIGNATURE: OUTPUT}})
    secret = encode({"secret": {SIGNATURE: OUTPUT, "value": "x", "secret": True}})

    assert decode(wire) == {"known": 1, "unknown": UNKNOWN}
    assert decode(secret) == {"secret": Secret("x")}


def test_unknown_values_are_found_at_any_depth_and_sent_as_the_engine_knows_them():
    assert has_unknown({"a": [Secret({"b": UNKNOWN})]})
    assert not has_unknown({"a": [Secret({"b": 1})]})
    assert encode({"a": UNKNOWN}).fields["a"].string_value == UNKNOWN_TEXT


def test_what_has_no_form_on_the_wire_is_refused():
    with pytest.raises(TypeError, match="a set is no property value"):
        encode({"a": {1, 2}})
