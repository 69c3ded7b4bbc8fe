"""A stand-in for GitLab's REST API, for tests only; used as that of GitHub is."""

from tests.standins.gitlab.api import FakeGitLab, FakeGitLabIssue, FakeMergeRequest, FakeNote

__all__ = ["FakeGitLab", "FakeGitLabIssue", "FakeMergeRequest", "FakeNote"]
