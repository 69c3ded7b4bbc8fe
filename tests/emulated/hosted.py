"""A checkout that is a git repository with a bare remote and a GitHub that stands in for the real one: what a merge and
the workflows after it do, command by command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.emulated.checkout import Answer, Checkout
from tests.standins.github import FakeGitHub

PIPELINE = """\
deploy:
  - stack: local
    smoke: {location: alpha, job: answers, timeoutSeconds: 120}
"""
# what a checkout of tests takes from this repository by links, and what this machine makes
_IGNORED = (
    "/hybrid",
    "/agent",
    "/infra",
    "/policies",
    "/.venv",
    "/.hybrid",
    "__pycache__",
    "/stacks/Pulumi.local.yaml",
    "/gate",
)


class Hosted:
    """``checkout`` on the branch ``main``, committed and pushed."""

    def __init__(self, checkout: Checkout, github: FakeGitHub, pipeline: str = PIPELINE) -> None:
        self.checkout = checkout
        self.github = github
        self.root = checkout.root
        self.git("init", "-q", "-b", "main")
        (self.root / ".git" / "info" / "exclude").write_text("\n".join(_IGNORED))
        (self.root / "stacks" / "pipeline.yaml").write_text(pipeline)
        self.commit("first")
        remote = self.root.parent / f"{self.root.name}.git"
        self.git("init", "-q", "--bare", "-b", "main", str(remote))
        self.git("remote", "add", "origin", str(remote))
        self.git("push", "-q", "-u", "origin", "main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def push_to_main(self, message: str) -> str:
        """Commit what changed straight to the branch."""
        commit = self.commit(message)
        self.git("push", "-q")
        return commit

    def reviewed_and_merged(self, number: int) -> str:
        """What changed in the working tree as a pull request: reviewed, the comment posted, merged. The merge."""
        self.git("switch", "-q", "-c", f"feature-{number}")
        head = self.commit(f"work of {number}")
        self.github.add_pull_request(number, head_sha=head)
        folder = self.root.parent / f"review-{number}"
        review = self.checkout.hybrid("review", "--secrets", "--base", "main", "--output", str(folder))
        assert review.code == 0, review.err
        posted = self.checkout.hybrid(
            "review", "post", str(folder / "review.json"), "--pull-request", str(number), **self.github.environ
        )
        assert posted.code == 0, posted.err
        self.git("switch", "-q", "main")
        self.git("merge", "-q", "--no-ff", "-m", f"merge {number}", f"feature-{number}")
        self.git("push", "-q")
        self.github.merge(number, self.head)
        return self.head

    @property
    def run_of_a_push(self) -> dict[str, str]:
        """The environment of a job that a push to the branch started."""
        return {
            **self.github.environ,
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_SHA": self.head,
            "GITHUB_RUN_ID": "1",
        }

    def deploy(self, *arguments: str, **more: str) -> Answer:
        """As the workflow does."""
        return self.checkout.hybrid("deploy", "--yes", "--json", *arguments, **{**self.run_of_a_push, **more})

    def drift(self, *arguments: str) -> Answer:
        """As the nightly workflow does."""
        night = {**self.run_of_a_push, "GITHUB_EVENT_NAME": "schedule"}
        return self.checkout.hybrid("drift", "--json", *arguments, **night)

    def documents(self) -> str:
        """All that Dagster+ has been told, to be compared."""
        with self.checkout.client() as client:
            return json.dumps(client.location_documents(), sort_keys=True)

    def state(self) -> bytes:
        return (self.root / ".hybrid/state/.pulumi/stacks/hybrid/local.json").read_bytes()

    @property
    def history(self) -> Path:
        return self.root / ".hybrid/state/.pulumi/history"
