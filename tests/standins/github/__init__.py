"""A stand-in for GitHub's REST API, for tests only: it keeps what it is told, checks the token, pages, records every
call, and fails when it is asked to.

    with FakeGitHub() as github:
        github.add_pull_request(12)
        ...  # run what is tested with github.environ
        assert [comment.body for comment in github.comments(12)] == [...]

It proves what we send and how we take what comes back in the shapes that GitHub documents. That GitHub does so is
GitHub's word.
"""

from tests.standins.github.api import FakeGitHub
from tests.standins.github.records import FakeComment, FakeIssue, FakePull
from tests.standins.rest import Call, Reply

__all__ = ["Call", "FakeComment", "FakeGitHub", "FakeIssue", "FakePull", "Reply"]
