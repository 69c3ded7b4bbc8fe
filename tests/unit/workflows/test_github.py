"""GitHub's workflows for every pipeline that can be: they are YAML, keep the rules of structure.py, and give to a pull
request's own code nothing but what docs/ci.md says. Linters read them in tests/contracts/test_workflows.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hybrid.errors import SettingsError
from hybrid.workflows.github import PATHS, github_files
from hybrid.workflows.mark import is_unedited
from hybrid.workflows.pipeline import OWN_ENVIRONMENTS, DeployedStack, Pipeline
from tests.unit.workflows.structure import faults, parsed, runs_code_of_the_pull_request

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
TWO = Pipeline(
    "main",
    (DeployedStack("staging", secrets=("WAREHOUSE_PASSWORD",)), DeployedStack("prod", approval=True)),
    branch_stack="staging",
    branch_secrets=("PIP_TOKEN",),
)

stack_names = some.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in OWN_ENVIRONMENTS
)
branches = some.one_of(
    some.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,60}", fullmatch=True),
    some.sampled_from(["on", "true", "1.0", "null", "~1"[1:], "0x1F", "release/2026-11", "1e3", "no"]),
)
variables = some.from_regex(r"X_[A-Z0-9_]{1,20}", fullmatch=True) | some.sampled_from(["GITHUB_TOKEN", "on", "null"])


@some.composite
def pipelines(draw: some.DrawFn) -> Pipeline:
    names = draw(some.lists(stack_names, max_size=4, unique=True))
    secrets = some.lists(variables, max_size=3, unique=True).map(tuple)
    stacks = tuple(DeployedStack(name, draw(some.booleans()), draw(secrets)) for name in names)
    branch_stack = draw(some.none() | stack_names)
    return Pipeline(draw(branches), stacks, branch_stack, draw(secrets) if branch_stack else ())


def jobs(pipeline: Pipeline, name: str) -> dict[str, Any]:
    return dict(parsed(github_files(pipeline)[f".github/workflows/{name}.yml"])["jobs"])


@settings(deadline=None, max_examples=40)
@given(pipelines())
def test_every_workflow_keeps_the_rules(pipeline: Pipeline) -> None:
    files = github_files(pipeline)
    assert set(files) <= set(PATHS)
    assert ("branch" in str(set(files))) is (pipeline.branch_stack is not None), "only where there are any"
    for path, text in files.items():
        assert faults(text) == [], path
        assert is_unedited(text), "its own first line tells so"
        assert "<<" not in text, "no place of the template is left open"


@settings(deadline=None, max_examples=40)
@given(pipelines())
def test_only_the_configured_branch_deploys(pipeline: Pipeline) -> None:
    document = parsed(github_files(pipeline)[".github/workflows/deploy.yml"])
    assert document["on"]["push"] == {"branches": [pipeline.branch]}, "as text, whatever the branch is called"
    deploying = {name: job for name, job in document["jobs"].items() if name != "none"}
    assert list(deploying) == [f"deploy-{stack.name}" for stack in pipeline.deploy], "in order"
    for stack, job in zip(pipeline.deploy, deploying.values(), strict=True):
        assert f"github.ref == 'refs/heads/{pipeline.branch}'" in job["if"], "also when somebody starts it by hand"
        assert job["environment"] == stack.name, "its credentials and its reviewers are there"
        assert job["concurrency"] == {"group": f"deploy-{stack.name}", "cancel-in-progress": False}
        step = job["steps"][-1]
        assert step["env"]["STACK"] == stack.name
        (plain,) = jobs(Pipeline("x", (DeployedStack("x", secrets=stack.secrets),)), "deploy").values()
        assert step["run"] == plain["steps"][-1]["run"], "names are handed over, and not written into a script"
    earlier = [job.get("needs") for job in deploying.values()]
    assert earlier == [None, *list(deploying)][: len(earlier)], "each waits for the one before"


@settings(deadline=None, max_examples=40)
@given(pipelines())
def test_a_pull_request_s_code_gets_no_credentials_that_change_what_stands(pipeline: Pipeline) -> None:
    for path, text in github_files(pipeline).items():
        if "pull_request" not in parsed(text)["on"]:
            continue
        for name, job in parsed(text)["jobs"].items():
            if not runs_code_of_the_pull_request(job):
                continue
            rights = set(job["permissions"].items())
            reads = {("contents", "read"), ("pull-requests", "read")}
            assert rights <= {*reads, ("id-token", "write")}, f"{path} {name}"
            environment = job.get("environment")
            environment = environment["name"] if isinstance(environment, dict) else environment
            assert environment in {None, "review", "branch"}, f"{path} {name}: no environment that deploys"
            assert "PULUMI_CONFIG_PASSPHRASE" not in str(job), "no key of the stack's secrets"
            if environment is None:
                assert "secrets." not in str(job), "and without an environment nothing at all"
                assert "id-token" not in job["permissions"]
            else:
                assert "head.repo.full_name == github.repository" in job["if"], "not for forks"
                assert "user.login != 'dependabot[bot]'" in job["if"], "which GitHub treats as a fork"


def test_the_comment_is_written_by_the_code_of_the_base() -> None:
    comment = jobs(TWO, "review")["comment"]
    assert comment["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert not runs_code_of_the_pull_request(comment), "who is reviewed does not write what is said"
    assert "environment" not in comment, "it needs no secret"
    (download,) = [step for step in comment["steps"] if "download-artifact" in step.get("uses", "")]
    assert download["with"]["path"].startswith("${{ runner.temp }}"), "not over the code that runs next"
    last = comment["steps"][-1]
    assert "-gt 33554432" in last["run"], "what the pull request's code left may be of any size"
    assert set(last["env"]) == {"GITHUB_TOKEN", "NUMBER"}


def test_a_review_reads_the_merge_and_is_told_its_base_by_a_variable() -> None:
    review = jobs(TWO, "review")["review"]
    checkout = review["steps"][0]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False}, "the merge, with its history"
    (step,) = [step for step in review["steps"] if "hybrid review" in step.get("run", "")]
    assert step["env"]["BASE"] == "${{ github.event.pull_request.base.sha }}"
    assert '--base "$BASE"' in step["run"]


def test_a_closed_pull_request_is_cleaned_up_by_the_code_of_the_base() -> None:
    made = jobs(TWO, "branch")
    assert "action != 'closed'" in made["open"]["if"]
    assert "action == 'closed'" in made["close"]["if"]
    assert not runs_code_of_the_pull_request(made["close"])
    assert "GITHUB_TOKEN" in made["close"]["steps"][-1]["env"], "whether it was merged decides about its images"
    assert made["open"]["concurrency"] == made["close"]["concurrency"], "never both at once"


def test_stacks_get_the_secrets_that_they_name_and_others_do_not() -> None:
    made = jobs(TWO, "deploy")
    env = {name: job["steps"][-1]["env"] for name, job in made.items()}
    assert env["deploy-staging"]["WAREHOUSE_PASSWORD"] == "${{ secrets.WAREHOUSE_PASSWORD }}"
    assert "WAREHOUSE_PASSWORD" not in env["deploy-prod"]
    assert "WAREHOUSE_PASSWORD" not in str(jobs(TWO, "review")), "a review works without values"
    assert "WAREHOUSE_PASSWORD" in jobs(TWO, "drift")["drift"]["steps"][-1]["env"]
    assert jobs(TWO, "branch")["open"]["steps"][-1]["env"]["PIP_TOKEN"] == "${{ secrets.PIP_TOKEN }}"


def test_drift_is_looked_for_on_the_configured_branch() -> None:
    drift = jobs(Pipeline("release/1"), "drift")["drift"]
    assert drift["steps"][0]["with"]["ref"] == "release/1", (
        "a schedule runs on the default branch, which may be another"
    )
    assert drift["permissions"] == {"contents": "read", "id-token": "write", "issues": "write"}


@pytest.mark.parametrize("name", OWN_ENVIRONMENTS)
def test_a_stack_that_is_called_like_an_environment_of_pull_requests_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="in their hands"):
        Pipeline("main", (DeployedStack(name),))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Pipeline("main'; rm"), "cannot be the branch"),
        (lambda: Pipeline("-x"), "cannot be the branch"),
        (lambda: Pipeline("${{ x }}"), "cannot be the branch"),
        (lambda: Pipeline("main", (DeployedStack("Prod"),)), "cannot be a stack's name"),
        (lambda: Pipeline("main", (DeployedStack("a\nb"),)), "cannot be a stack's name"),
        (lambda: Pipeline("main", (DeployedStack("a"), DeployedStack("a"))), "more than once"),
        (lambda: Pipeline("main", (DeployedStack("a", secrets=("A B",)),)), "cannot be a variable's name"),
        (lambda: Pipeline("main", (DeployedStack("a", secrets=("PATH",)),)), "for something else"),
        (lambda: Pipeline("main", (DeployedStack("a", secrets=("GITHUB_ENV",)),)), "for something else"),
        (lambda: Pipeline("main", (DeployedStack("a", secrets=("STACK",)),)), "for something else"),
        (lambda: Pipeline("main", branch_stack="a", branch_secrets=("LD_PRELOAD",)), "for something else"),
        (lambda: Pipeline("main", branch_stack="a", branch_secrets=("PULUMI_CONFIG_PASSPHRASE",)), "for something"),
    ],
)
def test_names_that_would_be_more_than_names_are_refused(made: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        made()


def test_this_repository_s_workflows_are_what_is_written_for_it() -> None:
    for path, text in github_files(Pipeline()).items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "run `hybrid ci init github --write`"


def test_the_workflow_that_tests_this_repository_keeps_the_rules_too() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert faults(text) == []
    assert "secrets." not in text, "it runs the code of forks"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("pull_request:", "pull_request_target:"), "pull_request_target"),
        (("permissions: {}", "permissions: write-all"), "the workflow itself has permissions"),
        (("    timeout-minutes: 45\n", ""), "it has no timeout"),
        (("@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "@v6"), "is not pinned"),
        (("persist-credentials: false", "persist-credentials: true"), "keeps a token"),
        (('"$BASE"', '"${{ github.head_ref }}"'), "a script has the expression"),
        (("    environment: review\n", ""), "secrets and no environment"),
    ],
)
def test_the_rules_see_what_breaks_them(change: tuple[str, str], says: str) -> None:
    text = github_files(TWO)[".github/workflows/review.yml"]
    assert change[0] in text
    assert any(says in fault for fault in faults(text.replace(*change))), "a check that sees nothing proves nothing"
