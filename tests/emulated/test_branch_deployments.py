"""``hybrid branch`` as a workflow of GitHub Actions calls it, with the real agent and the embedded Dagster+: the life
of a pull request from its opening to its end.

GitHub is environment variables and an event file; nobody is asked. What only Dagster+ can show is how its own server
names a branch deployment, and what it does to one that is deleted.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.emulated.checkout import GOOD_LOCATION, Answer, Checkout, until

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]

IGNORED = ".hybrid\n.venv\nhybrid\nagent\ninfra\ngate\nevent.json\n__pycache__\n*.pyc\n"
FAILS_ON_THE_AGENT = """
import os
if os.environ.get("DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT") == "1":
    raise RuntimeError("only where a branch deployment is loaded")
"""


@dataclass
class PullRequest:
    """A checkout with a remote, whose stack stands, and a pull request from the branch ``feature/x``."""

    checkout: Checkout
    remote: Path
    shas: dict[str, str] = field(default_factory=dict)

    branch = "feature/x"

    def git(self, *arguments: str) -> str:
        told = subprocess.run(
            ["git", *arguments], cwd=self.checkout.root, capture_output=True, text=True, check=False, env=self._who
        )
        assert told.returncode == 0, told.stderr
        return told.stdout.strip()

    @property
    def _who(self) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": "author" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        # each commit a minute after the one before it, as a person makes them
        moment = f"@{1_763_722_800 + 60 * len(self.shas)} +0000"
        return {**os.environ, **who, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}

    def commit(self, name: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        self.git("push", "--quiet", "--force", "origin", "HEAD")
        self.shas[name] = self.git("rev-parse", "HEAD")
        return self.shas[name]

    def ci(self, *arguments: str, sha: str | None = None, **more: Any) -> Answer:
        """``hybrid branch …`` in the job of this pull request at ``sha``."""
        repository = {"full_name": "acme/data"}
        pull_request = {
            "number": 7,
            "head": {"ref": self.branch, "sha": sha or self.git("rev-parse", "HEAD"), "repo": repository},
            "base": {"ref": "main", "repo": repository},
            **more,
        }
        event = self.checkout.root / "event.json"
        event.write_text(json.dumps({"pull_request": pull_request, "repository": {"default_branch": "main"}}))
        return self.checkout.hybrid(
            "branch",
            *arguments,
            GITHUB_ACTIONS="true",
            GITHUB_EVENT_NAME="pull_request",
            GITHUB_EVENT_PATH=str(event),
            GITHUB_REF="refs/pull/7/merge",
            GITHUB_REPOSITORY="acme/data",
            GITHUB_RUN_ID="1",
            GITHUB_SERVER_URL="https://github.com",
        )

    def client(self, deployment: str) -> PlusClient:
        endpoint = Endpoint(url=f"http://127.0.0.1:{self.checkout.port}", organization="local", deployment=deployment)
        return PlusClient(endpoint, api_token({}, self.checkout.root / ".hybrid/stacks/local/emulator/api-token"))

    def told(self, deployment: str) -> dict[str, tuple[dict[str, Any], float | None]]:
        """Each location's document, and when it was last sent."""
        with self.client(deployment) as client:
            documents = client.location_documents()
            sent = {status.name: status.deployed_at for status in client.code_locations()}
        return {name: (document, sent.get(name)) for name, document in documents.items()}

    @property
    def deployment(self) -> str:
        with self.client("prod") as client:
            return next(each.deployment.name for each in client.branch_deployments() if each.branch == self.branch)


