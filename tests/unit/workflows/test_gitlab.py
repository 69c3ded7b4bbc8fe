"""GitLab's jobs: YAML, and the rules by which they run. Whether GitLab runs them as meant, only GitLab can show."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from hybrid.workflows.gitlab import PATH, gitlab_files
from hybrid.workflows.mark import is_unedited
from hybrid.workflows.pipeline import DeployedStack, Pipeline
from tests.unit.workflows.test_github import TWO, pipelines

pytestmark = pytest.mark.unit


class Loader(yaml.SafeLoader):
    """Reads GitLab's ``!reference`` as the list that it is."""


Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


def jobs(pipeline: Pipeline) -> dict[str, Any]:
    return dict(yaml.load(gitlab_files(pipeline)[PATH], Loader))  # noqa: S506 - a safe loader


def conditions(job: dict[str, Any]) -> list[str]:
    return [" ".join(rule["if"].split()) for rule in job["rules"]]


@settings(deadline=None, max_examples=40)
@given(pipelines())
def test_every_job_says_when_it_runs_and_where_its_credentials_are(pipeline: Pipeline) -> None:
    assert is_unedited(gitlab_files(pipeline)[PATH]), "its own first line tells so"
    for name, job in jobs(pipeline).items():
        if name.startswith("."):
            continue
        assert job["rules"], f"{name}: without rules it would run for every branch"
        assert all(rule.get("if") for rule in job["rules"]), f"{name}: no rule without a condition"
        assert isinstance(job["interruptible"], bool), f"{name}: whether a newer pipeline may stop it"
        if name != "hybrid:offline":
            assert job["environment"]["name"], f"{name}: its variables are scoped to an environment"


@settings(deadline=None, max_examples=40)
@given(pipelines())
def test_only_the_configured_branch_deploys(pipeline: Pipeline) -> None:
    made = {name: job for name, job in jobs(pipeline).items() if name.startswith("hybrid:deploy:")}
    assert list(made) == [f"hybrid:deploy:{stack.name}" for stack in pipeline.deploy], "in order"
    for stack, job in zip(pipeline.deploy, made.values(), strict=True):
        (condition,) = conditions(job)
        assert f'$CI_COMMIT_BRANCH == "{pipeline.branch}"' in condition, "no other branch, and no merge request"
        assert '$CI_COMMIT_REF_PROTECTED == "true"' in condition, "which has to be protected"
        assert "merge_request_event" not in condition
        assert job["environment"]["name"] == stack.name
        assert job["resource_group"] == f"hybrid-deploy-{stack.name}", "one at a time"
        (rule,) = job["rules"]
        assert rule.get("when") == ("manual" if stack.approval else None)
        assert rule.get("allow_failure") is (False if stack.approval else None), "later stacks wait for it"
    needs = [job["needs"] for job in made.values()]
    assert needs == [[], *([name] for name in list(made)[:-1])][: len(needs)], "each waits for the one before"


def test_jobs_of_merge_requests_have_no_environment_that_deploys() -> None:
    for name, job in jobs(TWO).items():
        if not name.startswith(".") and "merge_request_event" in str(job["rules"]):
            environment = job.get("environment", {}).get("name")
            assert environment in {None, "review", "comment", "branch"}, name
            trusted = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID" in conditions(job)[0]
            assert trusted is (environment is not None), f"{name}: a fork gets nothing"


def test_the_comment_is_written_by_the_code_of_the_base() -> None:
    (script,) = jobs(TWO)["hybrid:comment"]["script"]
    assert script.index("git checkout") < script.index("make setup") < script.index("hybrid review post")
    assert script.index("mv ") < script.index("git checkout"), "what was checked is out of the checkout's way"
    assert "-gt 33554432" in script
    assert jobs(TWO)["hybrid:comment"]["extends"] == ".hybrid", "no token for clouds"


def test_nothing_is_left_of_an_earlier_job() -> None:
    made = jobs(TWO)
    for name in (".hybrid", ".hybrid-docker"):
        assert made[name]["variables"]["GIT_STRATEGY"] == "clone", "its code may have been somebody else's"


@pytest.mark.parametrize("stack", ["1", "on", "0x1f"])
def test_a_stack_whose_name_yaml_takes_for_something_else_stays_a_name(stack: str) -> None:
    made = jobs(Pipeline("1.0", (DeployedStack(stack),)))
    assert made[f"hybrid:deploy:{stack}"]["environment"]["name"] == stack
    assert '$CI_COMMIT_BRANCH == "1.0"' in conditions(made["hybrid:drift"])[0]
