"""The guard before a branch deployment: every CI, event and branch, with and without words of a person."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hybrid.errors import UsageError
from hybrid.forge.ci import CiRun
from hybrid.pipeline.change import Change, Given, change_of, repository_of
from hybrid.pipeline.checkout import GitCheckout
from hybrid.plus import Commit

pytestmark = pytest.mark.unit

SHA, OTHER = "a" * 40, "b" * 40
HOME, FORK = {"full_name": "acme/data"}, {"full_name": "stranger/data"}


@dataclasses.dataclass(frozen=True)
class Checkout(GitCheckout):
    """What git says, without a git."""

    on: str | None = "feature"
    known: tuple[str, ...] = (SHA,)
    merge_of: tuple[str, ...] = ()
    address: str | None = "https://github.com/acme/data.git"
    at: str | None = SHA

    @property
    def branch(self) -> str | None:
        return self.on

    @property
    def remote(self) -> str | None:  # type: ignore[override]
        return self.address

    @property
    def head(self) -> str | None:  # type: ignore[override]
        return self.at

    def commit(self, sha: str) -> Commit | None:
        return Commit(sha, 1.0) if sha in self.known else None

    def is_merge_of(self, sha: str) -> bool:
        return sha in self.merge_of


def checkout(**facts: Any) -> Checkout:
    return Checkout(Path("/nowhere"), **facts)


def github(event: str, ref: str, head: dict[str, str] | None = None, branch: str = "feature", **more: str) -> CiRun:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_REF": ref,
        "GITHUB_REPOSITORY": "acme/data",
        "GITHUB_RUN_ID": "1",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_SHA": SHA,
        **more,
    }
    payload: dict[str, Any] = {"repository": {"default_branch": "main"}}
    if head is not None:
        payload["pull_request"] = {
            "number": 7,
            "head": {"ref": branch, "sha": SHA, "repo": head},
            "base": {"ref": "main", "repo": HOME},
        }
    return CiRun.of(environ, payload)


def gitlab(source: str, **more: str) -> CiRun:
    return CiRun.of(
        {
            "GITLAB_CI": "true",
            "CI": "true",
            "CI_PIPELINE_SOURCE": source,
            "CI_PROJECT_PATH": "acme/data",
            "CI_COMMIT_SHA": SHA,
            "CI_DEFAULT_BRANCH": "main",
            "CI_PIPELINE_URL": "https://gitlab.com/acme/data/-/pipelines/1",
            **more,
        }
    )


def merge_request(origin: str) -> CiRun:
    return gitlab(
        "merge_request_event",
        CI_MERGE_REQUEST_IID="7",
        CI_MERGE_REQUEST_PROJECT_PATH="acme/data",
        CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=origin,
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME="feature",
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
    )


PULL = "refs/pull/7/merge"
RUNS: dict[str, CiRun] = {
    "github pull request": github("pull_request", PULL, HOME),
    "github pull request from main": github("pull_request", PULL, HOME, branch="main"),
    "github fork": github("pull_request", PULL, FORK),
    "github deleted fork": github("pull_request", PULL, {}),
    "github target of a fork": github("pull_request_target", "refs/heads/main", FORK),
    "github push feature": github("push", "refs/heads/feature"),
    "github push main": github("push", "refs/heads/main"),
    "github tag": github("push", "refs/tags/feature"),
    "github schedule": github("schedule", "refs/heads/main"),
    "github by hand feature": github("workflow_dispatch", "refs/heads/feature"),
    "github by hand main": github("workflow_dispatch", "refs/heads/main"),
    "github merge queue": github("merge_group", "refs/heads/gh-readonly-queue/main/pr-7"),
    "github comment": github("issue_comment", "refs/heads/feature"),
    "gitlab merge request": merge_request("acme/data"),
    "gitlab fork": merge_request("stranger/data"),
    "gitlab push feature": gitlab("push", CI_COMMIT_BRANCH="feature"),
    "gitlab push main": gitlab("push", CI_COMMIT_BRANCH="main"),
    "gitlab tag": gitlab("push", CI_COMMIT_TAG="feature"),
    "gitlab schedule": gitlab("schedule", CI_COMMIT_BRANCH="feature"),
    "gitlab by hand": gitlab("web", CI_COMMIT_BRANCH="feature"),
    "gitlab child": gitlab("parent_pipeline", CI_COMMIT_BRANCH="feature"),
    "jenkins": CiRun.of({"JENKINS_URL": "https://ci", "BRANCH_NAME": "feature", "CI": "true"}),
    "circleci": CiRun.of({"CIRCLECI": "true", "CIRCLE_BRANCH": "feature", "CI": "true"}),
    "buildkite": CiRun.of({"BUILDKITE": "true", "BUILDKITE_BRANCH": "feature", "CI": "true"}),
    "gitea": CiRun.of({"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/feature"}),
    "some ci": CiRun.of({"CI": "true"}),
    "plain shell": CiRun.of({}),
}
FORKS = {"github fork", "github deleted fork", "github target of a fork", "gitlab fork"}
BY_THEMSELVES = {
    "github pull request": ("feature", 7),
    "github pull request from main": ("main", 7),
    "github push feature": ("feature", None),
    "github by hand feature": ("feature", None),
    "gitlab merge request": ("feature", 7),
    "gitlab push feature": ("feature", None),
    "gitlab by hand": ("feature", None),
}
"""All that goes without a word of a person, as branch and pull request."""


@pytest.mark.parametrize("name", RUNS)
def test_without_a_word_only_a_known_change_goes(name: str) -> None:
    if name in BY_THEMSELVES:
        found = change_of(RUNS[name], Given(), checkout(), "main")
        assert (found.branch, found.pull_request, found.repository) == (*BY_THEMSELVES[name], "acme/data")
    else:
        with pytest.raises(UsageError) as refused:
            change_of(RUNS[name], Given(), checkout(), "main")
        assert refused.value.next_step, "it says what to do"


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("given", [Given(branch="main"), Given(branch="refs/heads/main")])
def test_nobody_may_say_the_deployed_branch(name: str, given: Given) -> None:
    if name == "github pull request from main":
        assert change_of(RUNS[name], given, checkout(), "main").pull_request == 7, "CI itself says that it is a change"
        return
    with pytest.raises(UsageError):
        change_of(RUNS[name], given, checkout(), "main")


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("given", [Given(branch="other"), Given(branch="other", pull_request=9, repository="acme/x")])
def test_a_branch_that_is_said_goes_everywhere_but_for_a_fork(name: str, given: Given) -> None:
    if name in FORKS:
        with pytest.raises(UsageError, match="another repository"):
            change_of(RUNS[name], given, checkout(), "main")
        return
    found = change_of(RUNS[name], given, checkout(), "main")
    assert (found.branch, found.pull_request) == ("other", given.pull_request), "CI's pull request is of another branch"
    assert found.sha is None, "and so is CI's commit"


@pytest.mark.parametrize("name", ["plain shell", "jenkins", "some ci"])
def test_a_number_alone_means_the_branch_that_is_checked_out(name: str) -> None:
    given = Given(pull_request=9)
    found = change_of(RUNS[name], given, checkout(), "main")
    assert (found.branch, found.pull_request) == ("feature", 9)
    with pytest.raises(UsageError, match="is deployed"):
        change_of(RUNS[name], given, checkout(on="main"), "main")
    with pytest.raises(UsageError, match="detached"):
        change_of(RUNS[name], given, checkout(on=None), "main")


def test_another_configured_branch_is_the_one_that_is_kept_out() -> None:
    assert change_of(RUNS["github push main"], Given(), checkout(), "release").branch == "main"
    with pytest.raises(UsageError, match="is deployed"):
        change_of(RUNS["github push feature"], Given(), checkout(), "feature")


@pytest.mark.parametrize("branch", ["-x", "a b", "a..b", "a\nb", "a~1", "a:b", "", "x" * 300, "a\x1b[0m", "/a", "a/"])
def test_what_is_no_branch_is_refused(branch: str) -> None:
    with pytest.raises(UsageError):
        change_of(RUNS["plain shell"], Given(branch=branch), checkout(on=None), "main")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://u:p@github.com/x", "file:///etc", "https://x/ y"])
def test_what_is_no_page_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        change_of(RUNS["plain shell"], Given(branch="feature", url=url), checkout(), "main")
    assert url not in refused.value.sentence(), "it may hold a password"


@pytest.mark.parametrize("repository", ["../x", "a b/c", "acme/data\n", "-x/y", "/", "a//b"])
def test_what_is_no_repository_is_refused(repository: str) -> None:
    with pytest.raises(UsageError):
        repository_of(RUNS["plain shell"], Given(repository=repository), checkout())


def test_a_repository_comes_from_the_remote_or_is_asked_for() -> None:
    run = RUNS["plain shell"]
    assert repository_of(run, Given(), checkout(address="github.com:acme/data.git")) == "acme/data"
    assert repository_of(run, Given(), checkout(address="https://gitlab.com/a/b/c")) == "a/b/c"
    with pytest.raises(UsageError, match="not known"):
        repository_of(run, Given(), checkout(address=None))


def test_pages_follow_from_where_the_run_is_shown() -> None:
    ours = change_of(RUNS["github pull request"], Given(), checkout(), "main").described()
    assert (ours.url, ours.pull_request_url) == (
        "https://github.com/acme/data/tree/feature",
        "https://github.com/acme/data/pull/7",
    )
    assert (ours.pull_request_number, ours.pull_request_status) == ("7", "OPEN")
    theirs = change_of(RUNS["gitlab merge request"], Given(), checkout(), "main").described()
    assert theirs.pull_request_url == "https://gitlab.com/acme/data/-/merge_requests/7"
    plain = change_of(RUNS["plain shell"], Given(branch="x"), checkout(address="git.example.com:a/b"), "main")
    assert (plain.described().url, plain.described().pull_request_status) == (None, None)


def test_the_commit_is_the_pull_requests_head_and_what_is_checked_out_holds_it() -> None:
    change = Change("acme/data", "feature", sha=SHA, pages="https://github.com/acme/data")
    assert change.commit_of(checkout()).url == f"https://github.com/acme/data/commit/{SHA}"
    assert change.commit_of(checkout(at=OTHER, merge_of=(SHA,))).hash == SHA, "GitHub checks out a merge of it"
    with pytest.raises(UsageError, match="checked out is bbbb"):
        change.commit_of(checkout(at=OTHER))
    with pytest.raises(UsageError, match="does not know"):
        change.commit_of(checkout(at=OTHER, merge_of=(SHA,), known=()))
    with pytest.raises(UsageError, match="does not say"):
        change.commit_of(checkout(at=None))
