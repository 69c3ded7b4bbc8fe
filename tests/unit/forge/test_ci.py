"""Which CI this is, from environments as the CIs' own pages describe them.

The environments are written by hand from those pages; that a CI sets what it documents is its own word.
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


def gitlab(source, **more):
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_PROJECT_PATH": "acme/platform/data",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PIPELINE_SOURCE": source,
        "CI_PIPELINE_URL": "https://gitlab.com/acme/platform/data/-/pipelines/99",
        "CI_COMMIT_SHA": HEAD,
        **more,
    }


def merge_request(**more):
    return gitlab(
        "merge_request_event",
        **{
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
            "CI_MERGE_REQUEST_PROJECT_PATH": "acme/platform/data",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/platform/data",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_COMMIT_REF_NAME": "feature/x",
            **more,
        },
    )


class TestGitLab:
    def test_a_detached_pipeline_builds_the_source_branchs_own_commit(self):
        run = CiRun.of(merge_request())
        assert (run.provider, run.event, run.pull_request) == ("gitlab", "pull_request", 12)
        assert (run.repository, run.branch, run.base_branch) == ("acme/platform/data", "feature/x", "main")
        assert (run.sha, run.is_fork, run.default_branch) == (HEAD, False, "main")
        assert run.run_url == "https://gitlab.com/acme/platform/data/-/pipelines/99"
        assert run.summary_file is None

    @pytest.mark.parametrize("kind", ["merged_result", "merge_train"])
    def test_where_gitlab_merges_first_the_commit_is_the_source_branchs(self, kind):
        merged = {"CI_COMMIT_SHA": MERGE, "CI_MERGE_REQUEST_EVENT_TYPE": kind}
        assert CiRun.of(merge_request(**merged, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=HEAD)).sha == HEAD
        assert CiRun.of(merge_request(**merged)).sha is None, "CI_COMMIT_SHA is GitLab's merge"

    def test_a_forks_merge_request_belongs_to_the_project_that_it_would_be_merged_into(self):
        fork = {"CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/data"}
        in_the_fork = CiRun.of(merge_request(**fork, CI_PROJECT_PATH="stranger/data"))
        assert (in_the_fork.repository, in_the_fork.is_fork) == ("acme/platform/data", True)
        assert CiRun.of(merge_request(**fork)).is_fork, "a member may run a fork's pipeline in the parent project"

    def test_a_merge_request_of_unknown_origin_counts_as_a_forks(self):
        assert CiRun.of(merge_request(CI_MERGE_REQUEST_SOURCE_PROJECT_PATH="")).is_fork

    def test_a_branch_pipeline_is_a_push(self):
        run = CiRun.of(gitlab("push", CI_COMMIT_BRANCH="main", CI_COMMIT_REF_NAME="main"))
        assert (run.event, run.branch, run.sha, run.pull_request) == ("push", "main", HEAD, None)
        assert not run.is_fork

    def test_a_tag_that_is_called_main_is_no_branch(self):
        run = CiRun.of(gitlab("push", CI_COMMIT_TAG="main", CI_COMMIT_REF_NAME="main"))
        assert run.branch is None

    @pytest.mark.parametrize(
        ("source", "event"),
        [
            ("schedule", "schedule"),
            ("web", "manual"),
            ("api", "other"),
            ("trigger", "other"),
            ("parent_pipeline", "other"),
            ("external_pull_request_event", "other"),
        ],
    )
    def test_what_started_it_is_taken_from_the_source(self, source, event):
        assert CiRun.of(gitlab(source, CI_COMMIT_BRANCH="main")).event == event

    def test_a_child_pipeline_of_a_merge_request_is_about_it(self):
        assert CiRun.of({**merge_request(), "CI_PIPELINE_SOURCE": "parent_pipeline"}).event == "pull_request"


OTHERS = {
    "circleci": (
        {
            "CI": "true",
            "CIRCLECI": "true",
            "CIRCLE_BRANCH": "feature/x",
            "CIRCLE_SHA1": HEAD,
            "CIRCLE_PROJECT_USERNAME": "acme",
            "CIRCLE_PROJECT_REPONAME": "data",
            "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/data/7",
        },
        {"CIRCLE_PULL_REQUEST": "https://github.com/acme/data/pull/12"},
        {"CIRCLE_PULL_REQUEST": "https://github.com/acme/data/pull/12", "CIRCLE_PR_REPONAME": "data"},
        ("acme/data", "feature/x", HEAD, "other"),
    ),
    "bitbucket": (
        {
            "CI": "true",
            "BITBUCKET_BUILD_NUMBER": "7",
            "BITBUCKET_BRANCH": "feature/x",
            "BITBUCKET_COMMIT": HEAD,
            "BITBUCKET_REPO_FULL_NAME": "acme/data",
        },
        {"BITBUCKET_PR_ID": "12", "BITBUCKET_PR_DESTINATION_BRANCH": "main"},
        None,
        ("acme/data", "feature/x", HEAD, "other"),
    ),
    "travis": (
        {
            "CI": "true",
            "TRAVIS": "true",
            "TRAVIS_BRANCH": "feature/x",
            "TRAVIS_COMMIT": HEAD,
            "TRAVIS_REPO_SLUG": "acme/data",
            "TRAVIS_EVENT_TYPE": "push",
            "TRAVIS_PULL_REQUEST": "false",
        },
        {
            "TRAVIS_EVENT_TYPE": "pull_request",
            "TRAVIS_PULL_REQUEST": "12",
            "TRAVIS_BRANCH": "main",
            "TRAVIS_PULL_REQUEST_BRANCH": "feature/x",
            "TRAVIS_PULL_REQUEST_SHA": HEAD,
            "TRAVIS_COMMIT": MERGE,
            "TRAVIS_PULL_REQUEST_SLUG": "acme/data",
        },
        {
            "TRAVIS_PULL_REQUEST": "12",
            "TRAVIS_PULL_REQUEST_BRANCH": "feature/x",
            "TRAVIS_PULL_REQUEST_SHA": HEAD,
            "TRAVIS_PULL_REQUEST_SLUG": "stranger/data",
        },
        ("acme/data", "feature/x", HEAD, "push"),
    ),
    "buildkite": (
        {
            "CI": "true",
            "BUILDKITE": "true",
            "BUILDKITE_BRANCH": "feature/x",
            "BUILDKITE_COMMIT": HEAD,
            "BUILDKITE_REPO": "git@github.com:acme/data.git",
            "BUILDKITE_SOURCE": "webhook",
            "BUILDKITE_PULL_REQUEST": "false",
        },
        {
            "BUILDKITE_PULL_REQUEST": "12",
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
            "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/acme/data.git",
        },
        {"BUILDKITE_PULL_REQUEST": "12", "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/stranger/data.git"},
        (None, "feature/x", HEAD, "push"),
    ),
    "azure": (
        {
            "TF_BUILD": "True",
            "BUILD_SOURCEBRANCH": "refs/heads/feature/x",
            "BUILD_SOURCEVERSION": HEAD,
            "BUILD_REASON": "IndividualCI",
            "BUILD_REPOSITORY_NAME": "acme/data",
        },
        {
            "BUILD_REASON": "PullRequest",
            "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
            "BUILD_SOURCEVERSION": MERGE,
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "12",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/feature/x",
            "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD,
            "SYSTEM_PULLREQUEST_ISFORK": "False",
        },
        {
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "12",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/feature/x",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD,
            "SYSTEM_PULLREQUEST_ISFORK": "True",
        },
        ("acme/data", "feature/x", HEAD, "push"),
    ),
    "jenkins": (
        {"JENKINS_URL": "https://jenkins.acme.test/", "BRANCH_NAME": "feature/x", "GIT_COMMIT": HEAD},
        {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "feature/x", "CHANGE_TARGET": "main"},
        {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "feature/x", "CHANGE_FORK": "stranger"},
        (None, "feature/x", HEAD, "other"),
    ),
    "woodpecker": (
        {
            "CI": "woodpecker",
            "CI_COMMIT_BRANCH": "feature/x",
            "CI_COMMIT_SHA": HEAD,
            "CI_REPO": "acme/data",
            "CI_PIPELINE_EVENT": "push",
            "CI_REPO_DEFAULT_BRANCH": "main",
        },
        None,
        {
            "CI_PIPELINE_EVENT": "pull_request",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SOURCE_BRANCH": "feature/x",
            "CI_COMMIT_TARGET_BRANCH": "main",
            "CI_COMMIT_PULL_REQUEST": "12",
        },
        ("acme/data", "feature/x", HEAD, "push"),
    ),
    "drone": (
        {
            "CI": "true",
            "DRONE": "true",
            "DRONE_BRANCH": "feature/x",
            "DRONE_COMMIT_SHA": HEAD,
            "DRONE_REPO": "acme/data",
            "DRONE_BUILD_EVENT": "cron",
        },
        None,
        {
            "DRONE_BUILD_EVENT": "pull_request",
            "DRONE_BRANCH": "main",
            "DRONE_SOURCE_BRANCH": "feature/x",
            "DRONE_TARGET_BRANCH": "main",
            "DRONE_PULL_REQUEST": "12",
        },
        ("acme/data", "feature/x", HEAD, "schedule"),
    ),
}


class TestOtherCis:
    @pytest.mark.parametrize("provider", OTHERS)
    def test_a_branch_is_known_by_name_and_commit(self, provider):
        environ, _, _, (repository, branch, sha, event) = OTHERS[provider]
        run = CiRun.of(environ)
        assert (run.provider, run.event) == (provider, event)
        assert (run.repository, run.branch, run.sha, run.pull_request) == (repository, branch, sha, None)
        assert not run.is_fork

    @pytest.mark.parametrize("provider", [name for name, value in OTHERS.items() if value[1] is not None])
    def test_a_pull_request_is_never_taken_for_a_push(self, provider):
        environ, more, _, _ = OTHERS[provider]
        run = CiRun.of({**environ, **more})
        assert (run.event, run.pull_request, run.branch, run.is_fork) == ("pull_request", 12, "feature/x", False)
        assert run.sha in {HEAD, None}, "a merge commit is not the pull request's head"

    @pytest.mark.parametrize("provider", [name for name, value in OTHERS.items() if value[2] is not None])
    def test_a_forks_pull_request_or_one_of_unknown_origin_is_a_forks(self, provider):
        environ, _, more, _ = OTHERS[provider]
        run = CiRun.of({**environ, **more})
        assert (run.event, run.branch, run.is_fork) == ("pull_request", "feature/x", True)

    def test_a_pull_request_in_codebuild_counts_as_a_forks(self):
        environ = {
            "CODEBUILD_BUILD_ID": "data:7",
            "CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED",
            "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/feature/x",
            "CODEBUILD_WEBHOOK_BASE_REF": "refs/heads/main",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": HEAD,
        }
        run = CiRun.of(environ)
        assert (run.provider, run.event, run.branch, run.base_branch) == (
            "codebuild",
            "pull_request",
            "feature/x",
            "main",
        )
        assert run.is_fork, "CodeBuild does not say where it comes from"

    @pytest.mark.parametrize(
        ("environ", "provider"),
        [
            ({"TEAMCITY_VERSION": "2026.1", "BUILD_VCS_NUMBER": HEAD}, "teamcity"),
            ({"CI": "true"}, "ci"),
            ({"CI": "1"}, "ci"),
            ({"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}, "gitea"),
            ({"GITHUB_ACTIONS": "true", "FORGEJO_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}, "forgejo"),
        ],
    )
    def test_a_ci_that_says_little_is_named_and_has_no_branch(self, environ, provider):
        run = CiRun.of(environ)
        assert (run.provider, run.event, run.branch, run.is_ci) == (provider, "other", None, True)

    @pytest.mark.parametrize("environ", [{}, {"CI": "false"}, {"CI": ""}, {"GITHUB_REF": "refs/heads/main"}])
    def test_a_plain_shell_is_no_ci_whatever_else_is_set(self, environ):
        run = CiRun.of(environ)
        assert (run.provider, run.event, run.branch, run.is_ci) == ("none", "other", None, False)

    def test_a_tag_is_no_branch_there_either(self):
        environ = {**OTHERS["circleci"][0], "CIRCLE_TAG": "v1", "CIRCLE_BRANCH": "main"}
        assert CiRun.of(environ).branch is None


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
