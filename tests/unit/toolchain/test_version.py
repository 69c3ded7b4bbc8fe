"""Versions as tools print them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.toolchain.version import Version

pytestmark = pytest.mark.unit

NUMBERS = st.tuples(*[st.integers(0, 99_999)] * 3)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0\n", "3.259.0"),
        ("3.260.0-alpha.1+dirty", "3.260.0"),
        ("go1.25", "1.25.0"),
        ("git version 2.39.5 (Apple Git-154)", "2.39.5"),
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", "0.13.9"),
    ],
)
def test_the_first_version_in_a_tools_words_is_taken(text: str, version: str) -> None:
    assert str(Version.within(text)) == version, "tools wrap their version in words"


@pytest.mark.parametrize("text", ["", "no version set", "7"])
def test_words_without_a_version_hold_none(text: str) -> None:
    assert Version.within(text) is None, "nothing may be guessed"


@given(NUMBERS, NUMBERS)
def test_versions_sort_as_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    first, second = Version.within(str(Version(*one))), Version.within(str(Version(*other)))
    assert first is not None, "what is printed can be read"
    assert second is not None, "what is printed can be read"
    assert (first < second) == (one < other), "1000 comes after 272"
