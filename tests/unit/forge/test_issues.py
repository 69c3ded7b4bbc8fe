"""One open issue of ours, opened, updated and closed."""

from __future__ import annotations

import pytest

from hybrid.forge.errors import ForgeUnauthorized
from hybrid.redaction import MASK

pytestmark = pytest.mark.unit

MARKER = "<!-- hybrid-drift -->"
BOT = "github-actions[bot]"


def test_it_is_opened_once_and_updated_in_place(door, github):
    first = door.upsert_issue(MARKER, "Drift in prod", "one resource", ["drift", "infrastructure"])
    second = door.upsert_issue(MARKER, "Drift in prod and staging", "two", ["drift"])
    assert (first.created, second.created, first.url == second.url) == (True, False, True)
    assert [(each.title, each.body, each.state) for each in github.issues] == [
        ("Drift in prod and staging", f"{MARKER}\ntwo", "open")
    ]


def test_labels_that_people_changed_stay_changed(door, github):
    door.upsert_issue(MARKER, "Drift", "one", ["drift"])
    github.issues[0].labels[:] = ["accepted"]
    door.upsert_issue(MARKER, "Drift", "two", ["drift"])
    assert github.issues[0].labels == ["accepted"]


def test_a_closed_one_stays_closed_and_another_is_opened(door, github):
    door.upsert_issue(MARKER, "Drift", "one")
    github.issues[0].state = "closed"
    assert door.upsert_issue(MARKER, "Drift", "two").created, "somebody closed it: what is new must be seen"
    assert [each.state for each in github.issues] == ["closed", "open"]


def test_a_strangers_issue_and_our_pull_request_with_the_marker_are_left(door, github):
    stranger = github.add_issue("Drift", f"{MARKER}\nall is well", author="mallory")
    pull = github.add_pull_request(author=BOT)
    pull.body = MARKER
    assert door.upsert_issue(MARKER, "Drift", "one").created
    assert door.close_issue(MARKER, "no drift any more") is not None
    assert (stranger.edits, stranger.state, pull.state) == (0, "open", "open")


def test_it_is_found_among_many(door, github):
    for number in range(250):
        github.add_issue(f"Another {number}", "words", author=BOT)
    ours = github.add_issue("Drift", f"{MARKER}\nold", author=BOT)
    for number in range(150):
        github.add_issue(f"Yet another {number}", "words", author=BOT)
    assert not door.upsert_issue(MARKER, "Drift", "new").created
    assert ours.body == f"{MARKER}\nnew"


def test_two_runs_at_once_leave_one_open(door, github):
    github.meanwhile("POST", "/issues$", lambda: github.add_issue("Drift", f"{MARKER}\ntheirs", author=BOT))
    written = door.upsert_issue(MARKER, "Drift", "ours")
    assert not written.created
    assert [(each.body, each.state, each.state_reason) for each in github.issues] == [
        (f"{MARKER}\nours", "open", None),
        (f"{MARKER}\nours", "closed", "not_planned"),
    ], "the older stays with the newest words"


def test_a_creation_whose_answer_was_lost_is_not_done_twice(door, github):
    github.fail("POST", "/issues$", status=502, has_effect=True)
    assert door.upsert_issue(MARKER, "Drift", "words").created
    assert len(github.issues) == 1


def test_closing_says_why_and_closes(door, github):
    written = door.upsert_issue(MARKER, "Drift", "one")
    assert door.close_issue(MARKER, "Nothing differs any more.") == written.url
    issue = github.issues[0]
    assert (issue.state, issue.state_reason) == ("closed", "completed")
    assert [each.body for each in github.comments(issue.number)] == ["Nothing differs any more."]
    assert door.close_issue(MARKER, "again") is None, "there is none open any more"
    assert len(github.comments(issue.number)) == 1


def test_nothing_is_written_when_there_is_none_to_close(door, github):
    assert door.close_issue(MARKER, "words") is None
    assert github.writes == []


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("a\nb\r\n\tc", "a b c"),
        ("a\x1b[31mred", "a [31mred"),
        ("abc\u202edef\u200b", "abcdef"),
        ("\udcff", "(no title)"),
        ("  \n ", "(no title)"),
        ("x" * 400, "x" * 254 + "…"),
        (f"token ghs_{'b2' * 18}", f"token {MASK}"),
    ],
    ids=["lines", "escapes", "direction", "halves", "nothing", "long", "secret"],
)
def test_a_hostile_title_is_one_harmless_line(door, github, title, written):
    door.upsert_issue(MARKER, title, "words")
    assert github.issues[0].title == written


def test_a_token_that_may_not_open_issues_is_told_which_permission_it_needs(door, github):
    github.permissions = {"issues": "read"}
    with pytest.raises(ForgeUnauthorized) as error:
        door.upsert_issue(MARKER, "Drift", "words")
    assert error.value.permission == "issues: write"
