"""`hybrid preview` of a local stack says what restarts the agent, and `hybrid up` does just that."""

from __future__ import annotations

import pytest

from hybrid.cli.progress import RESTARTS
from tests.emulated.checkout import Checkout

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

PLANTED = "swordfish-of-a-test"


def test_what_restarts_the_agent_is_marked_before_it_happens(checkout: Checkout) -> None:
    checkout.up()
    before = [process.pid for process in checkout.agents()]
    file = checkout.root / "stacks" / "Pulumi.local.yaml"
    agent = f"  hybrid:agent:\n    kind: local\n    apiTimeoutSeconds: 61\n    environment:\n      STAGE: {PLANTED}\n"
    file.write_text(file.read_text().replace("config:\n", f"config:\n{agent}", 1))

    document = checkout.hybrid("preview", "local", "--json").document
    assert document["restarts"] == [
        {
            "resource": "Process agent-process",
            "because": ["the variable STAGE", "`dagster_cloud_api.timeout` of its dagster.yaml"],
        }
    ]
    assert [process.pid for process in checkout.agents()] == before, "a preview restarts nothing"
    said = checkout.up().err
    assert f"! {RESTARTS}: because of the variable STAGE" in said
    assert PLANTED not in said
    assert [process.pid for process in checkout.agents()] != before, "it was restarted, as the preview said"

    document = checkout.hybrid("preview", "local", "--json").document
    assert (document["restarts"], document["changes"]) == ([], {}), "and that was all"
