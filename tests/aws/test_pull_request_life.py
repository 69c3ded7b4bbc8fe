"""A pull request's life, and what follows it: opened, pushed to, merged, deployed, drifted, another one closed; by the
very commands of the workflows that `hybrid ci init github` writes, with the permissions that they give.

Git is real, with a bare remote; Pulumi's engine is real; AWS is moto, Dagster+ is embedded, and a real agent stands in
for that of the tasks, which hold no container. GitHub and its runners are STAND-INS (tests/standins/github).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.spec import LocalAgentSpec
from hybrid.plus import PlusClient
from hybrid.review.markdown import LONGEST, MARKER
from hybrid.workflows.github import github_files
from hybrid.workflows.pipeline import DeployedStack, Pipeline
from tests.aws.ecs_stack import LABEL, EcsStack
from tests.emulated.checkout import REPOSITORY, until
from tests.emulated.served import RunningAgent
from tests.standins.github import FakeGitHub
from tests.standins.github.runner import Job, Runner

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(1500)]

CODE = """
import dagster as dg

@dg.op
def hello() -> None:
    print("hello")

@dg.job(executor_def=dg.in_process_executor)
def smoke() -> None:
    hello()

defs = dg.Definitions(jobs=[smoke])
"""
IGNORED = (".hybrid", ".venv", "hybrid", "agent", "infra", "policies", "__pycache__", "stacks/Pulumi.local.yaml")
PIPELINE = {
    "branch": "main",
    "deploy": [{"stack": "prod", "smoke": {"location": "ready", "job": "smoke", "timeoutSeconds": 120}}],
    "branchDeployments": {"stack": "prod"},
}


class Team:
    """A repository with its remote, its GitHub and its runner."""

    def __init__(self, stack: EcsStack, github: FakeGitHub, folder: Path) -> None:
        self.stack, self.github, self.root = stack, github, stack.checkout.root
        self.remote = folder / "remote.git"
        files = github_files(Pipeline(deploy=(DeployedStack("prod"),), branch_stack="prod"))
        self.workflows = {Path(path).stem: text for path, text in files.items()}
        given = stack.variables
        secrets = {
            "secrets.DAGSTER_CLOUD_API_TOKEN": given.pop("DAGSTER_CLOUD_API_TOKEN"),
            "secrets.PULUMI_CONFIG_PASSPHRASE": given.pop("PULUMI_CONFIG_PASSPHRASE"),
            "vars.PULUMI_BACKEND_URL": (self.root / ".hybrid" / "state").as_uri(),
        }
        runner = Runner(github, self.root, folder / "runner", {}, secrets)
        runner.temporary.mkdir()
        runner.shell = {**runner.plain_environment, **given, "HYBRID_ROOT": str(self.root), "NO_COLOR": "1"}
        self.runner = runner

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def settings(self, change: dict[str, Any], words: str) -> str:
        """A commit that changes keys of the stack file; the commit."""
        document = yaml.safe_load(self.stack.file.read_text())
        document["config"] |= {f"hybrid:{key}": value for key, value in change.items()}
        self.stack.file.write_text(yaml.safe_dump(document, sort_keys=False))
        self.git("commit", "-qam", words)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        self.git("checkout", "-q", "-B", name, "origin/main")

    def back_at(self, name: str) -> None:
        """The branch again, after jobs have checked out others."""
        self.git("checkout", "-q", "-B", name, f"origin/{name}")

    def push(self, name: str) -> None:
        self.git("push", "-q", "--force", "origin", f"HEAD:{name}")
        self.git("fetch", "-q", "origin")

    def opened(self, name: str, sha: str) -> int:
        pull = self.github.add_pull_request(head_branch=name, head_sha=sha, title="More for the agent")
        return pull.number

    def on_pull_request(self, workflow: str, job: str, number: int, action: str = "synchronize") -> Job:
        pull = self.github.pulls[number]
        repository = {"full_name": self.github.repository, "default_branch": "main"}
        described = {
            "number": number,
            "html_url": f"{self.github.site}/{self.github.repository}/pull/{number}",
            "merged": pull.is_merged,
            "head": {"ref": pull.head_branch, "sha": pull.head_sha, "repo": repository},
            "base": {"ref": "main", "sha": self.git("rev-parse", "origin/main"), "repo": repository},
            "user": {"login": "octocat"},
        }
        payload = {"action": action, "number": number, "pull_request": described, "repository": repository}
        ref = f"refs/pull/{number}/merge"
        return self.runner.run(self.workflows[workflow], job, "pull_request", payload, ref, pull.head_sha)

    def on_branch(self, workflow: str, job: str, event: str) -> Job:
        payload = {"repository": {"full_name": self.github.repository, "default_branch": "main"}}
        self.git("checkout", "-q", "-B", "main", "origin/main")
        sha = self.git("rev-parse", "HEAD")
        return self.runner.run(self.workflows[workflow], job, event, payload, "refs/heads/main", sha)

    def reviewed(self, number: int) -> str:
        """The jobs of review.yml, and the comment."""
        review = self.on_pull_request("review", "review", number)
        assert review.code in (0, 11), review.said
        comment = self.on_pull_request("review", "comment", number)
        assert comment.code == 0, comment.said
        return self.comment(number)

    def comment(self, number: int) -> str:
        ours = [each for each in self.github.comments(number) if each.body.startswith(MARKER)]
        assert len(ours) == 1, "one comment, whatever happens"
        return ours[0].body

    def merged(self, name: str, number: int) -> None:
        """As GitHub squashes: one commit on main."""
        self.git("checkout", "-q", "-B", "main", "origin/main")
        self.git("merge", "-q", "--squash", f"origin/{name}")
        self.git("commit", "-qm", f"More for the agent (#{number})")
        self.push("main")
        self.github.merge(number, self.git("rev-parse", "HEAD"))


@pytest.fixture(scope="module")
def team(ecs_stack: EcsStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The stack stands and serves; main is pushed."""
    folder = tmp_path_factory.mktemp("team")
    code = folder / "ready.py"
    code.write_text(CODE, encoding="utf-8")
    image = f"{ecs_stack.images.address}/ready:1"
    location = {"name": "ready", "image": image, "pythonFile": str(code), "executablePath": sys.executable}
    ecs_stack.settings["locations"] = [location]
    ecs_stack.settings.pop("pins")
    ecs_stack.settings["agent"] = {"kind": "ecs", "branchDeployments": True}
    answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err
    agent = _agent(ecs_stack)
    ecs_stack.settings["phase"] = "serve"
    answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err
    with FakeGitHub() as github:
        made = Team(ecs_stack, github, folder)
        (made.root / ".gitignore").write_text("\n".join(IGNORED))
        (made.root / "stacks" / "pipeline.yaml").write_text(yaml.safe_dump(PIPELINE))
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(made.remote)], check=True)
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=made.root, check=True)
        made.git("remote", "add", "origin", str(made.remote))
        made.git("add", "-A")
        made.git("commit", "-qm", "as it stands")
        made.push("main")
        yield made
    agent.destroy()


