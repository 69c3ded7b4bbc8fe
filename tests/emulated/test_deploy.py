"""Deploy on merge with the real engine and the real agent on the embedded Dagster+, git with a bare remote, and a
stand-in for GitHub. What only images make possible (a pin, a rollback) is shown in tests/unit/cli and tests/docker: the
local agent runs code from its folders."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.checkout import GOOD_LOCATION, Checkout, until
from tests.emulated.hosted import PIPELINE, Hosted
from tests.standins.github import FakeGitHub

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

BROKEN = "raise ValueError('this location does not load')\n"


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Hosted]:
    """A stack that stands, deployed from its branch; tests leave it so."""
    place = Checkout(tmp_path_factory.mktemp("merged") / "checkout", shared=environments)
    place.location("alpha")
    with FakeGitHub() as github:
        hosted = Hosted(place, github)
        first = hosted.deploy("--unreviewed")
        assert first.code == 0, first.err
        yield hosted
    place.destroy()


def only(answer: dict[str, object]) -> dict[str, object]:
    (stack,) = answer["stacks"]  # type: ignore[misc]
    return stack  # type: ignore[no-any-return]


def test_what_was_reviewed_and_merged_is_deployed_and_then_there_is_nothing_to_do(merged: Hosted) -> None:
    merged.checkout.location("alpha", GOOD_LOCATION + "# of 12\n")
    merged.reviewed_and_merged(12)
    answer = merged.deploy()
    assert answer.code == 0, answer.err
    stack = only(answer.document)
    assert stack["result"] == "deployed"
    assert stack["reviewed_by"] == ["#12"], "held against the comment of the pull request"
    assert "update CodeLocation alpha-location" in stack["actions"], stack
    assert stack["smoke"]["status"] == "SUCCESS", "tried with a real run"
    again = merged.deploy()
    assert again.code == 0, again.err
    assert only(again.document)["result"] == "unchanged"
    assert only(again.document)["changes"] == {}
    assert merged.github.token not in answer.out + answer.err


def test_what_slipped_in_stops_with_12_and_goes_on_when_exactly_that_is_accepted(merged: Hosted) -> None:
    merged.checkout.location("alpha", GOOD_LOCATION + "# of 13\n")
    merged.reviewed_and_merged(13)
    merged.checkout.location("beta")
    merged.push_to_main("straight to the branch")
    before = merged.documents()
    answer = merged.deploy()
    assert answer.code == 12, answer.err
    stack = only(answer.document)
    assert stack["result"] == "stopped"
    assert "create CodeLocation beta-location" in stack["further"]
    assert "update CodeLocation alpha-location" not in stack["further"], "what 13 does was read, though it waited"
    assert stack["reviewed_by"] == ["#13"]
    assert merged.documents() == before, "nothing was done"
    assert f"--accept {stack['digest']}" in answer.err, "the way on is shown"
    wrong = merged.deploy("--accept", "0" * 64)
    assert wrong.code == 12, "another digest accepts nothing"
    accepted = merged.deploy("--accept", stack["digest"])
    assert accepted.code == 0, accepted.err
    assert only(accepted.document)["reviewed_by"] == ["--accept"]


def test_a_push_that_no_pull_request_made_is_stopped(merged: Hosted) -> None:
    merged.checkout.location("alpha", GOOD_LOCATION + "# pushed by hand\n")
    merged.push_to_main("no pull request")
    answer = merged.deploy()
    assert answer.code == 12, answer.err
    assert "no pull request was merged" in answer.err
    assert merged.deploy("--unreviewed").code == 0, "it can be said aloud"


def test_only_the_branch_deploys(merged: Hosted) -> None:
    state = merged.state()
    elsewhere = (
        {"GITHUB_REF": "refs/heads/feature"},
        {"GITHUB_REF": "refs/tags/main"},
        {"GITHUB_EVENT_NAME": "schedule"},
        {"GITHUB_SHA": "f" * 40},
        {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/3/merge"},
    )
    for different in elsewhere:
        answer = merged.deploy("--unreviewed", **different)
        assert answer.code == 2, (different, answer.err)
    merged.git("switch", "-q", "-c", "feature")
    try:
        shell = merged.checkout.hybrid("deploy", "--unreviewed", "--unpushed", "--yes")
        circle = merged.checkout.hybrid(
            "deploy", "--unreviewed", "--yes", CI="true", CIRCLECI="true", CIRCLE_BRANCH="main"
        )
    finally:
        merged.git("switch", "-q", "main")
        merged.git("branch", "-q", "-D", "feature")
    assert shell.code == 2, shell.err
    assert "only 'main' is deployed" in shell.err
    assert circle.code == 2, "an unknown CI's word is not taken"
    assert merged.state() == state, "nothing was touched"


def test_from_a_shell_a_commit_that_nobody_else_has_needs_a_word(merged: Hosted) -> None:
    merged.git("commit", "-q", "--allow-empty", "-m", "only here")
    refused = merged.checkout.hybrid("deploy", "--unreviewed")
    assert refused.code == 2, refused.err
    assert "--unpushed" in refused.err
    deliberate = merged.checkout.hybrid("deploy", "--unreviewed", "--unpushed")
    assert deliberate.code == 0, deliberate.err
    nobody = merged.checkout.hybrid("deploy", "--unpushed")
    assert nobody.code == 2, "without a terminal and without a review nobody has looked"
    merged.git("push", "-q")


def test_a_location_that_does_not_load_is_told_with_why_nothing_can_be_rolled_back(merged: Hosted) -> None:
    merged.checkout.location("alpha", BROKEN)
    merged.push_to_main("broken")
    answer = merged.deploy("--unreviewed")
    assert answer.code == 5, answer.err
    assert "this location does not load" in answer.err, "with its traceback"
    assert "runs code from its folders" in answer.err, "why no image is gone back to"
    assert only(answer.document)["result"] == "failed"
    merged.checkout.location("alpha", GOOD_LOCATION + "# mended\n")
    merged.push_to_main("mended")
    again = merged.deploy("--unreviewed")
    assert again.code == 0, again.err


def test_a_smoke_run_that_fails_ends_with_9(merged: Hosted) -> None:
    pipeline = merged.root / "stacks" / "pipeline.yaml"
    pipeline.write_text(PIPELINE.replace("answers", "failing"))
    merged.checkout.location("alpha", GOOD_LOCATION + "# smoke\n")
    merged.push_to_main("another smoke run")
    try:
        answer = merged.deploy("--unreviewed")
        assert answer.code == 9, answer.err
        stack = only(answer.document)
        assert (stack["result"], stack["smoke"]["status"]) == ("smoke_failed", "FAILURE")
        assert "this op fails by design" in answer.err, "the user code's own error"
        assert merged.deploy("--unreviewed").code == 9, "a second run of the same commit does not pass it by"
    finally:
        pipeline.write_text(PIPELINE)
        merged.push_to_main("the former smoke run")


def test_a_deploy_that_was_killed_goes_on_where_it_was(merged: Hosted) -> None:
    merged.checkout.location("alpha", GOOD_LOCATION + "# of 14\n")
    merged.checkout.location("gamma", GOOD_LOCATION)
    merged.reviewed_and_merged(14)
    process = merged.checkout.start("deploy", "--yes", "--json", **merged.run_of_a_push)
    with merged.checkout.client() as client:
        until(lambda: "gamma" in client.location_documents(), seconds=120, what="the deploy is in the middle")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    answer = merged.deploy()
    assert answer.code == 0, f"what is left was reviewed:\n{answer.err}"
    assert only(answer.document)["smoke"]["status"] == "SUCCESS", "the smoke run is made up for"
    assert merged.checkout.status().code == 0
