"""Limits of requests, faults, redirects and what errors may say, through the door."""

from __future__ import annotations

import re
import threading
import time
import traceback

import pytest

from hybrid.errors import HybridError
from hybrid.forge.errors import ForgeNotFound, ForgeRateLimited, ForgeRejected, ForgeUnauthorized, ForgeUnreachable
from hybrid.forge.github import GitHub
from hybrid.redaction import Token
from tests.ports import free_port
from tests.standins.github import FakeGitHub
from tests.unit.forge.conftest import MARKER

pytestmark = pytest.mark.unit


class TestLimits:
    @pytest.mark.parametrize("status", [403, 429])
    def test_a_limit_that_ends_soon_is_waited_out(self, door, github, pauses, status):
        github.fail("GET", "/pulls/12", status=status, headers={"Retry-After": "7"})
        assert door.pull_request(12).number == 12
        assert pauses.seconds == [7.0]

    def test_a_creation_is_repeated_after_a_limit_for_it_had_no_effect(self, door, github, pauses):
        github.fail("POST", "/issues/12/comments", status=429, headers={"Retry-After": "3"})
        assert door.upsert_comment(12, MARKER, "words").created
        assert (len(github.comments(12)), pauses.seconds) == (1, [3.0])

    def test_the_reset_is_read_by_githubs_own_clock(self, door, github, pauses):
        # The stand-in's Date is this machine's.
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 30)}
        github.fail("GET", "/pulls/12", status=403, headers=headers)
        door.pull_request(12)
        assert 25 <= pauses.seconds[0] <= 31

    def test_a_limit_of_which_github_does_not_say_the_end_is_waited_a_minute(self, door, github, pauses):
        said = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
        github.fail("GET", "/pulls/12", status=403, body=said)
        door.pull_request(12)
        assert pauses.seconds == [60.0]

    @pytest.mark.parametrize(
        "headers",  # made when the test runs: the rest of a suite may take longer than they last
        [
            lambda: {"Retry-After": "1200"},
            lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 1200)},
        ],
        ids=["retry-after", "reset"],
    )
    def test_a_longer_one_is_an_error_that_says_when(self, door, github, pauses, headers):
        github.fail("GET", "/pulls/12", status=403, headers=headers())
        with pytest.raises(ForgeRateLimited) as error:
            door.pull_request(12)
        assert pauses.seconds == [], "the job does not stand and wait for nothing"
        assert re.search(r"for (19|20) minutes", error.value.what)
        assert error.value.exit_code == 10

    def test_short_ones_that_follow_each_other_end_after_a_minute_too(self, door, github, pauses):
        github.fail("GET", "/pulls/12", status=429, headers={"Retry-After": "25"}, times=99)
        with pytest.raises(ForgeRateLimited) as error:
            door.pull_request(12)
        assert pauses.seconds == [25.0, 25.0]
        assert "50 seconds were waited" in (error.value.why or "")

    def test_a_refusal_is_no_limit(self, door, github, pauses):
        github.fail("GET", "/pulls/12", status=403, headers={"X-RateLimit-Remaining": "4999"})
        with pytest.raises(ForgeUnauthorized):
            door.pull_request(12)
        assert pauses.seconds == []