def _agent(stack: EcsStack) -> RunningAgent:
    launcher = {"module": "tests.aws.processes_for_images", "class": "ProcessesForImages"}
    return stack.plus.start_agent(
        LABEL,
        LocalAgentSpec(branchDeployments=True),
        token=stack.token(),
        changes={"user_code_launcher": launcher},
        PYTHONPATH=str(REPOSITORY),
    )


def _is_loaded(client: PlusClient) -> bool:
    return any(each.name == "ready" and each.load_status == "LOADED" for each in client.code_locations())


def test_a_pull_request_from_its_opening_to_its_deploy(team: Team) -> None:
    team.branch("feature/more")
    sha = team.settings({"agent": {"kind": "ecs", "branchDeployments": True, "cpu": 512}}, "more processor")
    team.push("feature/more")
    number = team.opened("feature/more", sha)

    first = team.reviewed(number)
    assert "**restarts**" in first, "the agent's restart is said first"
    assert "TaskDefinition agent-task" in first
    assert len(first.encode()) <= LONGEST

    opened = team.on_pull_request("branch", "open", number, "opened")
    assert opened.code == 0, opened.said
    with team.stack.dagster_plus() as client:
        (branch,) = client.branch_deployments()
    assert branch.branch == "feature/more"
    name = branch.deployment.name
    team.runner.values |= {"needs.open.outputs.deployment": name, "needs.open.result": "success"}
    linked = team.on_pull_request("branch", "link", number, "opened")
    assert linked.code == 0, linked.said
    assert f"/{name})" in team.comment(number), "the comment leads to the branch deployment"

    team.back_at("feature/more")
    sha = team.settings({"readiness": {"timeoutSeconds": 400}}, "and patience")
    team.push("feature/more")
    team.github.push(number, sha)
    second = team.reviewed(number)
    assert second != first, "the comment says the new commit"
    assert sha[:10] in second
    assert f"/{name})" in second, "the link is not lost"
    writes = [line for line in team.github.writes if "comments" in line]
    assert [line.partition(" ")[0] for line in writes] == ["POST", "PATCH", "PATCH"], "made once, updated in place"

    team.merged("feature/more", number)
    closed = team.on_pull_request("branch", "close", number, "closed")
    assert closed.code == 0, closed.said
    assert "Branch deployment: closed" in team.comment(number)
    with team.stack.dagster_plus() as client:
        assert client.branch_deployments() == [], "gone with its pull request"

    deployed = team.on_branch("deploy", "deploy-prod", "push")
    assert deployed.code == 0, deployed.said
    assert f"#{number}" in deployed.said, "it was held against the review in the pull request's comment"
    assert "smoke" in deployed.said.lower()
    cpu = team.stack.task_definition()["cpu"]
    assert cpu == "512", "what was reviewed stands"
    again = team.on_branch("deploy", "deploy-prod", "push")
    assert again.code == 0, again.said
    assert "nothing to do" in again.said, "a second run has nothing to do"


