"""Drift with the real engine and the real agent on the embedded Dagster+, and a stand-in for GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.pipeline.drift_issue import marker
from tests.emulated.checkout import GOOD_LOCATION, Checkout
from tests.emulated.hosted import Hosted
from tests.processes import arguments
from tests.standins.github import FakeGitHub

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Hosted]:
    """A stack as its branch says; tests leave it so."""
    place = Checkout(tmp_path_factory.mktemp("deployed") / "checkout", shared=environments)
    place.location("alpha")
    place.location("beta")
    with FakeGitHub() as github:
        hosted = Hosted(place, github)
        place.up()
        yield hosted
    place.destroy()


def test_without_drift_nothing_is_written_and_nothing_said_to_the_forge(deployed: Hosted) -> None:
    state, history, processes = (
        deployed.state(),
        sorted(deployed.history.rglob("*")),
        len(deployed.checkout.processes()),
    )
    answer = deployed.drift("--issue")
    assert answer.code == 0, answer.err
    assert answer.document["drift"] is False
    assert deployed.state() == state, "a look takes nothing into the state"
    assert sorted(deployed.history.rglob("*")) == history
    assert len(deployed.checkout.processes()) == processes
    assert not deployed.github.writes, "there is no issue to be closed"


@pytest.mark.slow
def test_a_location_that_somebody_deleted_is_told_in_one_issue_which_is_closed_when_it_is_back(
    deployed: Hosted,
) -> None:
    with deployed.checkout.client() as client:
        client.delete_location("beta")
    state = deployed.state()
    answer = deployed.drift("--issue")
    assert answer.code == 13, answer.err
    (stack,) = answer.document["stacks"]
    assert [(each["resource"], each["operation"]) for each in stack["by_hand"]] == [
        ("CodeLocation beta-location", "delete")
    ]
    assert stack["not_deployed"] == [], "the code says what was deployed"
    assert stack["not_ready"] == ["Dagster+ does not have the code location beta."]
    assert deployed.state() == state
    (issue,) = deployed.github.issues
    assert issue.body.startswith(marker())
    assert "<code>CodeLocation beta-location</code> is gone" in issue.body
    assert deployed.drift("--issue").code == 13
    assert len(deployed.github.issues) == 1, "the same one, in place"
    assert deployed.checkout.hybrid("up", "local").code == 0
    assert deployed.drift("--issue").code == 0
    assert issue.state == "closed"
    assert "No drift any more" in deployed.github.comments(issue.number)[-1].body


@pytest.mark.slow
def test_code_that_is_merged_and_not_deployed_is_no_hand_s_work(deployed: Hosted) -> None:
    deployed.checkout.location("beta", GOOD_LOCATION + "# merged\n")
    deployed.push_to_main("not deployed")
    answer = deployed.drift()
    assert answer.code == 13, answer.err
    (stack,) = answer.document["stacks"]
    assert stack["by_hand"] == []
    assert "CodeLocation beta-location" in [each["resource"] for each in stack["not_deployed"]], stack
    assert deployed.checkout.hybrid("up", "local").code == 0
    assert deployed.drift().code == 0


def test_an_issue_is_not_written_about_another_branch_s_program(deployed: Hosted) -> None:
    deployed.git("switch", "-q", "-c", "feature")
    try:
        answer = deployed.checkout.hybrid("drift", "--issue", **{**deployed.github.environ, "GITHUB_ACTIONS": ""})
        looked = deployed.checkout.hybrid("drift")
    finally:
        deployed.git("switch", "-q", "main")
        deployed.git("branch", "-q", "-D", "feature")
    assert answer.code == 2, answer.err
    assert looked.code == 0, "to look is free"
    assert "which is not 'main'" in looked.err


@pytest.mark.slow
def test_an_agent_that_died_is_drift(deployed: Hosted) -> None:
    for process in deployed.checkout.commands("supervisord"):
        if "agent" in " ".join(arguments(process)):
            process.kill()
    for process in deployed.checkout.agents():
        process.kill()
    answer = deployed.drift()
    assert answer.code == 13, answer.err
    (stack,) = answer.document["stacks"]
    assert "Process agent-process" in [each["resource"] for each in stack["by_hand"]], stack
    assert deployed.checkout.hybrid("up", "local").code == 0
