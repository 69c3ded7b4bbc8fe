"""The time-outs of an agent on ECS go together, whatever is asked for. How long AWS really takes they cannot prove."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from agent.ecs_timing import (
    LONGEST_FIRST_START,
    LONGEST_INTERVAL,
    LONGEST_START_PERIOD,
    LONGEST_STOP,
    MOST_RETRIES,
    first_start,
    timing,
)

pytestmark = pytest.mark.unit

GIVEN = {
    "server_start": some.integers(5, 3600),
    "task_start": some.integers(60, 2400),
    "stop": some.integers(1, LONGEST_STOP),
    "locations": some.integers(0, 500),
}


@given(**GIVEN)
def test_the_health_check_waits_for_the_longest_first_start_within_limits(server_start, task_start, stop, locations):
    assume(first_start(server_start, task_start, locations) <= LONGEST_FIRST_START)
    found = timing(server_start=server_start, task_start=task_start, stop=stop, locations=locations)
    assert found.health.patience >= found.first_start, "ECS would end an agent that still starts its code servers"
    assert found.first_start > server_start + task_start, "a location may need both, one after the other"
    assert 5 <= found.health.interval <= LONGEST_INTERVAL
    assert 0 <= found.health.start_period <= LONGEST_START_PERIOD
    assert found.health.retries <= MOST_RETRIES
    assert found.health.timeout < found.health.interval


@given(**GIVEN)
def test_no_agent_removes_the_servers_of_one_that_still_starts(server_start, task_start, stop, locations):
    assume(first_start(server_start, task_start, locations) <= LONGEST_FIRST_START)
    found = timing(server_start=server_start, task_start=task_start, stop=stop, locations=locations)
    assert found.cleanup_grace > found.first_start
    assert found.locations_ready > found.first_start + found.agent_ready - 1
    assert found.environment()["DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS"] == str(found.cleanup_grace)


def test_one_more_location_does_not_restart_the_agent():
    some_ = [timing(server_start=180, task_start=600, stop=120, locations=count) for count in (1, 2, 25)]
    assert len({(found.health, found.cleanup_grace) for found in some_}) == 1, "both are in its task definition"


def test_what_an_agent_has_no_time_to_remove_is_counted():
    assert timing(server_start=180, task_start=600, stop=120, locations=55).servers_left_behind == 0
    assert timing(server_start=180, task_start=600, stop=120, locations=60).servers_left_behind == 5
    assert timing(server_start=180, task_start=600, stop=10, locations=3).servers_left_behind == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"server_start": 3600}, "lower `startupTimeoutSeconds` or `ecsTimeoutSeconds`"),
        ({"stop": 121}, "1 to 120 s"),
        ({"stop": 0}, "1 to 120 s"),
        ({"cleanup_grace": 600}, "another one could remove them meanwhile"),
        ({"locations": -1}, "not negative"),
    ],
    ids=str,
)
def test_numbers_that_do_not_go_together_are_refused_with_the_reason(asked, words):
    with pytest.raises(ValueError, match=words):
        timing(**{"server_start": 180, "task_start": 600, "stop": 120, **asked})