def test_what_slips_in_after_the_review_stops_the_deploy(team: Team) -> None:
    team.branch("feature/logs")
    sha = team.settings({"aws": {**team.stack.settings["aws"], "logRetentionDays": 60}}, "logs for longer")
    team.push("feature/logs")
    number = team.opened("feature/logs", sha)
    team.reviewed(number)
    team.back_at("feature/logs")
    sneaked = team.settings({"agent": {"kind": "ecs", "branchDeployments": True, "cpu": 1024, "memoryMib": 2048}}, "x")
    team.push("feature/logs")
    team.github.push(number, sneaked)  # and nobody reviews it
    team.merged("feature/logs", number)
    before = team.stack.task_definition()["cpu"]
    stopped = team.on_branch("deploy", "deploy-prod", "push")
    assert stopped.code == 12, stopped.said
    assert "replace TaskDefinition agent-task" in stopped.said, "what nobody reviewed is named"
    assert team.stack.task_definition()["cpu"] == before, "and nothing was done"
    digest = stopped.said.partition("--accept ")[2].split("`")[0].strip()
    team.runner.values["inputs.accept"] = digest
    accepted = team.on_branch("deploy", "deploy-prod", "workflow_dispatch")
    team.runner.values.pop("inputs.accept")
    assert accepted.code == 0, accepted.said


def test_drift_opens_one_issue_and_closes_it(team: Team) -> None:
    quiet = team.on_branch("drift", "drift", "schedule")
    assert quiet.code == 0, quiet.said
    assert team.github.issues == [], "nothing drifted, nothing is said"
    with team.stack.dagster_plus() as client:
        document = client.location_documents()["ready"]
        client.delete_location("ready")
    for _ in range(2):
        night = team.on_branch("drift", "drift", "schedule")
        assert night.code == 0, night.said
    (issue,) = team.github.issues
    assert issue.state == "open"
    assert "ready" in issue.body
    with team.stack.dagster_plus() as client:
        client.put_location({**document, "location_name": "ready"})
        until(lambda: _is_loaded(client), seconds=60, what="the location that was put back is loaded")
    put_right = team.on_branch("drift", "drift", "schedule")
    assert put_right.code == 0, put_right.said
    assert [each.state for each in team.github.issues] == ["closed"], put_right.said


def test_a_pull_request_of_a_fork_is_reviewed_without_any_credential(team: Team) -> None:
    team.branch("stranger")
    sha = team.settings({"agent": {"kind": "ecs", "branchDeployments": True, "cpu": 2048, "memoryMib": 4096}}, "more")
    team.push("stranger")
    pull = team.github.add_pull_request(head_branch="stranger", head_sha=sha, head_repository="stranger/data")
    summary = team.runner.temporary / "summary.md"
    summary.write_text("")
    shell, values = team.runner.shell, team.runner.values
    path = {"PATH": shell["PATH"], "HYBRID_ROOT": str(team.root)}
    team.runner.shell, team.runner.values = {**team.runner.plain_environment, **path}, {}
    try:
        with team.stack.moto.recorded() as calls:
            done = team.on_pull_request("review", "offline", pull.number)
    finally:
        team.runner.shell, team.runner.values = shell, values
    assert done.code == 0, done.said
    assert "TaskDefinition agent-task" in summary.read_text(), "the page of the run says what would change"
    assert "Made without credentials" in summary.read_text()
    assert calls == [], "and nobody was asked"
    assert team.github.comments(pull.number) == [], "a fork's job may not write"


def test_no_secret_is_in_anything_that_was_said(team: Team) -> None:
    """After all of the above: comments, issues and the summaries of runs."""
    secrets = [*(value for key, value in team.runner.values.items() if key.startswith("secrets.")), team.stack.token()]
    said = [comment.body for number in team.github.pulls for comment in team.github.comments(number)]
    said += [issue.body for issue in team.github.issues]
    said.append((team.runner.temporary / "summary.md").read_text())
    for secret in secrets:
        assert secret not in "\n".join(said), "a token or passphrase was said to everybody"
