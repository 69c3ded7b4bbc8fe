"""What is told right after the hand-over is not told a second time by the update behind it: a real Serverless agent, a
real local one, whose document does not change with its code."""

from __future__ import annotations

import pytest

from tests.emulated.serverless_place import Serverless
from tests.emulated.test_switch_run import place

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(900)]

__all__ = ["place"]


def test_a_location_is_sent_once_and_its_agent_loads_it_once(place: Serverless) -> None:
    file = place.checkout.root / "stacks" / "Pulumi.local.yaml"
    lines = file.read_text().splitlines(keepends=True)
    variables = lines.index("  hybrid:environmentVariables:\n")  # with some, the update has to tell the locations
    file.write_text("".join(lines[:variables] + lines[variables + 3 :]))
    done = place.hybrid("switch", "run", "local", "--yes", "--no-values", "--json")
    assert done.code == 0, done.err
    [told] = [line for line in place.lines() if line["step"] == "serve" and "told" in line["facts"]]
    assert told["facts"]["told"] == ["alpha"]
    with place.client() as client:
        [status] = client.code_locations()
    assert status.is_loaded
    assert status.deployed_at is not None
    assert status.deployed_at <= told["at"], "the update sent it again, and the agent loaded it twice"
    assert not (place.checkout.root / ".hybrid/stacks/local/told-locations.json").exists(), "it is of that update alone"
    back = place.hybrid("switch", "back", "local", "--yes", "--json")
    assert back.code == 0, back.err
