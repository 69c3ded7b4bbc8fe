"""Which CI this is: GitHub's, from environments and events as its own pages describe them.

They are written by hand from those pages; that a CI sets what it documents is its own word.
"""

from __future__ import annotations

import json

import pytest

from hybrid.errors import SettingsError
from hybrid.forge.ci import CiRun, event_of

pytestmark = pytest.mark.unit

HEAD = "1" * 40
MERGE = "2" * 40
BASE = "3" * 40


def actions(name, reference, sha=MERGE, **more):
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/data",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_RUN_ID": "8675309",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_REF": reference,
        "GITHUB_SHA": sha,
        "GITHUB_STEP_SUMMARY": "/runner/_temp/summary.md",
        **more,
    }


def pull_request_event(origin="acme/data", number=12):
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number,
            "head": {"ref": "feature/x", "sha": HEAD, "repo": {"full_name": origin} if origin else None},
            "base": {"ref": "main", "sha": BASE, "repo": {"full_name": "acme/data"}},
        },
        "repository": {"full_name": "acme/data", "default_branch": "main"},
    }


def of_pull_request(event, name="pull_request"):
    environ = actions(name, "refs/pull/12/merge", GITHUB_HEAD_REF="feature/x", GITHUB_BASE_REF="main")
    return CiRun.of(environ, event)


class TestGitHub:
    def test_a_pull_request_is_known_by_its_own_head_and_not_by_the_merge_that_is_checked_out(self):
        run = of_pull_request(pull_request_event())
        assert (run.provider, run.event, run.repository) == ("github", "pull_request", "acme/data")
        assert (run.branch, run.base_branch, run.pull_request) == ("feature/x", "main", 12)
        assert run.sha == HEAD, "GITHUB_SHA is GitHub's merge commit, which nobody wrote and nobody merges"
        assert not run.is_fork
        assert run.default_branch == "main"
        assert run.run_url == "https://github.com/acme/data/actions/runs/8675309"
        assert str(run.summary_file) == "/runner/_temp/summary.md"

    @pytest.mark.parametrize("origin", ["stranger/data", None], ids=["a fork", "a fork that was deleted"])
    def test_a_pull_request_from_elsewhere_is_one_from_a_fork(self, origin):
        run = of_pull_request(pull_request_event(origin))
        assert run.is_fork, "it must not get credentials"
        assert run.repository == "acme/data", "the comment goes where the pull request is"

    def test_without_its_event_a_pull_request_counts_as_one_from_a_fork_and_has_no_commit(self):
        run = of_pull_request(None)
        assert (run.event, run.pull_request, run.branch, run.base_branch) == ("pull_request", 12, "feature/x", "main")
        assert run.is_fork, "nothing says where it comes from"
        assert run.sha is None, "GITHUB_SHA is the merge commit"

    def test_pull_request_target_tells_the_head_although_the_base_is_checked_out(self):
        environ = actions("pull_request_target", "refs/heads/main", BASE)
        run = CiRun.of(environ, pull_request_event("stranger/data"))
        assert (run.event, run.branch, run.sha, run.is_fork) == ("pull_request", "feature/x", HEAD, True)

    def test_a_push_is_of_its_branch(self):
        run = CiRun.of(actions("push", "refs/heads/main", HEAD), {"repository": {"default_branch": "main"}})
        assert (run.event, run.branch, run.sha, run.pull_request) == ("push", "main", HEAD, None)
        assert (run.base_branch, run.is_fork, run.default_branch) == (None, False, "main")

    def test_a_branch_with_slashes_keeps_them(self):
        assert CiRun.of(actions("push", "refs/heads/release/2026/q1", HEAD)).branch == "release/2026/q1"

    def test_a_tag_that_is_called_main_is_no_branch(self):
        environ = actions("push", "refs/tags/main", HEAD, GITHUB_REF_NAME="main", GITHUB_REF_TYPE="tag")
        assert CiRun.of(environ).branch is None, "else a tag could deploy what was never merged"

    def test_a_branch_that_was_deleted_is_no_push(self):
        run = CiRun.of(actions("push", "refs/heads/old", "0" * 40), {"deleted": True})
        assert (run.event, run.sha) == ("other", None)

    def test_the_merge_queue_is_neither_a_push_to_main_nor_a_pull_request(self):
        reference = "refs/heads/gh-readonly-queue/main/pr-12-" + BASE
        group = {"head_sha": HEAD, "head_ref": reference, "base_ref": "refs/heads/main", "base_sha": BASE}
        run = CiRun.of(actions("merge_group", reference, HEAD), {"action": "checks_requested", "merge_group": group})
        assert run.event == "other", "what is in the queue is not merged yet"
        assert run.branch == f"gh-readonly-queue/main/pr-12-{BASE}"
        assert (run.base_branch, run.sha, run.pull_request) == ("main", HEAD, None)

    def test_a_schedule_is_of_the_default_branch(self):
        run = CiRun.of(actions("schedule", "refs/heads/main", HEAD), {"schedule": "17 3 * * *"})
        assert (run.event, run.branch, run.sha, run.default_branch) == ("schedule", "main", HEAD, None)

    def test_a_dispatch_is_manual_and_of_the_branch_that_was_chosen(self):
        run = CiRun.of(actions("workflow_dispatch", "refs/heads/feature/x", HEAD), {"inputs": {}})
        assert (run.event, run.branch) == ("manual", "feature/x")

    @pytest.mark.parametrize("name", ["workflow_run", "issue_comment", "repository_dispatch", "release", "", "new"])
    def test_any_other_event_is_other(self, name):
        event = {"issue": {"number": 12, "pull_request": {}}, "workflow_run": {"pull_requests": [{"number": 12}]}}
        run = CiRun.of(actions(name, "refs/heads/main", BASE), event)
        assert (run.event, run.pull_request) == ("other", None), "a stranger may have caused it"

    def test_enterprise_servers_pages_are_at_their_own_address(self):
        run = CiRun.of(actions("push", "refs/heads/main", HEAD, GITHUB_SERVER_URL="https://git.acme.test/"))
        assert run.run_url == "https://git.acme.test/acme/data/actions/runs/8675309"

    @pytest.mark.parametrize(
        "event",
        [
            {"pull_request": "12"},
            {"pull_request": {"number": "12; rm -rf /", "head": [], "base": {"repo": 3}}},
            {"pull_request": {"number": True, "head": {"ref": 1, "sha": "HEAD", "repo": {"full_name": "../../x"}}}},
            {"pull_request": {"number": -1, "head": {"ref": "--upload-pack=x", "sha": "0" * 40}}, "repository": []},
        ],
        ids=["a text", "lists and words", "other types", "options"],
    )
    def test_an_event_of_another_shape_says_nothing(self, event):
        run = CiRun.of(actions("pull_request", "refs/heads/main"), event)
        assert (run.branch, run.pull_request, run.sha, run.default_branch) == (None, None, None, None)
        assert run.is_fork, "nothing says that it is ours"


