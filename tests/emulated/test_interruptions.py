"""An update that is killed at any moment leaves nothing that the next one does not put right."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.emulated.checkout import Checkout, until

pytestmark = pytest.mark.emulated


def test_ctrl_c_stops_tidily_and_says_how_to_go_on(checkout: Checkout) -> None:
    process = checkout.start("up", "local")
    until(lambda: checkout.commands("-m hybrid.emulator"), seconds=30, what="the first process has been started")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "`hybrid up local` goes on from here" in err
    assert "Traceback" not in err
    checkout.up()
    assert len(checkout.agents()) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_up_killed_at_any_moment_is_finished_by_the_next_many_times(checkout: Checkout) -> None:
    chance = random.Random(99)  # noqa: S311 - not for secrets
    for number in range(15):
        process = checkout.start("up", "local")
        deadline = time.monotonic() + chance.uniform(0.1, 7.0)
        how = chance.choice([signal.SIGKILL, signal.SIGINT])
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is None:
            process.send_signal(how)
        process.communicate(timeout=120)
        if chance.random() < 0.3:
            down = checkout.hybrid("down", "local")
            assert down.code == 0, down.err
            assert not checkout.processes(), f"round {number} after {how.name}: `down` leaves no orphan"
        checkout.up()
        assert len(checkout.agents()) == 1, f"round {number} after {how.name}: exactly one agent"
        assert len(checkout.commands("-m hybrid.emulator")) == 1, f"round {number}: exactly one emulator"
