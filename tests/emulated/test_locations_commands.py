"""``hybrid locations`` on a local stack that stands: the real engine, provider, agent and code servers."""

from __future__ import annotations

import pytest

from tests.emulated.checkout import GOOD_LOCATION, Checkout

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_deploying_one_location_leaves_the_others_and_the_agent_as_they_are(checkout: Checkout) -> None:
    checkout.location("beta")
    checkout.up()
    agent = checkout.agents()[0].pid
    for name in ("alpha", "beta"):
        checkout.location(name, GOOD_LOCATION.replace("answer", "changed_answer"))
    with checkout.client() as client:
        before = {status.name: status.deployed_at for status in client.code_locations()}
        answer = checkout.hybrid("locations", "deploy", "local", "--only", "alpha", "--json")
        assert answer.code == 0, answer.err
        after = {status.name: status.deployed_at for status in client.code_locations()}
    assert after["alpha"] != before["alpha"], "the named one is sent again, with its new code"
    assert after["beta"] == before["beta"], "the other one changed too, and nobody asked for it"
    assert [process.pid for process in checkout.agents()] == [agent]
    assert [(row["name"], row["load_status"]) for row in answer.document["locations"]] == [("alpha", "LOADED")]
    assert "CodeLocation beta-location" in checkout.up().err, "the next `up` brings the rest about"
    again = checkout.hybrid("locations", "deploy", "local")
    assert "Nothing had to change" in again.err, again.err


def test_what_is_listed_and_compared_is_what_up_has_told(standing: Checkout) -> None:
    with standing.client() as client:
        client.put_location({"location_name": "stranger", "image": "x:1", "code_source": {"module_name": "x"}})
        listed = standing.hybrid("locations", "list", "local", "--json").document
        compared = standing.hybrid("locations", "diff", "local", "--json", "--exit-code")
        client.delete_location("stranger")
    assert [(row["name"], row["is_loaded"]) for row in listed["locations"]] == [("alpha", True)]
    assert listed["others"] == ["stranger"], "what others have put there is named, and left alone"
    assert compared.code == 0, compared.out
    assert [(row["name"], row["standing"]) for row in compared.document["locations"]] == [
        ("alpha", "same"),
        ("stranger", "untouched"),
    ], "the document that would be sent is the one that was"


def test_a_local_stack_has_nothing_to_pin_or_to_push(standing: Checkout) -> None:
    before = (standing.root / "stacks/Pulumi.local.yaml").read_bytes()
    pinned = standing.hybrid("locations", "pin", "local", "alpha")
    assert pinned.code == 2, pinned.err
    assert "from their folders" in pinned.err
    assert (standing.root / "stacks/Pulumi.local.yaml").read_bytes() == before
    pushed = standing.hybrid("locations", "push", "local")
    assert pushed.code == 3, pushed.err
    assert "hybrid:registry" in pushed.err, "what to set for images is said"


def test_a_location_that_does_not_load_on_a_local_stack_has_no_image_to_go_back_to(checkout: Checkout) -> None:
    checkout.up()
    checkout.location("alpha", "raise RuntimeError('broken by design')")
    answer = checkout.hybrid("locations", "deploy", "local", "--only", "alpha", "--rollback")
    assert answer.code == 5, answer.err
    assert "broken by design" in answer.err, "the traceback is shown"
    assert "cannot be rolled back" in answer.err


def test_deploying_into_what_does_not_stand_is_told(checkout: Checkout) -> None:
    answer = checkout.hybrid("locations", "deploy", "local")
    assert answer.code == 2, answer.err
    assert "hybrid up local" in answer.err
