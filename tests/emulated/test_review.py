"""`hybrid review` of the local stack, as an engineer calls it in a clone: what git can and cannot tell, a location
that is renamed, wrong stack files. The stack on ECS is reviewed in tests/aws/test_review.py."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.review.document import Review, parse
from tests.emulated.checkout import GOOD_LOCATION, Answer, Checkout

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(240)]

IGNORED = (
    ".hybrid",
    ".venv",
    "hybrid",
    "agent",
    "infra",
    "policies",
    "__pycache__",
    "stacks/Pulumi.local.yaml",
    "gate",
)


class Clone:
    """The checkout as a git repository on the branch `feature`, which left `main`."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.root = checkout.root
        (self.root / ".gitignore").write_text("\n".join(IGNORED))
        self.git("init", "-q", "-b", "main")
        self.commit("the base")
        self.git("checkout", "-q", "-b", "feature")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, words: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", words)

    def back(self) -> None:
        self.git("checkout", "-qf", "-B", "feature", "main")
        self.git("clean", "-fdq")

    def answer(self, *arguments: str) -> Answer:
        return self.checkout.hybrid("review", "--no-policies", *arguments)

    def review(self, *arguments: str) -> Review:
        answer = self.answer("--base", "main", "--json", *arguments)
        assert answer.code == 0, answer.err
        return parse(answer.out)


@pytest.fixture(scope="module")
def repository(standing: Checkout) -> Clone:
    return Clone(standing)


@pytest.fixture
def clone(repository: Clone) -> Iterator[Clone]:
    repository.back()
    yield repository
    repository.back()


def code_of(clone: Clone, name: str) -> Path:
    return clone.root / "locations" / name / "src" / name / "definitions.py"


def test_a_changed_location_is_told_and_nothing_is_done(clone: Clone) -> None:
    code_of(clone, "alpha").write_text(GOOD_LOCATION.replace("return 42", "return 43"))
    clone.commit("another answer")
    with clone.checkout.client() as client:
        before = client.location_documents()
    found = clone.review()
    (stack,) = found.stacks
    assert {step.resource for step in stack.steps} == {"CodeLocation alpha-location", "AgentReady ready"}
    assert stack.touched_by == ("locations/alpha/src/alpha/definitions.py",)
    assert found.is_whole
    with clone.checkout.client() as client:
        assert client.location_documents() == before, "a review changes nothing in Dagster+"
    assert clone.git("status", "--porcelain") == "", "nor in the checkout"


def test_what_no_commit_has_is_reviewed_too_and_said(clone: Clone) -> None:
    code_of(clone, "alpha").write_text(GOOD_LOCATION.replace("return 42", "return 44"))
    found = clone.review()
    assert found.uncommitted
    assert [stack.stack for stack in found.stacks] == ["local"]


def test_notes_touch_nothing_and_the_engine_is_not_started(clone: Clone) -> None:
    (clone.root / "README.md").write_text("words\n")
    clone.commit("words")
    found = clone.review()
    assert found.stacks == ()
    assert found.untouched == ("local",)


def test_a_renamed_location_is_one_that_goes_and_one_that_comes(clone: Clone) -> None:
    shutil.rmtree(clone.root / "locations" / "alpha")
    clone.checkout.location("beta")
    clone.commit("alpha is beta")
    (stack,) = clone.review().stacks
    standings = {each.name: each.standing for each in stack.locations}
    assert standings == {"alpha": "removed", "beta": "added"}, standings
    operations = {step.resource: step.operation for step in stack.steps}
    assert operations["CodeLocation alpha-location"] == "delete"
    assert operations["CodeLocation beta-location"] == "create"


def test_locations_of_others_in_dagster_plus_are_left_alone_and_said_so(clone: Clone) -> None:
    with clone.checkout.client() as client:
        client.put_location({"location_name": "stranger", "code_source": {"module_name": "x"}})
    try:
        (stack,) = clone.review("--stack", "local").stacks
    finally:
        with clone.checkout.client() as client:
            client.delete_location("stranger")
    assert {each.name: each.standing for each in stack.locations} == {"alpha": "same", "stranger": "untouched"}
    assert stack.touched_by == ("asked for",)


