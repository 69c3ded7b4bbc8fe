"""Which CI this is: others than GitHub's and GitLab's, from environments as their own pages describe them (see
test_ci_github.py)."""

from __future__ import annotations

import pytest

from hybrid.forge.ci import CiRun

pytestmark = pytest.mark.unit

HEAD = "1" * 40
MERGE = "2" * 40

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
