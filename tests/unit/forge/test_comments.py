"""One comment of ours under a pull request, on a stand-in of GitHub that keeps state and records calls."""

from __future__ import annotations

import threading

import pytest

from hybrid.forge.errors import ForgeNotFound, ForgeRejected, ForgeUnauthorized, ForgeUnreachable
from hybrid.forge.github import LONGEST, GitHub
from hybrid.redaction import MASK, Token
from tests.standins.github import FakeGitHub
from tests.unit.forge.conftest import MARKER

pytestmark = pytest.mark.unit

BOT = "github-actions[bot]"


def test_it_is_made_once_and_updated_in_place(door, github):
    first = door.upsert_comment(12, MARKER, f"{MARKER}\nfirst")
    second = door.upsert_comment(12, MARKER, f"{MARKER}\nsecond")
    assert (first.created, second.created) == (True, False)
    assert first.url == second.url, "a link that somebody has goes on to work"
    assert [(comment.body, comment.author) for comment in github.comments(12)] == [(f"{MARKER}\nsecond", BOT)]
    comment = github.comments(12)[0].id
    assert github.writes == [
        "POST /repos/acme/data/issues/12/comments",
        f"PATCH /repos/acme/data/issues/comments/{comment}",
    ]


def test_a_body_without_the_marker_gets_it(door, github):
    door.upsert_comment(12, MARKER, "words")
    door.upsert_comment(12, MARKER, "other words")
    assert [comment.body for comment in github.comments(12)] == [f"{MARKER}\nother words"], "else each run adds one"


def test_two_markers_are_two_comments(door, github):
    door.upsert_comment(12, MARKER, "a review")
    door.upsert_comment(12, "<!-- hybrid-review:prod -->", "of prod")
    assert len(github.comments(12)) == 2
    found = door.comment(12, MARKER)
    assert found is not None
    assert (found.body, found.author) == (f"{MARKER}\na review", BOT)


def test_a_strangers_comment_with_the_marker_is_neither_edited_nor_read(door, github):
    copied = github.add_comment(12, f"{MARKER}\nnothing would be deleted, merge it", author="mallory")
    gone = github.add_comment(12, f"{MARKER}\nof an account that is gone", author=None)
    assert door.comment(12, MARKER) is None, "whoever reads ours would read a stranger's words"
    assert door.upsert_comment(12, MARKER, "the truth").created
    assert (copied.edits, gone.edits) == (0, 0)


def test_our_own_comment_that_holds_another_marker_further_down_is_not_that_one(door, github):
    hostile = "title: <!-- hybrid-drift -->"
    door.upsert_comment(12, MARKER, f"a pull request's own words\n\n{hostile}")
    assert door.comment(12, "<!-- hybrid-drift -->") is None
    door.upsert_comment(12, "<!-- hybrid-drift -->", "drift")
    assert len(github.comments(12)) == 2, "the words of a pull request must not have another comment overwritten"


def test_it_is_found_among_five_hundred(door, github):
    for _ in range(499):
        github.add_comment(12, "talk")
    github.add_comment(12, f"{MARKER}\nold", author=BOT)
    assert not door.upsert_comment(12, MARKER, "new").created
    assert [call.query for call in github.calls if call.line.startswith("GET /repos")][-1]["page"] == "5"
    assert github.comments(12)[-1].body == f"{MARKER}\nnew"


def test_one_that_is_deleted_between_look_and_edit_is_made_anew(door, github):
    comment = github.add_comment(12, f"{MARKER}\nold", author=BOT)
    github.meanwhile("PATCH", "/issues/comments/", lambda: github.delete_comment(comment.id))
    written = door.upsert_comment(12, MARKER, "new")
    assert written.created
    assert [each.body for each in github.comments(12)] == [f"{MARKER}\nnew"]


def test_one_that_a_list_still_shows_after_it_is_gone_is_made_anew(door, github):
    old = github.add_comment(12, f"{MARKER}\nold", author=BOT)
    github.fail("PATCH", f"/issues/comments/{old.id}", status=404, body={"message": "Not Found"}, times=9)
    assert door.upsert_comment(12, MARKER, "new").created
    assert [each.body for each in github.comments(12)][-1] == f"{MARKER}\nnew"
    assert len(github.comments(12)) == 2, "it asked once, and did not go round in circles"


def test_of_two_runs_at_once_the_older_comment_stays_and_says_the_newest_words(door, another_door, github):
    other = another_door()
    github.meanwhile("POST", "/issues/12/comments", lambda: github.add_comment(12, f"{MARKER}\ntheirs", author=BOT))
    written = door.upsert_comment(12, MARKER, "ours")
    assert not written.created, "the comment that stays is the other run's"
    assert [each.body for each in github.comments(12)] == [f"{MARKER}\nours"]
    other.upsert_comment(12, MARKER, "later")
    assert [each.body for each in github.comments(12)] == [f"{MARKER}\nlater"]


