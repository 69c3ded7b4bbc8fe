"""Words of others in Markdown stay what they are. That a forge renders them so is the forge's; what is held here is
that no sign of Markdown, HTML or a mention is left in them."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.review.text import code, plain, visible

pytestmark = pytest.mark.unit

PRINTABLE = st.text(st.characters(codec="utf-8"), max_size=80)


def read(text: str) -> str:
    """What a reader sees of it."""
    return html.unescape(text).replace("\N{ZERO WIDTH SPACE}", "")


@given(PRINTABLE)
def test_a_sentence_is_read_as_it_was_written_and_holds_no_markup(text: str) -> None:
    made = plain(text)
    assert read(made) == visible(text), "nothing of it is lost"
    rest = re.sub(r"&#?\w+;", "", made)
    assert not re.search(r"[\\`*_\[\]|~<>]", rest), "and nothing of it is a sign of Markdown or HTML"


@given(PRINTABLE)
def test_inline_code_is_read_as_it_was_written_and_holds_no_markup(text: str) -> None:
    inner = code(text).removeprefix("<code>").removesuffix("</code>")
    assert read(inner) == (visible(text) or " ")
    rest = re.sub(r"&#?\w+;", "", inner)
    assert not re.search(r"[\\`*_\[\]|~<>]", rest), "in HTML Markdown's signs still count"


@pytest.mark.parametrize("text", ["1. first", "12) x", "- x", "+ x", "> x"])
def test_a_text_that_begins_like_a_list_is_none(text: str) -> None:
    assert read(plain(text)) == text
    assert not re.match(r"(?:\d+[.)]|[-+>])\s", plain(text))


def test_nobody_is_mentioned_and_nothing_linked() -> None:
    made = plain("@acme/all see #12 !3 http://evil.example www.evil.example")
    assert not re.search(r"@\w|[^&]#\d|!\d|://|www\.", made)