class TestTheEventFile:
    def test_it_is_read_in_actions(self, tmp_path):
        file = tmp_path / "event.json"
        file.write_text(json.dumps(pull_request_event()))
        run = CiRun.here(actions("pull_request", "refs/pull/12/merge", GITHUB_EVENT_PATH=str(file)))
        assert (run.sha, run.is_fork) == (HEAD, False)

    def test_elsewhere_it_is_not_even_opened(self, tmp_path):
        assert event_of({"GITHUB_EVENT_PATH": str(tmp_path / "none")}) is None

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 200_000])
    def test_one_that_is_no_event_is_an_error_with_a_next_step(self, tmp_path, content):
        file = tmp_path / "event.json"
        file.write_bytes(content)
        with pytest.raises(SettingsError) as error:
            event_of({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(file)})
        assert "event of this run cannot be read" in error.value.what
        assert error.value.next_step

    def test_one_that_is_not_there_is_the_same_error(self, tmp_path):
        with pytest.raises(SettingsError):
            event_of({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(tmp_path / "none.json")})


@pytest.mark.parametrize(
    "name",
    [
        "-x",
        "--upload-pack=x",
        "a b",
        "a\nb",
        "a..b",
        "a:b",
        "a~1",
        "a^",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "/a",
        "a//b",
        "@{-1}",
        "",
    ],
)
def test_a_branch_that_git_would_refuse_or_read_as_an_option_is_none(name):
    assert CiRun.of(actions("push", f"refs/heads/{name}", HEAD)).branch is None


@pytest.mark.parametrize(
    "name", ["acme", "acme/", "../data", "acme/..", "acme/data?x", "acme/da ta", "acme/data\n", ""]
)
def test_a_repository_of_another_form_is_none(name):
    run = CiRun.of(actions("push", "refs/heads/main", HEAD, GITHUB_REPOSITORY=name))
    assert (run.repository, run.run_url) == (None, None)