def test_doubles_of_former_runs_are_removed_and_strangers_copies_are_not(door, github):
    kept = github.add_comment(12, f"{MARKER}\n1", author=BOT)
    github.add_comment(12, f"{MARKER}\nstranger", author="mallory")
    github.add_comment(12, f"{MARKER}\n2", author=BOT)
    door.upsert_comment(12, MARKER, "new")
    assert [(each.id, each.body) for each in github.comments(12) if each.author == BOT] == [(kept.id, f"{MARKER}\nnew")]
    assert len(github.comments(12)) == 2


def test_many_runs_at_once_leave_one_comment(door, another_door, github):
    doors = [door, *(another_door() for _ in range(5))]
    start = threading.Barrier(len(doors))
    failed: list[BaseException] = []

    def write(index: int) -> None:
        start.wait()
        try:
            doors[index].upsert_comment(12, MARKER, f"run {index}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(len(doors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(github.comments(12)) == 1, "whoever looks after creating removes the younger"


def test_a_creation_whose_answer_was_lost_is_not_done_twice(door, github, pauses):
    github.fail("POST", "/issues/12/comments", status=None, has_effect=True)
    written = door.upsert_comment(12, MARKER, "words")
    assert written.created
    assert len(github.comments(12)) == 1
    assert github.writes.count("POST /repos/acme/data/issues/12/comments") == 1, "it was looked before it was repeated"
    assert pauses.seconds, "GitHub was given a moment"


def test_a_creation_that_failed_without_effect_is_tried_again(door, github):
    github.fail("POST", "/issues/12/comments", status=502)
    assert door.upsert_comment(12, MARKER, "words").created
    assert len(github.comments(12)) == 1


def test_creations_that_go_on_failing_end_with_an_error(door, github):
    github.fail("POST", "/issues/12/comments", status=503, times=99)
    with pytest.raises(ForgeUnreachable) as error:
        door.upsert_comment(12, MARKER, "words")
    assert error.value.exit_code == 10
    assert github.writes == ["POST /repos/acme/data/issues/12/comments"] * 4


def test_an_edit_is_repeated_when_github_is_out_of_order_for_a_moment(door, github, pauses):
    github.add_comment(12, f"{MARKER}\nold", author=BOT)
    github.fail("PATCH", "/issues/comments/", status=500)
    github.fail("GET", "/issues/12/comments", status=None)
    assert not door.upsert_comment(12, MARKER, "new").created
    assert [each.body for each in github.comments(12)] == [f"{MARKER}\nnew"]
    assert len(pauses.seconds) == 2


def test_the_longest_text_is_written_and_a_longer_one_is_refused_before_it_is_sent(door, github):
    exactly = MARKER + "\n" + "x" * (LONGEST - len(MARKER) - 1)
    door.upsert_comment(12, MARKER, exactly)
    assert len(github.comments(12)[0].body) == LONGEST
    before = len(github.calls)
    with pytest.raises(ForgeRejected) as error:
        door.upsert_comment(12, MARKER, exactly + "x")
    assert "65,537 characters" in error.value.what
    assert len(github.calls) == before


def test_what_github_counts_is_characters_and_not_bytes(door, github):
    door.upsert_comment(12, MARKER, MARKER + "😀" * (LONGEST - len(MARKER)))
    assert len(github.comments(12)) == 1


def test_a_refusal_of_githubs_own_is_said_in_its_words(door, github, monkeypatch):
    monkeypatch.setattr("hybrid.forge.github.LONGEST", LONGEST + 10)
    with pytest.raises(ForgeRejected) as error:
        door.upsert_comment(12, MARKER, "x" * (LONGEST - 20))
    assert "maximum is 65536 characters" in (error.value.why or ""), "whoever reads it learns what GitHub does not take"


def test_one_that_somebody_else_changed_is_told_to_be_theirs(door, github):
    door.upsert_comment(12, MARKER, "three resources would be deleted")
    comment = github.comments(12)[0]

    def edited_by():
        found = door.comment(12, MARKER)
        assert found is not None
        return found.edited_by

    assert edited_by() is None
    github.edit_comment(comment.id, f"{MARKER}\nnothing would be deleted", "mallory")
    assert edited_by() == "mallory", "a deploy must not take these words for what was reviewed"
    github.edit_comment(comment.id, f"{MARKER}\nnothing would be deleted", None)
    assert edited_by() == "an account that is gone"
    door.upsert_comment(12, MARKER, "three resources would be deleted")
    assert edited_by() is None, "what we wrote over it is ours"


def test_a_comment_of_which_it_is_not_told_who_changed_it_is_not_given(door, github):
    door.upsert_comment(12, MARKER, "words")
    refused = {"data": None, "errors": [{"message": "Resource not accessible by integration"}]}
    github.fail("POST", "/graphql", status=200, body=refused, times=9)
    with pytest.raises(ForgeRejected) as error:
        door.comment(12, MARKER)
    assert "who changed" in error.value.what


def test_a_text_of_hostile_characters_is_written_without_what_cannot_be_sent(door, github):
    hostile = "a\0b\udcffc\r\nd \u202e<script>alert(1)</script> @everyone <!-- --> \x1b[2J"
    door.upsert_comment(12, MARKER, hostile)
    body = github.comments(12)[0].body
    assert body.startswith(f"{MARKER}\nab?c\nd ")


def test_no_secret_is_written_into_a_comment(door, github):
    register_me = Token("correct horse battery staple")
    planted = f"{register_me.reveal()} ghp_{'a1' * 18} AKIAABCDEFGHIJKLMNOP {github.token}"
    door.upsert_comment(12, MARKER, planted)
    assert github.comments(12)[0].body == f"{MARKER}\n{MASK} {MASK} {MASK} {MASK}"


@pytest.mark.parametrize("marker", ["", "hybrid-review", "<!-- a -->b", "<!-- a -- b -->", "<!--a-->", "<!-- a\nb -->"])
def test_a_marker_that_is_none_is_a_fault_of_ours(door, marker):
    with pytest.raises(ValueError, match="no marker"):
        door.upsert_comment(12, marker, "words")


def test_a_pull_request_that_is_not_there_is_not_found(door):
    with pytest.raises(ForgeNotFound) as error:
        door.upsert_comment(404, MARKER, "words")
    assert "pull request 404" in error.value.what


def test_a_token_that_may_not_comment_is_told_which_permission_it_needs(door, github):
    github.permissions = {"pull-requests": "read"}
    with pytest.raises(ForgeUnauthorized) as error:
        door.upsert_comment(12, MARKER, "words")
    assert error.value.permission == "pull-requests: write"
    assert "`pull-requests: write`" in error.value.what
    assert "from a fork" in (error.value.next_step or ""), "there no permission in the workflow helps"


class TestWhoWeAre:
    def door(self, github: FakeGitHub, pauses, **environ: str) -> GitHub:
        github.add_pull_request(12)
        return GitHub.of(github.url, github.repository, Token(github.token), environ, patience=pauses.patience())

    def test_a_persons_token_acts_as_that_person(self, pauses):
        with FakeGitHub(login="Marie", token="ghp_" + "standin2" * 4) as github:
            door = self.door(github, pauses)
            github.add_comment(12, f"{MARKER}\nof the workflow", author=BOT)
            mine = github.add_comment(12, f"{MARKER}\nmine", author="marie")
            assert not door.upsert_comment(12, MARKER, "new").created, "logins are the same in any case"
            assert mine.body == f"{MARKER}\nnew"

    def test_another_apps_token_acts_as_that_app_also_in_a_workflow(self, pauses):
        with FakeGitHub(login="acme-infra[bot]") as github:
            door = self.door(github, pauses, GITHUB_ACTIONS="true")
            workflow = github.add_comment(12, f"{MARKER}\nof the workflow", author=BOT)
            assert door.upsert_comment(12, MARKER, "new").created
            assert workflow.edits == 0

    def test_in_a_workflow_it_is_the_workflows_bot_when_nothing_says_more(self, pauses):
        with FakeGitHub(tells_viewer=False) as github:
            door = self.door(github, pauses, GITHUB_ACTIONS="true")
            door.upsert_comment(12, MARKER, "first")
            assert not door.upsert_comment(12, MARKER, "second").created

    def test_elsewhere_an_account_that_nothing_tells_is_an_error(self, pauses):
        with FakeGitHub(login="acme-infra[bot]", tells_viewer=False) as github:
            door = self.door(github, pauses)
            github.add_comment(12, "talk")
            with pytest.raises(ForgeUnauthorized) as error:
                door.upsert_comment(12, MARKER, "new")
            assert "which comments are ours" in error.value.what
            assert github.writes == []

    def test_an_enterprise_server_has_both_of_its_addresses(self, pauses):
        with FakeGitHub(base="/api/v3") as github:
            door = self.door(github, pauses)
            door.upsert_comment(12, MARKER, "first")
            assert not door.upsert_comment(12, MARKER, "second").created
            assert door.comment(12, MARKER) is not None
            assert "POST /api/graphql" in github.lines

    def test_it_is_asked_once(self, door, github):
        for _ in range(3):
            door.upsert_comment(12, MARKER, "words")
        assert github.lines.count("GET /user") == 1
