"""A written file tells whether somebody has edited it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hybrid.workflows.mark import is_unedited, marked, standing

pytestmark = pytest.mark.unit

OLD, NEW = marked("name: old\n", "github"), marked("name: new\n", "github")


def test_what_is_there_is_told_apart() -> None:
    assert standing(None, NEW) == "new"
    assert standing(NEW, NEW) == "same"
    assert standing(OLD, NEW) == "outdated", "nobody edited it: it is brought up to date"
    assert standing(OLD + "# mine\n", NEW) == "edited"
    assert standing("name: mine\n", NEW) == "edited", "it was never written by this"


def test_line_ends_that_git_changed_are_no_edit() -> None:
    assert standing(NEW.replace("\n", "\r\n"), NEW) == "same"
    assert standing(OLD.replace("\n", "\r\n"), NEW) == "outdated"


@settings(deadline=None)
@given(some.text(), some.integers(min_value=0), some.characters(exclude_characters="\r"))
def test_every_edit_is_seen(text: str, where: int, put: str) -> None:
    text = text.replace("\r", "")
    written = marked(text, "gitlab")
    assert is_unedited(written)
    place = len(written) - where % (len(text) + 1)
    assert not is_unedited(written[:place] + put + written[place:]), "one character is an edit"
