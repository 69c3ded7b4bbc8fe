"""The order and the decisions of a deploy, around a world that says what a test lets it say. That it is so with the
real engine and the embedded Dagster+ is shown in tests/emulated/test_deploy.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hybrid.engine.history import Update
from hybrid.engine.pipeline import DeployedStack, SmokeRun
from hybrid.errors import EngineError, HybridError, PolicyRefusedError, StoppedError, UsageError
from hybrid.pipeline.comparison import acceptance
from hybrid.pipeline.deployment import Brought, Deployment, DeployStopped, chosen
from hybrid.pipeline.reviewed import Reviewed
from hybrid.pipeline.rollback import pinned
from hybrid.pipeline.smoke import SmokeJob, SmokeResult
from hybrid.review.actions import Actions
from hybrid.review.document import Missing, PolicyFinding, StackReview, Step

pytestmark = pytest.mark.unit

HEAD = "a" * 40
STAGING, PROD = DeployedStack(stack="staging"), DeployedStack(stack="prod")
SMOKE = SmokeRun(location="hello", job="greet")


def foreseen(stack: str, *sentences: str, **more: Any) -> StackReview:
    steps = tuple(Step(operation=each.split()[0], resource=each.partition(" ")[2]) for each in sentences)  # type: ignore[arg-type]
    given = {
        "environment": stack,
        "platform": "ecs",
        "deployment": "acme/prod",
        "touched_by": (),
        "standing": "present",
    }
    return StackReview(**{**given, "stack": stack, "steps": steps, **more})  # type: ignore[arg-type]


@dataclass
class FakeWorld:
    """``doing`` is what each stack's preview says; ``fails`` what an `up` of a stack ends with."""

    doing: dict[str, StackReview]
    fails: dict[str, HybridError] = field(default_factory=dict)
    rolls_back: dict[str, dict[str, str]] = field(default_factory=dict)
    smoke_ends: str = "SUCCESS"
    begun: bool = False
    done: list[str] = field(default_factory=list)

    def beforehand(self, stack: str) -> None:
        self.done.append(f"check {stack}")

    def review(self, stack: str) -> StackReview:
        self.done.append(f"look at {stack}")
        return self.doing[stack]

    def history(self, stack: str) -> Sequence[Update]:
        return [Update("update", False, HEAD)] if self.begun else []

    def agree(self, stack: str, sentences: Sequence[str]) -> None:
        self.done.append(f"ask {stack} {len(sentences)}")

    def up(self, stack: str) -> Brought:
        self.done.append(f"up {stack}")
        if stack in self.fails:
            raise self.fails[stack]
        return Brought({"update": 1}, self.rolls_back.get(stack, {}))

    def smoke(self, stack: str, smoke: SmokeRun) -> SmokeResult:
        self.done.append(f"smoke {stack}")
        job = SmokeJob(smoke.location, smoke.job, smoke.timeout_seconds, "https://x/prod", HEAD)
        return SmokeResult(job, "r1", self.smoke_ends, 1.0, None if self.smoke_ends == "SUCCESS" else "ValueError: no")

    def after_smoke(self, stack: str, smoke: SmokeRun) -> str:
        return "go back so"

    def rolled_back(self, stack: str, images: Mapping[str, str]) -> HybridError:
        return pinned(stack, images, again="commit the pin")

    def changed(self) -> list[str]:
        return [each for each in self.done if each.startswith(("up", "smoke"))]


@dataclass
class Said:
    """What was reviewed, by stack."""

    by_stack: dict[str, tuple[str, ...]]

    def of(self, stack: str, deployed: str | None) -> Reviewed:
        sentences = self.by_stack.get(stack)
        if sentences is None:
            return Reviewed(notes=("no pull request was merged as aaaa",))
        return Reviewed((Actions.saying(sentences),), ("#12",))


def deployment(world: FakeWorld, reviewed: dict[str, tuple[str, ...]] | None, **more: Any) -> Deployment:
    return Deployment(world, HEAD, None if reviewed is None else Said(reviewed), lambda line: None, **more)


