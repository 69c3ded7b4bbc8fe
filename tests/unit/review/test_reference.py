"""The page of the review's JSON is what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.review.reference import reference

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "review-json.md"


def test_the_page_is_made_from_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_every_key_has_a_text() -> None:
    empty = [line for line in reference().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert empty == [], "a key without a text tells a reader nothing"
