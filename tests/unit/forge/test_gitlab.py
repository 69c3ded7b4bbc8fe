"""GitLab's door on a stand-in that obeys quick actions, as GitLab does."""

from __future__ import annotations

import pytest

from hybrid.forge.errors import ForgeNotFound, ForgeRejected, ForgeUnauthorized
from hybrid.forge.gitlab import LONGEST, GitLab
from hybrid.redaction import Token
from tests.unit.forge.conftest import MARKER

pytestmark = pytest.mark.unit

ME = 42
MERGE = "d" * 40


def test_a_note_is_made_once_and_updated_in_place(gitlab_door, gitlab):
    first = gitlab_door.upsert_comment(12, MARKER, "first")
    second = gitlab_door.upsert_comment(12, MARKER, "second")
    assert (first.created, second.created) == (True, False)
    note = gitlab.comments(12)[0]
    assert [each.body for each in gitlab.comments(12)] == [f"{MARKER}\nsecond"]
    assert first.url == second.url == f"{gitlab.site}/acme/platform/data/-/merge_requests/12#note_{note.id}"
    root = "/projects/acme%2Fplatform%2Fdata/merge_requests/12/notes"
    assert gitlab.writes == [f"POST {root}", f"PUT {root}/{note.id}"]


def test_strangers_and_gitlabs_own_notes_are_left(gitlab_door, gitlab):
    stranger = gitlab.add_comment(12, f"{MARKER}\nall is well", author_id=13)
    system = gitlab.add_comment(12, f"{MARKER}\nadded 1 commit", author_id=ME, is_system=True)
    assert gitlab_door.comment(12, MARKER) is None
    assert gitlab_door.upsert_comment(12, MARKER, "words").created
    assert (stranger.edits, system.edits) == (0, 0)
    found = gitlab_door.comment(12, MARKER)
    assert found is not None
    assert (found.body, found.author) == (f"{MARKER}\nwords", "project_7_bot")


def test_it_is_found_on_the_third_page(gitlab_door, gitlab):
    for _ in range(250):
        gitlab.add_comment(12, "talk")
    gitlab.add_comment(12, f"{MARKER}\nold", author_id=ME)
    assert not gitlab_door.upsert_comment(12, MARKER, "new").created


def test_a_note_that_is_deleted_between_look_and_edit_is_made_anew(gitlab_door, gitlab):
    note = gitlab.add_comment(12, f"{MARKER}\nold", author_id=ME)
    gitlab.meanwhile("PUT", "/notes/", lambda: gitlab.delete_comment(note.id))
    assert gitlab_door.upsert_comment(12, MARKER, "new").created
    assert [each.body for each in gitlab.comments(12)] == [f"{MARKER}\nnew"]


def test_doubles_are_removed_and_the_oldest_stays(gitlab_door, gitlab):
    gitlab.meanwhile("POST", "/notes", lambda: gitlab.add_comment(12, f"{MARKER}\ntheirs", author_id=ME))
    assert not gitlab_door.upsert_comment(12, MARKER, "ours").created
    assert [each.body for each in gitlab.comments(12)] == [f"{MARKER}\nours"]


@pytest.mark.parametrize(
    "line",
    ["/merge", "/close now", "x\n/approve", "x\r/merge", "x\r\n/assign @me", "\r/merge", "/\rmerge", "x\n/LABEL ~a"],
    ids=repr,
)
def test_no_line_of_a_pull_requests_words_is_obeyed(gitlab_door, gitlab, line):
    gitlab_door.upsert_comment(12, MARKER, line)
    gitlab_door.upsert_comment(12, MARKER, f"again\n{line}")
    gitlab_door.upsert_issue("<!-- hybrid-drift -->", "t", line)
    gitlab_door.upsert_issue("<!-- hybrid-drift -->", "t", line)
    gitlab_door.close_issue("<!-- hybrid-drift -->", line)
    assert gitlab.orders == [], "with our rights a stranger's branch would be merged"


def test_the_stand_in_obeys_what_is_not_made_harmless(gitlab_door, gitlab, monkeypatch):
    monkeypatch.setattr("hybrid.forge.text.harmless", lambda body: body)
    gitlab_door.upsert_comment(12, MARKER, "x\n/merge")
    assert gitlab.orders == ["/merge"], "else the test above could not fail"


def test_slashes_elsewhere_stay_as_they_are(gitlab_door, gitlab):
    body = "a/b and https://x.test/y\n`/etc/hosts`\n+/usr/bin\n//c\n/ alone"
    gitlab_door.upsert_comment(12, MARKER, body)
    assert gitlab.comments(12)[0].body == f"{MARKER}\n{body}"