BOTH = {"staging": foreseen("staging", "update Bucket b"), "prod": foreseen("prod", "update Bucket b")}
READ = {"staging": ("update Bucket b",), "prod": ("update Bucket b",)}


def test_stacks_are_deployed_one_after_the_other_each_looked_at_right_before() -> None:
    world = FakeWorld(BOTH)
    made = deployment(world, READ)
    assert made.run((STAGING, PROD)) is None
    order = [
        each
        for stack in ("staging", "prod")
        for each in (f"check {stack}", f"look at {stack}", f"ask {stack} 1", f"up {stack}")
    ]
    assert world.done == order, "prod is previewed when staging stands, not before"
    assert [each.result for each in made.results] == ["deployed", "deployed"]
    assert made.results[0].reviewed_by == ("#12",)


@pytest.mark.parametrize(
    "error", [EngineError("`up` failed."), StoppedError("stopped"), HybridError("Dagster+ is away")]
)
def test_a_stack_that_fails_stops_the_later_ones(error: HybridError) -> None:
    world = FakeWorld(BOTH, fails={"staging": error})
    made = deployment(world, READ)
    assert made.run((STAGING, PROD)) is error, "with its own exit code"
    assert world.changed() == ["up staging"]
    assert [each.result for each in made.results] == ["failed", "not_reached"]


def test_what_was_not_reviewed_stops_before_anything_is_done() -> None:
    world = FakeWorld({"prod": foreseen("prod", "update Bucket b", "delete Bucket data")})
    made = deployment(world, READ)
    error = made.run((PROD,))
    assert isinstance(error, DeployStopped)
    assert error.exit_code == 12
    assert world.changed() == [], "nothing was touched"
    assert "not reviewed: delete Bucket data" in str(error)
    assert made.results[0].further == ("delete Bucket data",)
    digest = made.results[0].digest
    assert f"hybrid deploy --stack prod --accept {digest}" in str(error), "the way on, as it can be typed"
    assert made.results[0].document()["result"] == "stopped"


def test_exactly_what_was_shown_can_be_accepted() -> None:
    doing = foreseen("prod", "update Bucket b", "delete Bucket data")
    digest = acceptance("prod", Actions.of(doing))
    world = FakeWorld({"prod": doing})
    assert deployment(world, {}, accepted=frozenset({digest})).run((PROD,)) is None
    assert world.changed() == ["up prod"]
    more = FakeWorld({"prod": foreseen("prod", "update Bucket b", "delete Bucket data", "delete Bucket more")})
    assert isinstance(deployment(more, {}, accepted=frozenset({digest})).run((PROD,)), DeployStopped)
    other = FakeWorld({"staging": doing.model_copy(update={"stack": "staging"})})
    assert isinstance(deployment(other, {}, accepted=frozenset({digest})).run((STAGING,)), DeployStopped), (
        "what was accepted on prod was accepted on prod"
    )


def test_fewer_actions_than_reviewed_go_on() -> None:
    world = FakeWorld({"prod": foreseen("prod", "update Bucket b")})
    made = deployment(world, {"prod": ("update Bucket b", "create Bucket done")})
    assert made.run((PROD,)) is None, "the rest of an interrupted deploy"
    assert made.results[0].absent == ("create Bucket done",), "and it is told"


def test_a_stack_that_no_review_lists_may_have_nothing_to_do_and_no_more() -> None:
    quiet = FakeWorld({"prod": foreseen("prod")})
    assert deployment(quiet, {}).run((PROD,)) is None
    assert quiet.changed() == []
    busy = FakeWorld({"prod": foreseen("prod", "create Bucket b")})
    error = deployment(busy, {}).run((PROD,))
    assert isinstance(error, DeployStopped)
    assert "no pull request was merged" in str(error), "why nothing counts as reviewed"


def test_a_pull_request_without_an_effect_on_a_stack_approves_nothing_there() -> None:
    world = FakeWorld({"prod": foreseen("prod", "delete Bucket data")})
    error = deployment(world, {"prod": ()}).run((PROD,))
    assert isinstance(error, DeployStopped)