@pytest.fixture(scope="module")
def pull(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[PullRequest]:
    folder = tmp_path_factory.mktemp("pull")
    checkout = Checkout(
        folder / "checkout",
        settings="  hybrid:agent:\n    kind: local\n    branchDeployments: true\n",
        shared=environments,
    )
    for name in ("alpha", "beta"):
        checkout.location(name)
    (checkout.root / "stacks" / "pipeline.yaml").write_text("branchDeployments: {stack: local}\n")
    (checkout.root / ".gitignore").write_text(IGNORED)
    pull = PullRequest(checkout, folder / "remote.git")
    subprocess.run(["git", "init", "--quiet", "--bare", str(pull.remote)], check=True)
    pull.git("init", "--quiet", "--initial-branch", "main")
    pull.git("remote", "add", "origin", str(pull.remote))
    pull.commit("base")
    checkout.up()
    pull.git("checkout", "--quiet", "-b", pull.branch)
    checkout.location("alpha", GOOD_LOCATION.replace("answer", "better_answer"))
    pull.commit("first")
    yield pull
    checkout.destroy()


@pytest.fixture(scope="module")
def full(pull: PullRequest) -> dict[str, tuple[dict[str, Any], float | None]]:
    """The full deployment as it was before any of it."""
    return pull.told("prod")


@pytest.fixture(autouse=True)
def _the_full_deployment_is_never_touched(pull: PullRequest, full: dict[str, Any]) -> Iterator[None]:
    yield
    assert pull.told("prod") == full, "documents and moments of sending of the full deployment are what they were"


def test_a_plain_shell_is_asked_which_branch_it_means(pull: PullRequest) -> None:
    answer = pull.checkout.hybrid("branch", "open")
    assert answer.code == 2, answer.err
    assert "plain shell" in answer.err
    answer = pull.checkout.hybrid("branch", "open", "--branch", "main", "--repo", "acme/data")
    assert answer.code == 2, answer.err
    with pull.client("prod") as client:
        assert client.branch_deployments() == [], "nothing was made"


def test_a_pull_request_gets_a_branch_deployment_with_its_own_code(pull: PullRequest) -> None:
    answer = pull.ci("open", "--json")
    assert answer.code == 0, answer.err
    told = answer.document
    assert told["created"] is True
    assert (told["branch"], told["pull_request"], told["commit"]) == ("feature/x", 7, pull.shas["first"])
    assert told["url"].endswith(f"/{told['deployment']}")
    assert [(row["name"], row["is_loaded"], row["sent"]) for row in told["locations"]] == [
        ("alpha", True, True),
        ("beta", True, True),
    ]
    with pull.client("prod") as client:
        found = client.deployment_named(told["deployment"])
    assert found is not None
    assert (found.deployment.type, found.parent, found.pull_request_status) == ("BRANCH", "prod", "OPEN")
    assert found.pull_request_url == "https://github.com/acme/data/pull/7"
    assert found.latest_commit is not None
    assert (found.latest_commit.message, found.latest_commit.author_name) == ("first", "author")


def test_a_second_run_with_nothing_new_changes_nothing(pull: PullRequest) -> None:
    before = pull.told(pull.deployment)
    answer = pull.ci("open", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["created"] is False
    assert [row["sent"] for row in answer.document["locations"]] == [False, False]
    assert pull.told(pull.deployment) == before, "what is sent again is loaded again"


def test_another_commit_reloads_the_location_that_it_changes_and_no_other(pull: PullRequest) -> None:
    before = pull.told(pull.deployment)
    pull.checkout.location("beta", GOOD_LOCATION.replace("answer", "other_answer"))
    pull.commit("second")
    answer = pull.ci("open", "--json")
    assert answer.code == 0, answer.err
    assert {row["name"]: row["sent"] for row in answer.document["locations"]} == {"alpha": False, "beta": True}
    after = pull.told(pull.deployment)
    assert after["alpha"] == before["alpha"], "it was not touched"
    assert (after["beta"][1] or 0) > (before["beta"][1] or 0)
    assert all(row["is_loaded"] for row in answer.document["locations"])


def test_a_slow_run_of_an_older_commit_puts_nothing_over_the_newer_one(pull: PullRequest) -> None:
    before = pull.told(pull.deployment)
    pull.git("checkout", "--quiet", "--detach", pull.shas["first"])
    answer = pull.ci("open", sha=pull.shas["first"])
    pull.git("checkout", "--quiet", pull.branch)
    assert answer.code == 6, answer.err
    assert pull.shas["second"][:12] in answer.err, "which commit is newer is said"
    assert pull.told(pull.deployment) == before


def test_another_checkout_than_the_pull_requests_head_is_refused(pull: PullRequest) -> None:
    answer = pull.ci("open", sha=pull.shas["base"])
    assert answer.code == 2, answer.err
    assert "checked out" in answer.err


def test_a_fork_gets_nothing_whatever_is_said_beside_it(pull: PullRequest) -> None:
    before = pull.told(pull.deployment)
    for command in ("open", "close"):
        fork = {"head": {"ref": pull.branch, "sha": pull.shas["second"], "repo": {"full_name": "stranger/data"}}}
        answer = pull.ci(command, "--branch", pull.branch, "--pull-request", "7", **fork)
        assert answer.code == 2, answer.err
        assert "another repository" in answer.err
    assert pull.told(pull.deployment) == before, "its branch may be called like one of ours"


def test_what_the_gate_finds_is_not_sent(pull: PullRequest) -> None:
    before = pull.told(pull.deployment)
    pull.checkout.location("beta", "raise RuntimeError('broken by design')")
    pull.commit("broken")
    answer = pull.ci("open")
    assert answer.code == 3, answer.err
    assert "broken by design" in answer.err
    assert pull.told(pull.deployment) == before, "what is loaded stays"


def test_what_does_not_load_ends_with_7_and_its_traceback(pull: PullRequest) -> None:
    pull.checkout.location("beta", FAILS_ON_THE_AGENT + GOOD_LOCATION)
    pull.commit("fails on the agent")
    answer = pull.ci("open")
    assert answer.code == 7, answer.err
    assert "only where a branch deployment is loaded" in answer.err
    assert "definitions.py" in answer.err, "the traceback says where"
    status = pull.checkout.hybrid("branch", "status", "--branch", pull.branch, "--repo", "acme/data", "--json")
    assert status.code == 7, status.err
    rows = {row["name"]: row["is_loaded"] for row in status.document["branch_deployments"][0]["locations"]}
    assert rows == {"alpha": True, "beta": False}


def test_a_location_that_the_branch_takes_out_goes_from_the_branch_deployment_alone(pull: PullRequest) -> None:
    pull.git("rm", "--quiet", "-r", "locations/beta")
    pull.commit("without beta")
    answer = pull.ci("open", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["removed"] == ["beta"]
    assert set(pull.told(pull.deployment)) == {"alpha"}
    status = pull.checkout.hybrid("branch", "status", "--repo", "acme/data", "--json")
    assert status.code == 0, status.err
    assert [row["branch"] for row in status.document["branch_deployments"]] == [pull.branch]


def test_a_branch_that_is_gone_is_stale_and_closed_after_agreement(pull: PullRequest) -> None:
    pull.git("checkout", "--quiet", "-b", "gone")
    opened = pull.checkout.hybrid("branch", "open", "--branch", "gone", "--repo", "acme/data", "--no-wait", "--json")
    assert opened.code == 0, opened.err
    pull.git("checkout", "--quiet", pull.branch)
    shown = pull.ci("close", "--stale", "--json")
    assert shown.code == 0, shown.err
    assert [(row["branch"], row["closed"]) for row in shown.document["branch_deployments"]] == [("gone", False)]
    assert "--yes" in shown.err
    closed = pull.ci("close", "--stale", "--yes", "--json")
    assert [(row["branch"], row["deleted"]) for row in closed.document["branch_deployments"]] == [("gone", True)]
    with pull.client("prod") as client:
        assert [each.branch for each in client.branch_deployments()] == [pull.branch], "the one at work stays"


def test_closing_takes_it_away_and_closing_again_is_no_error(pull: PullRequest) -> None:
    deployment = pull.deployment
    answer = pull.ci("close", "--json", state="closed")
    assert answer.code == 0, answer.err
    assert [(row["deployment"], row["deleted"]) for row in answer.document["branch_deployments"]] == [
        (deployment, True)
    ]
    with pull.client("prod") as client:
        assert client.branch_deployments() == []
        assert client.deployment_named(deployment) is None
    until(
        lambda: len(pull.checkout.code_servers()) == 2, seconds=60, what="only code servers of the full deployment run"
    )
    again = pull.ci("close", "--json", state="closed")
    assert again.code == 0, again.err
    assert again.document["branch_deployments"] == []
    assert "nothing to close" in again.err
