"""Which CI this is: GitLab's, from environments as its own pages describe them (see test_ci_github.py)."""

from __future__ import annotations

import pytest

from hybrid.forge.ci import CiRun

pytestmark = pytest.mark.unit

HEAD = "1" * 40
MERGE = "2" * 40


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