def test_nothing_reviewed_can_be_said_aloud() -> None:
    world = FakeWorld({"prod": foreseen("prod", "delete Bucket data")})
    made = deployment(world, {}, unreviewed=True)
    assert made.run((PROD,)) is None
    assert made.results[0].reviewed_by == ("--unreviewed",), "the answer says so"


def test_a_person_on_a_terminal_is_asked_and_a_no_does_nothing() -> None:
    class Refusing(FakeWorld):
        def agree(self, stack: str, sentences: Sequence[str]) -> None:
            raise UsageError("no")

    world = Refusing(BOTH)
    assert isinstance(deployment(world, None).run((PROD,)), UsageError)
    assert world.changed() == []


@pytest.mark.parametrize("part", ["preview", "policies"])
def test_what_could_not_be_seen_is_not_deployed(part: str) -> None:
    missing = (Missing(part=part, why="no credentials"),)  # type: ignore[arg-type]
    world = FakeWorld({"prod": foreseen("prod", standing="failed", missing=missing)})
    error = deployment(world, READ, unreviewed=True).run((PROD,))
    assert isinstance(error, EngineError)
    assert "no credentials" in str(error)
    assert world.changed() == []


def test_a_mandatory_rule_refuses_and_an_advisory_one_does_not() -> None:
    def found(level: str) -> PolicyFinding:
        return PolicyFinding(policy="encryption", level=level, resource="Bucket b", message="it is not")  # type: ignore[arg-type]

    bad = FakeWorld({"prod": foreseen("prod", "update Bucket b", policies=(found("mandatory"),))})
    made = deployment(bad, READ)
    assert isinstance(made.run((PROD,)), PolicyRefusedError)
    assert made.results[0].result == "stopped"
    assert bad.changed() == []
    fine = FakeWorld({"prod": foreseen("prod", "update Bucket b", policies=(found("advisory"),))})
    assert deployment(fine, READ).run((PROD,)) is None


def test_a_rollback_ends_the_deploy_and_is_told() -> None:
    world = FakeWorld(BOTH, rolls_back={"staging": {"hello": "x@sha256:1"}})
    made = deployment(world, READ)
    error = made.run((DeployedStack(stack="staging", smoke=SMOKE), PROD))
    assert error is not None
    assert error.exit_code == 7
    assert world.changed() == ["up staging"], "the smoke run would be one of the old code"
    assert made.results[0].document()["rolled_back"] == {"hello": "x@sha256:1"}
    assert made.results[0].result == "rolled_back"


def test_a_smoke_run_that_fails_stops_the_later_stacks() -> None:
    world = FakeWorld(BOTH, smoke_ends="FAILURE")
    made = deployment(world, READ)
    error = made.run((DeployedStack(stack="staging", smoke=SMOKE), PROD))
    assert error is not None
    assert error.exit_code == 9
    assert "ValueError: no" in str(error), "why it failed"
    assert "go back so" in str(error), "and what to do"
    assert world.changed() == ["up staging", "smoke staging"]
    assert [each.result for each in made.results] == ["smoke_failed", "not_reached"]


def test_nothing_to_do_is_said_without_a_smoke_run() -> None:
    world = FakeWorld({"staging": foreseen("staging")})
    made = deployment(world, {})
    assert made.run((DeployedStack(stack="staging", smoke=SMOKE),)) is None
    assert world.changed() == []
    assert made.results[0].result == "unchanged"


def test_a_deploy_that_was_killed_in_its_smoke_run_makes_up_for_it() -> None:
    world = FakeWorld({"staging": foreseen("staging"), "prod": BOTH["prod"]}, begun=True, smoke_ends="FAILURE")
    error = deployment(world, READ).run((DeployedStack(stack="staging", smoke=SMOKE), PROD))
    assert error is not None, "prod must not be deployed by a second run when the first one's smoke run never passed"
    assert world.changed() == ["smoke staging"]


def test_named_stacks_keep_the_pipeline_s_order_and_unknown_ones_are_refused() -> None:
    assert chosen((STAGING, PROD), ("prod", "staging")) == (STAGING, PROD)
    assert chosen((STAGING, PROD), ()) == (STAGING, PROD)
    with pytest.raises(UsageError, match="does not deploy dev"):
        chosen((STAGING, PROD), ("dev",))
