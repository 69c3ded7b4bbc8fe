"""`hybrid review` of a stack on ECS that stands: what a pull request's job does, with an AWS and a Dagster+ that refuse
every write, without the key of the stack's secrets, and with secrets planted wherever one may lie.

The account is moto's, behind the plugin that the session's header names.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hybrid.review.document import Review, StackReview, parse
from tests.aws.ecs_stack import EcsStack
from tests.standins.read_only_plus import Door, reading_only

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

PLANTED = "planted-s3cret-" + "9f2c71d4e8"
"""Assembled, so that no scanner of this repository takes it for one."""


class Reviewed:
    """A repository with the stack's checkout at its root, and the command as CI gives it."""

    def __init__(self, stack: EcsStack, door: Door) -> None:
        self.stack, self.door = stack, door
        self.root = stack.checkout.root
        self.base = self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def change(self, **values: Any) -> None:
        """Change keys of the stack file, as a commit."""
        file = self.stack.file
        document = yaml.safe_load(file.read_text())
        document["config"] |= {f"hybrid:{key}": value for key, value in values.items()}
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        self.git("commit", "-qam", "a change")

    def back(self) -> None:
        self.git("reset", "-q", "--hard", self.base)

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, Path]:
        """The exit code, all that was printed, and where the files are. The environment has no passphrase."""
        output = self.root / ".hybrid" / "review"
        shutil.rmtree(output, ignore_errors=True)
        given = {**self.stack.variables, **variables}
        given["PULUMI_CONFIG_PASSPHRASE"] = variables.get("PULUMI_CONFIG_PASSPHRASE", "not the stack's")
        answer = self.stack.checkout.hybrid(
            "review", "--base", self.base, "--output", str(output), "--no-policies", *arguments, timeout=300, **given
        )
        return answer.code, answer.out + answer.err, output

    def review(self, *arguments: str) -> Review:
        code, said, output = self.run(*arguments)
        assert code == 0, said
        return parse((output / "review.json").read_bytes())

    def of_prod(self, *arguments: str) -> StackReview:
        (found,) = self.review(*arguments).stacks
        return found


@pytest.fixture(scope="module")
def reviewed(ecs_stack: EcsStack) -> Iterator[Reviewed]:
    """The stack stands; its file is committed."""
    with reading_only(ecs_stack.plus.url) as door:
        ecs_stack.settings["url"] = door.url
        door.writable = True
        answer = ecs_stack.hybrid("up", "prod", "--yes")
        door.writable = False
        assert answer.code == 0, answer.err
        root = ecs_stack.checkout.root
        ignored = (
            ".hybrid",
            ".venv",
            "hybrid",
            "agent",
            "infra",
            "policies",
            "__pycache__",
            "stacks/Pulumi.local.yaml",
        )
        (root / ".gitignore").write_text("\n".join(ignored))
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-qm", "as it stands")):
            subprocess.run(["git", *command], cwd=root, check=True)
        yield Reviewed(ecs_stack, door)


@pytest.fixture
def clean(reviewed: Reviewed) -> Iterator[Reviewed]:
    """At the base, before and after."""
    reviewed.back()
    reviewed.door.refused.clear()
    yield reviewed
    reviewed.back()


def test_a_review_reads_only_and_leaves_no_trace(clean: Reviewed) -> None:
    clean.change(agent={"kind": "ecs", "cpu": 512})
    state, file = clean.stack.state(), clean.stack.file.read_bytes()
    with clean.stack.moto.reading_only() as tried:
        found = clean.of_prod()
    assert tried == [], "no write may even be tried in AWS"
    assert clean.door.refused == [], "nor in Dagster+"
    assert found.standing == "present", found
    assert clean.stack.state() == state, "the state is the team's"
    assert clean.stack.file.read_bytes() == file, "and so is the file"
    assert clean.git("status", "--porcelain") == "", "nothing is left in the checkout"


def test_the_guard_sees_a_write(clean: Reviewed) -> None:
    clean.change(agent={"kind": "ecs", "cpu": 512})
    given = clean.stack.variables
    with clean.stack.moto.reading_only() as tried:
        answer = clean.stack.checkout.hybrid("up", "prod", "--yes", timeout=300, **given)
    assert answer.code != 0, "an update cannot get through"
    assert tried, "what it tried in AWS is seen: a guard that sees nothing would prove nothing"


