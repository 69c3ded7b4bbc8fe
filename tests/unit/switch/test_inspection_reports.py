"""An inspection as text and as a page: short, whole, and safe whatever names say."""

from __future__ import annotations

import re
import secrets
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.switch.inspection import Inspection, inspected
from hybrid.switch.inspection_html import html_of
from hybrid.switch.inspection_text import text_of
from hybrid.switch.organization import FoundVariable
from hybrid.switch.repository import Spot
from tests.unit.switch.inspected import DOCKER, PEX, location, organization, repository

pytestmark = pytest.mark.unit

HOSTILE = "</td></style><script>window.harm=1</script><img src=x onerror=1> \u202e\x1b[31m\n& \" ' `"


class Page(HTMLParser):
    """Its elements by name, its links, its texts, and whether each that was opened was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def found(**changes: Any) -> Inspection:
    return inspected(organization(**changes), repository(), taken_at="2026-11-30T04:00:00+00:00")


def test_what_must_change_first_is_said_first() -> None:
    text = text_of(found())
    headings = ["Must change first", "Should change, or be decided", "To be known"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert text.startswith("acme/prod is on Serverless, plan ENTERPRISE.\n2 locations, 1 schedule or sensor on")
    assert "Serverless runs it from Python executables." in text[: places[1]]
    assert text.endswith("\n")


def test_many_variables_are_one_line_and_many_readings_are_five() -> None:
    text = text_of(
        inspected(
            organization(variables=[FoundVariable(f"V{n}", ["local"], []) for n in range(40)]),
            repository(variables=[Spot("quick/a.py", n, "VENVS_ROOT") for n in range(1, 41)]),
        )
    )
    assert "40 variables that Hybrid agents get as Serverless does: V0, V1" in text
    assert "and 28 more" in text
    assert text.count("It reads VENVS_ROOT") == 5
    assert "and 35 more of these" in text


def test_nothing_found_is_said_in_words() -> None:
    assert "Nothing was found that has to change." in text_of(inspected(None, None))


def test_questions_without_an_answer_are_told() -> None:
    text = text_of(found(runs=None, unanswered={"runs": "The token may not."}))
    assert "an unknown number of runs in flight" in text
    assert "Not told: runs. The token may not." in text


def test_a_terminal_is_told_nothing_but_text() -> None:
    text = text_of(found(locations=[location(HOSTILE, DOCKER)]))
    assert all(each.isprintable() or each == "\n" for each in text), "no name moves a cursor or turns writing around"


def test_the_page_has_all_findings_and_loads_nothing() -> None:
    inspection = found()
    text = html_of(inspection)
    page = Page(text)
    assert page.texts.count("must") == len([each for each in inspection.findings if each.weight.value == "must"]) + 1
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", text), "no address but those that findings name"
    policy = next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content"))
    assert policy.startswith("default-src 'none'")
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert {value[1:] for _, name, value in page.attributes if name == "href"} <= ids, "each link leads somewhere"


@pytest.mark.parametrize("place", ["location", "error", "variable", "setting", "spot"])
def test_a_hostile_name_is_a_text_in_the_page(place: str) -> None:
    changes: dict[str, Any] = {
        "location": {"locations": [location(HOSTILE, PEX)]},
        "error": {"locations": [location("quick", PEX, status="FAILED", error=HOSTILE)]},
        "variable": {"variables": [FoundVariable(HOSTILE, [HOSTILE], [HOSTILE])]},
        "setting": {"settings": {HOSTILE: HOSTILE}},
        "spot": {},
    }[place]
    spots = [Spot(HOSTILE, 1, HOSTILE)] if place == "spot" else []
    text = html_of(inspected(organization(**changes), repository(variables=spots)))
    page = Page(text)
    assert not {"script", "img"} & set(page.tags), "it is a text, not an element"
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert page.tags["style"] == 1
    assert not set(text) & {"\u202e", "\x1b", "\x00"}


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_name_is_shown_in_a_page_that_can_be_read(name: str) -> None:
    page = Page(html_of(inspected(organization(locations=[location(name, DOCKER)]), None)))
    assert page.tags["html"] == 1
    assert "script" not in page.tags


def test_no_token_is_shown_in_either_even_if_one_got_into_an_inspection() -> None:
    token = f"user:acme:{secrets.token_hex(16)}"
    state = organization(locations=[location("quick", PEX, error=f"refused {token}")], unanswered={"runs": token})
    inspection = Inspection("2026-11-30T04:00:00+00:00", state, None, [])  # past where secrets are taken out
    assert token not in text_of(inspection)
    assert token not in html_of(inspection)
