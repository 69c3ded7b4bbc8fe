"""``--policies`` of ``hybrid preview`` and ``up``, on the local stack: nothing of it stands, and nothing is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.errors import PolicyRefusedError
from tests.emulated.checkout import Checkout

pytestmark = [pytest.mark.program, pytest.mark.timeout(300)]

PLANTED = "agent:acme:" + "b1" * 16
A_SECRET = f"  hybrid:agent:\n    kind: local\n    environment:\n      DB_PASSWORD: {PLANTED}\n"


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, Checkout]]:
    """One with a location and nothing else, and one whose agent gets a secret in plain."""
    root = tmp_path_factory.mktemp("checkouts")
    made = Checkout(root / "good"), Checkout(root / "bad", settings=A_SECRET)
    for checkout in made:
        checkout.location("alpha")
    yield made
    for checkout in made:
        checkout.destroy()


@pytest.fixture
def good(checkouts: tuple[Checkout, Checkout]) -> Checkout:
    return checkouts[0]


@pytest.fixture
def bad(checkouts: tuple[Checkout, Checkout]) -> Checkout:
    return checkouts[1]


def test_the_local_stack_keeps_every_mandatory_rule(good: Checkout) -> None:
    answer = good.hybrid("preview", "local", "--policies", "--json")
    assert answer.code == 0, answer.err
    assert [each for each in answer.document["policies"] if each["level"] == "mandatory"] == []
    assert answer.document["changes"]["create"] > 3, "and the preview is whole"


def test_without_being_asked_nothing_is_held_against_the_pack(bad: Checkout) -> None:
    answer = bad.hybrid("preview", "local", "--json")
    assert answer.code == 0, answer.err
    assert "policies" not in answer.document, "an empty list would say that it was looked at"


def test_a_preview_that_breaks_a_mandatory_rule_is_shown_whole_and_ends_with_its_code(bad: Checkout) -> None:
    answer = bad.hybrid("preview", "local", "--policies", "--json")
    assert answer.code == PolicyRefusedError.exit_code, answer.err
    said = answer.document
    found = [each for each in said["policies"] if each["level"] == "mandatory"]
    assert [(each["policy"], each["resource"]) for each in found] == [("plain-secrets", "Process agent-process")]
    assert {"changes", "restarts", "steps", "stack"} <= said.keys(), "nothing of the preview is lost"
    assert "CodeLocation alpha-location" in [step["resource"] for step in said["steps"]], "what comes after it too"
    assert "✗ plain-secrets (Process agent-process): " in answer.err, "in words, while it is previewed"
    assert "mend what it says, or allow it in stacks/policy_exceptions.py" in answer.err, "what next"
    assert "Traceback" not in answer.err
    assert "b1b1b1" not in answer.out + answer.err, "the secret itself is in neither"


def test_an_update_that_would_break_a_mandatory_rule_changes_nothing(bad: Checkout) -> None:
    answer = bad.hybrid("up", "local", "--policies")
    assert answer.code == PolicyRefusedError.exit_code, answer.err
    assert bad.processes() == [], "nothing was started"
    assert "b1b1b1" not in answer.out + answer.err


def test_exceptions_that_cannot_be_are_said_by_hybrid_too(good: Checkout) -> None:
    file = good.root / "stacks" / "policy_exceptions.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(f'{before}\nEXCEPTIONS = (Allowed("publik-access", "a:b:C::x", "Because of a slip."),)\n')
    try:
        answer = good.hybrid("preview", "local", "--policies")
    finally:
        file.write_text(before, encoding="utf-8")
    assert answer.code == 5, answer.err
    assert answer.err.count("'publik-access' is no rule") == 1, f"what is wrong must be said, once:\n{answer.err}"
    assert "pulumi:pulumi:Stack" not in answer.err, "and not in the CLI's frame"
    assert "stacks/policy_exceptions.py" in answer.err, "and where"
    assert "Traceback" not in answer.err


def test_a_checkout_without_its_pack_says_so(good: Checkout) -> None:
    link = good.root / "policies"
    target = Path(link).readlink()
    link.unlink()
    try:
        answer = good.hybrid("preview", "local", "--policies")
    finally:
        link.symlink_to(target)
    assert answer.code != 0, "nothing was judged, and that must not look like nothing found"
    assert "policies" in answer.err, answer.err