def test_a_change_of_the_agent_says_that_it_restarts(clean: Reviewed) -> None:
    clean.change(agent={"kind": "ecs", "cpu": 512})
    found = clean.of_prod()
    steps = {step.resource: step.operation for step in found.steps}
    assert steps["TaskDefinition agent-task"] == "replace", steps
    assert [each.resource for each in found.restarts] == ["TaskDefinition agent-task"], found.restarts
    costs = found.costs
    assert costs is not None
    assert (costs.after or 0) > (costs.before or 0) > 0, "twice the processor costs more"
    assert "SecretVersion token-value" not in steps, "a secret whose value is withheld is the same on both sides"
    assert found.missing == (), "all could be looked at"


def test_a_right_that_is_granted_is_told_one_by_one(clean: Reviewed) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonAthenaFullAccess"
    clean.change(aws={**clean.stack.settings["aws"], "codePolicyArns": [arn]})
    found = clean.of_prod()
    added = [(change.resource, each.resource) for change in found.iam for each in change.added]
    assert ("RolePolicyAttachment code-AmazonAthenaFullAccess", arn) in added, found.iam
    assert not [each for change in found.iam for each in change.removed], "nothing is taken away"
    assert "TaskDefinition agent-task" not in {step.resource for step in found.steps}, "and the agent goes on"


def test_nothing_touched_takes_no_look_at_all(clean: Reviewed) -> None:
    (clean.root / "notes.md").write_text("hello\n")
    clean.git("add", "-A")
    clean.git("commit", "-qm", "notes")
    with clean.stack.moto.recorded() as calls:
        found = clean.review()
    assert found.stacks == ()
    assert "prod" in found.untouched
    assert calls == [], "AWS is not asked"


def test_fail_on_ends_with_its_own_code_and_the_files_are_there(clean: Reviewed) -> None:
    clean.change(agent={"kind": "ecs", "cpu": 512})
    code, said, output = clean.run("--fail-on", "replace")
    assert code == 11, said
    assert "prod would replace: TaskDefinition agent-task" in said, said
    assert (output / "review.md").read_text().startswith("<!-- hybrid-review -->")


def test_planted_secrets_appear_nowhere(clean: Reviewed) -> None:
    """In a secret of the stack file that the pull request changes, in the environment, in a location's files."""
    document = yaml.safe_load(clean.stack.file.read_text())
    document["config"]["hybrid:environmentVariables"] = [
        {"name": "WAREHOUSE_PASSWORD", "fromEnvironment": "WAREHOUSE_PASSWORD"}
    ]
    document["config"]["hybrid:phase"] = "prepare"
    clean.stack.file.write_text(yaml.safe_dump(document, sort_keys=False))
    clean.git("commit", "-qam", "a variable")
    code, said, output = clean.run("--json", WAREHOUSE_PASSWORD=PLANTED)
    token = clean.stack.plus.token
    for name, text in {
        "printed": said,
        "json": (output / "review.json").read_text(),
        "markdown": (output / "review.md").read_text(),
    }.items():
        assert PLANTED not in text, f"{name} shows the value of a variable"
        assert token not in text, f"{name} shows the API token"
        assert "of a test" not in text, f"{name} shows the passphrase"
    assert code == 0, said
    assert json.loads((output / "review.json").read_text())["version"] == 1


def test_dagster_plus_down_is_a_missing_part_and_the_rest_is_told(clean: Reviewed) -> None:
    clean.change(agent={"kind": "ecs", "cpu": 512}, url="http://127.0.0.1:9")
    code, said, output = clean.run()
    (found,) = parse((output / "review.json").read_bytes()).stacks
    assert "dagster_plus" in {each.part for each in found.missing}, said
    assert "what Dagster+ has could not be looked at" in (output / "review.md").read_text()
    assert found.costs is not None, "the others are there"
    assert code in (0, 5), said


def test_a_deleted_stack_file_is_told_as_what_goes_on_standing(clean: Reviewed) -> None:
    clean.git("rm", "-q", "stacks/Pulumi.prod.yaml")
    clean.git("commit", "-qm", "away")
    code, said, output = clean.run("--fail-on", "delete")
    (found,) = parse((output / "review.json").read_bytes()).stacks
    assert found.standing == "removed"
    assert "goes on standing" in (output / "review.md").read_text()
    assert code == 11, said