def test_a_shallow_clone_is_told_how_to_deepen_it(clone: Clone, tmp_path: Path) -> None:
    code_of(clone, "alpha").write_text(GOOD_LOCATION.replace("return 42", "return 45"))
    clone.commit("another")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{clone.root}", str(shallow)], check=True)
    for name in ("hybrid", "agent", "infra", "policies", ".venv"):
        (shallow / name).symlink_to((clone.root / name).resolve())
    answer = Checkout.hybrid(_At(shallow, clone.checkout), "review", "--base", "origin/main")
    assert answer.code == 2, answer.err
    assert "shallow" in answer.err
    assert "fetch-depth: 0" in answer.err, "what next"


def test_histories_without_a_common_commit_are_told_apart(clone: Clone) -> None:
    clone.git("checkout", "-q", "--orphan", "other")
    clone.commit("another history")
    answer = clone.answer("--base", "main")
    clone.git("checkout", "-qf", "feature")
    assert answer.code == 2, answer.err
    assert "have no commit in common" in answer.err


@pytest.mark.parametrize("base", ["nowhere", "--upload-pack=x", "a..b", ""])
def test_a_base_that_is_none_is_an_error_in_words(clone: Clone, base: str) -> None:
    answer = clone.answer(f"--base={base}")
    assert answer.code == 2, answer.err
    assert "Traceback" not in answer.err


def test_an_unknown_stack_is_named_with_those_that_there_are(clone: Clone) -> None:
    answer = clone.answer("--base", "main", "--stack", "prd")
    assert answer.code == 2
    assert "There are: local." in answer.err


def test_a_wrong_stack_file_is_a_review_that_says_what_is_wrong(clone: Clone) -> None:
    (clone.root / "stacks" / "Pulumi.dev.yaml").write_text("config:\n  hybrid:agent:\n    kind: lokal\n")
    clone.commit("a new stack")
    answer = clone.answer("--base", "main", "--output", str(clone.root / ".hybrid" / "out"))
    assert answer.code == 5, answer.err
    (stack,) = parse((clone.root / ".hybrid" / "out" / "review.json").read_bytes()).stacks
    assert stack.standing == "failed"
    assert "stacks/Pulumi.dev.yaml" in stack.missing[0].why
    text = (clone.root / ".hybrid" / "out" / "review.md").read_text()
    assert "could not be previewed" in text


def test_several_stacks_are_reviewed_side_by_side(clone: Clone) -> None:
    for name in ("one", "two"):
        (clone.root / "stacks" / f"{name}.example.yaml").write_text("config: {}\n")
        shutil.copy(clone.root / "stacks" / "Pulumi.local.yaml", clone.root / "stacks" / f"Pulumi.{name}.yaml")
    answer = clone.answer("--base", "main", "--json", "--all")
    assert answer.code == 0, answer.err
    found = parse(answer.out)
    assert [stack.stack for stack in found.stacks] == ["local", "one", "two"]
    assert [stack.standing for stack in found.stacks] == ["present", "new", "new"]
    assert found.stacks[1].operations["create"] >= 6, "all of a new stack is made"
    state = clone.root / ".hybrid" / "state" / ".pulumi" / "stacks" / "hybrid"
    assert sorted(file.name for file in state.glob("*.json")) == ["local.json"], "no stack was made in the backend"


def test_the_document_is_what_json_shows(clone: Clone) -> None:
    code_of(clone, "alpha").write_text(GOOD_LOCATION.replace("return 42", "return 46"))
    answer = clone.answer("--base", "main", "--json")
    assert set(json.loads(answer.out)) == set(Review.model_fields)


class _At:
    """Another folder, for a command of the same checkout's environment."""

    def __init__(self, root: Path, like: Checkout) -> None:
        self.root = root
        self.before = like.before
        self._like = like

    @property
    def environment(self) -> dict[str, str]:
        return {**self._like.environment, "HYBRID_ROOT": str(self.root)}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return Checkout.start(self, *arguments, **more)  # type: ignore[arg-type]