def test_a_slash_that_is_made_harmless_takes_no_more_room(gitlab_door, gitlab):
    body = MARKER + "\n/x" * ((LONGEST - len(MARKER)) // 3)
    gitlab_door.upsert_comment(12, MARKER, body)
    assert len(gitlab.comments(12)[0].body) == len(body)
    with pytest.raises(ForgeRejected):
        gitlab_door.upsert_comment(12, MARKER, body + "xxxx")


def test_a_text_of_blank_lines_is_looked_through_in_a_moment(gitlab_door, gitlab):
    gitlab_door.upsert_comment(12, MARKER, "\n" * 500_000 + " " * 400_000)
    assert len(gitlab.comments(12)) == 1, "a pattern that goes back would take hours"


def test_an_issue_is_opened_updated_and_closed(gitlab_door, gitlab):
    marker = "<!-- hybrid-drift -->"
    first = gitlab_door.upsert_issue(marker, "Drift", "one", ["drift", "a,b"])
    second = gitlab_door.upsert_issue(marker, "Drift of two", "two")
    assert (first.created, second.created, first.url) == (True, False, second.url)
    issue = gitlab.issues[0]
    assert (issue.title, issue.description, issue.labels) == ("Drift of two", f"{marker}\ntwo", "drift,a b")
    assert gitlab_door.close_issue(marker, "gone") == first.url
    assert (issue.state, issue.notes) == ("closed", ["gone"])
    assert gitlab_door.close_issue(marker, "gone") is None
    assert gitlab_door.upsert_issue(marker, "Drift", "three").created


def test_a_merge_request_is_told_as_a_pull_request(gitlab_door, gitlab):
    gitlab.add_pull_request(20, title="Grow\nprod", source_project_id=99).state = "locked"
    found = gitlab_door.pull_request(20)
    assert (found.number, found.title, found.state, found.is_fork) == (20, "Grow prod", "open", True)
    assert (found.head_sha, found.head_branch, found.base_branch) == ("a" * 40, "feature/x", "main")
    with pytest.raises(ForgeNotFound):
        gitlab_door.pull_request(404)


@pytest.mark.parametrize("how", ["merge commit", "squash", "fast-forward"])
def test_the_merge_request_that_made_a_commit_is_found(gitlab_door, gitlab, how):
    made = gitlab.add_pull_request(20)
    made.state = "merged"
    if how == "fast-forward":
        made.sha = MERGE
    elif how == "squash":
        made.squash_commit_sha = MERGE
    else:
        made.merge_commit_sha = MERGE
    gitlab.add_pull_request(21, sha=MERGE)
    assert [each.number for each in gitlab_door.pull_requests_of(MERGE)] == [20]


def test_the_last_commit_of_a_branch_is_not_what_its_merge_made(gitlab_door, gitlab):
    made = gitlab.add_pull_request(20, sha="c" * 40)
    made.state, made.merge_commit_sha = "merged", MERGE
    assert gitlab_door.pull_requests_of("c" * 40) == []


def test_a_jobs_own_token_is_refused_before_anything_is_asked(gitlab, pauses):
    token = Token(gitlab.job_token)
    door = GitLab.of(gitlab.url, gitlab.repository, token, {}, is_job_token=True, patience=pauses.patience())
    for call in (
        lambda: door.upsert_comment(12, MARKER, "words"),
        lambda: door.comment(12, MARKER),
        lambda: door.upsert_issue(MARKER, "t", "b"),
        lambda: door.close_issue(MARKER, "words"),
    ):
        with pytest.raises(ForgeUnauthorized) as error:
            call()
        assert "GITLAB_TOKEN" in (error.value.next_step or "")
    assert gitlab.calls == []


def test_where_a_jobs_token_reads_it_goes_in_its_own_header(gitlab, pauses):
    token = Token(gitlab.job_token)
    door = GitLab.of(gitlab.url, gitlab.repository, token, {}, is_job_token=True, patience=pauses.patience())
    with pytest.raises(ForgeNotFound) as error:
        door.pull_request(12)
    assert gitlab.calls[0].headers["job-token"] == gitlab.job_token
    assert "authorization" not in gitlab.calls[0].headers
    assert gitlab.job_token not in error.value.sentence()


def test_a_wrong_token_is_told_what_to_do(gitlab, pauses):
    door = GitLab.of(gitlab.url, gitlab.repository, Token("glpat-wrong-0000000000000"), {}, patience=pauses.patience())
    with pytest.raises(ForgeUnauthorized) as error:
        door.upsert_comment(12, MARKER, "words")
    assert "scope `api`" in (error.value.next_step or "")