class TestFaults:
    def test_a_read_is_tried_four_times(self, door, github, pauses):
        github.fail("GET", "/pulls/12", status=503, times=99)
        with pytest.raises(ForgeUnreachable) as error:
            door.pull_request(12)
        assert "out of order" in error.value.what
        assert github.lines == ["GET /repos/acme/data/pulls/12"] * 4
        assert len(pauses.seconds) == 3

    def test_a_host_where_nothing_listens_is_said_by_its_address(self, pauses):
        address = f"http://127.0.0.1:{free_port()}"
        door = GitHub.of(address, "acme/data", Token("ghp_" + "standin3" * 4), {}, patience=pauses.patience())
        with pytest.raises(ForgeUnreachable) as error:
            door.pull_request(12)
        assert address in error.value.what
        assert not error.value.was_sent

    def test_an_answer_that_does_not_come_ends(self, github, pauses):
        github.add_pull_request(12)
        held = threading.Event()
        github.fail("GET", "/pulls/12", hold=held, times=9)
        patience = pauses.patience(answer_seconds=0.2)
        door = GitHub.of(github.url, github.repository, Token(github.token), {}, patience=patience)
        with pytest.raises(ForgeUnreachable) as error:
            door.pull_request(12)
        held.set()
        assert "did not answer in time" in error.value.what

    @pytest.mark.parametrize("body", ["<html>Please log in</html>", {"message": "fine"}, [1, 2], "[" * 100_000])
    def test_an_answer_of_another_shape_is_said_to_be_none_of_githubs(self, door, github, body):
        github.fail("GET", "/pulls/12", status=200, body=body)
        github.fail("GET", "/issues/12/comments", status=200, body=body)
        for ask in (lambda: door.pull_request(12), lambda: door.comment(12, MARKER)):
            with pytest.raises(ForgeRejected) as error:
                ask()
            assert "is not GitHub's API" in error.value.what

    def test_a_list_without_an_end_ends(self, door, github, monkeypatch):
        monkeypatch.setattr("hybrid.forge.transport._MOST_PAGES", 5)
        link = {"Link": f'<{github.url}/repos/acme/data/issues/12/comments?page=2>; rel="next"'}
        github.fail("GET", "/issues/12/comments", status=200, body=[], headers=link, times=99)
        with pytest.raises(ForgeRejected) as error:
            door.comment(12, MARKER)
        assert "more than 500 entries" in error.value.what

    def test_a_link_to_another_host_is_not_followed_there(self, door, github):
        with FakeGitHub() as elsewhere:
            link = {"Link": f'<{elsewhere.url}/repos/acme/data/issues/12/comments?page=2>; rel="next"'}
            github.fail("GET", "/issues/12/comments", status=200, body=[], headers=link)
            door.comment(12, MARKER)
            assert elsewhere.calls == []
        pages = [call.query.get("page") for call in github.calls if call.path.endswith("/comments")]
        assert pages == [None, "2"], "the page is asked of the host that we know"


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_within_the_host_the_request_goes_on_as_it_was(self, door, github, status):
        to = f"{github.url}/repos/acme/data/issues/12/comments"
        github.fail("POST", "/issues/12/comments", status=status, headers={"Location": to})
        assert door.upsert_comment(12, MARKER, "words").created
        assert len(github.comments(12)) == 1

    @pytest.mark.parametrize("status", [301, 307])
    def test_to_another_host_neither_the_token_nor_the_request_goes(self, door, github, status):
        with FakeGitHub() as elsewhere:
            to = f"{elsewhere.url}/repos/acme/data/pulls/12"
            github.fail("GET", "/pulls/12", status=status, headers={"Location": to})
            with pytest.raises(ForgeRejected) as error:
                door.pull_request(12)
            assert elsewhere.calls == []
        assert "the token does not go there" in error.value.what

    @pytest.mark.parametrize("to", ["", "//evil.test/x", "http://[", "https://127.0.0.1/x", "file:///etc/passwd"])
    def test_nor_to_what_is_hardly_an_address(self, door, github, to):
        github.fail("GET", "/pulls/12", status=302, headers={"Location": to}, times=9)
        with pytest.raises(ForgeRejected):
            door.pull_request(12)
        assert set(github.lines) == {"GET /repos/acme/data/pulls/12"}

    def test_a_circle_ends(self, door, github):
        to = {"Location": f"{github.url}/repos/acme/data/pulls/12"}
        github.fail("GET", "/pulls/12", status=302, headers=to, times=99)
        with pytest.raises(ForgeRejected):
            door.pull_request(12)
        assert len(github.calls) == 4


class TestSecrecy:
    def echoes(self, github: FakeGitHub) -> dict[str, dict[str, object]]:
        """Faults in which the forge, or something before it, says our token back."""
        said = {"message": f"token {github.token} is bad", "errors": [{"header": f"Bearer {github.token}"}]}
        return {
            "401": {"status": 401, "body": said},
            "403": {"status": 403, "body": said},
            "404": {"status": 404, "body": said},
            "422": {"status": 422, "body": said},
            "429": {"status": 429, "body": said, "headers": {"Retry-After": "9999"}},
            "500": {"status": 500, "body": said},
            "html": {"status": 200, "body": f"<p>{github.token}</p>"},
            "redirect": {"status": 302, "headers": {"Location": f"https://evil.test/?t={github.token}"}},
            "cut": {"status": None},
        }

    @pytest.mark.parametrize("kind", ["401", "403", "404", "422", "429", "500", "html", "redirect", "cut"])
    def test_no_error_and_no_traceback_holds_the_token(self, door, github, kind):
        github.fail("GET", "/pulls/12", times=9, **self.echoes(github)[kind])
        with pytest.raises(HybridError) as caught:
            door.pull_request(12)
        error = caught.value
        shown = error.sentence() + "".join(traceback.format_exception(error)) + repr(vars(error))
        assert github.token not in shown
        assert error.next_step
        assert error.exit_code == 10
        chained: BaseException | None = error
        while chained is not None:
            assert not hasattr(chained, "request"), "httpx's exceptions hold the request, which holds the token"
            chained = chained.__cause__ or chained.__context__

    def test_the_door_does_not_show_its_token(self, door, github):
        assert github.token not in repr(door) + repr(vars(door))

    def test_the_token_travels_in_its_header_alone(self, door, github):
        door.upsert_comment(12, MARKER, "words")
        for call in github.calls:
            assert call.headers["authorization"] == f"Bearer {github.token}"
            others = {name: value for name, value in call.headers.items() if name != "authorization"}
            assert github.token not in repr((others, call.path, call.query, call.body))

    def test_a_token_that_github_does_not_know_is_told_what_to_do(self, github, pauses):
        door = GitHub.of(github.url, github.repository, Token("ghp_wrong" + "0" * 30), {}, patience=pauses.patience())
        with pytest.raises(ForgeUnauthorized) as error:
            door.comment(12, MARKER)
        assert "does not take the token" in error.value.what
        assert "GITHUB_TOKEN" in (error.value.next_step or "")
        assert error.value.permission is None

    def test_a_refused_repository_says_both_that_it_may_be_absent_and_what_the_token_needs(self, github, pauses):
        door = GitHub.of(github.url, "acme/other", Token(github.token), github.environ, patience=pauses.patience())
        with pytest.raises(ForgeNotFound) as error:
            door.pull_request(12)
        assert "acme/other" in error.value.what
        assert "pull-requests: read" in (error.value.next_step or "")
