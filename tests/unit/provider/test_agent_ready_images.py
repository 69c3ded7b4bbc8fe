"""`AgentReady` and images, queues, and agents that go missing, against a Dagster+ in memory.

That Dagster+ shows the image which an agent reported is the emulated tier's to show, as far as it can be shown.
"""

from __future__ import annotations

import pytest

from hybrid.provider import agent_ready
from hybrid.provider.agent_ready import AgentReady
from hybrid.provider.properties import UNKNOWN
from hybrid.provider.resource import PartialError

pytestmark = pytest.mark.unit

OLD = f"registry.example/hello@sha256:{'0' * 64}"
NEW = f"registry.example/hello@sha256:{'1' * 64}"


@pytest.fixture
def resource(clients, monkeypatch):
    monkeypatch.setattr(agent_ready, "_POLL_EMBEDDED", 0)
    return AgentReady(clients)


@pytest.fixture
def inputs(connection, tmp_path):
    (tmp_path / "api-token").touch()
    return {
        "connection": {**connection, "tokenFile": str(tmp_path / "api-token")},
        "agentLabel": "docker",
        "locations": {"hello": "1"},
        "images": {"hello": NEW},
        "queues": {},
        "triggers": {"agent": "1"},
        "heartbeatTimeoutSeconds": 60,
        "timeoutSeconds": 0.01,
    }


@pytest.fixture
def running(plus, agent):
    plus.listed_agents = [agent("docker")]


@pytest.fixture
def clock(monkeypatch):
    """The clock that waits go by; ``clock.ticks`` seconds pass with every look at it."""

    class Clock:
        now = 0.0
        ticks = 0.0

        def __call__(self):
            self.now += self.ticks
            return self.now

    clock = Clock()
    monkeypatch.setattr(agent_ready.time, "monotonic", clock)
    return clock


def refused(resource, inputs, call, before=None):
    with pytest.raises(PartialError) as caught:
        resource.update("id", before, inputs, call) if before is not None else resource.create(inputs, call)
    return caught.value


def test_a_location_counts_when_its_code_server_says_that_it_runs_in_the_expected_image(
    resource, plus, inputs, call, running, location
):
    plus.statuses = [location("hello", image=NEW, reported=NEW)]

    assert resource.create(inputs, call).outputs == {
        "agentId": "a1", "ready": True, "loaded": {"hello": NEW}, "failed": []
    }, "what was loaded is kept, for whoever has to go back to it"  # fmt: skip


def test_a_document_that_names_the_image_is_not_enough_when_the_code_server_says_another(
    resource, plus, inputs, call, running, location
):
    plus.statuses = [location("hello", image=NEW, reported=OLD)]

    error = refused(resource, inputs, call)

    assert f"hello is loaded from the image {OLD}, not from {NEW}." in error.sentence(), (
        "the reader sees which is which"
    )
    assert error.outputs["failed"] == ["hello"], "the command line reads from state which one did not come"


def test_where_nothing_is_said_of_the_image_the_document_counts(resource, plus, inputs, call, running, location):
    plus.statuses = [location("hello", image=NEW)]

    assert resource.create(inputs, call).outputs["loaded"] == {"hello": NEW}, "a Dagster+ that shows less still serves"


def test_images_are_compared_by_digest_where_both_have_one(resource, plus, inputs, call, running, location):
    mirrored = NEW.replace("registry.example", "mirror.example/proxy")
    plus.statuses = [location("hello", image=mirrored, reported=mirrored)]

    assert resource.create(inputs, call).outputs["ready"], "the same content under another name is the same image"

    inputs["images"] = {"hello": "registry.example/hello:1"}
    plus.statuses = [location("hello", reported="registry.example/hello:2")]
    assert "not loaded" in refused(resource, inputs, call).sentence(), "tags are compared as they are written"


def test_a_location_that_failed_ends_the_wait_at_once_with_its_traceback(
    resource, plus, inputs, call, running, location
):
    inputs["timeoutSeconds"] = 7200
    plus.statuses = [location("hello", image=NEW, error="No module named nope")]

    error = refused(resource, inputs, call)

    assert error.what == "1 code location did not load: hello."
    assert "No module named nope\n  File x" in error.sentence(), "the agent's traceback says why"


def test_the_failure_of_another_image_than_the_expected_one_is_not_taken_for_ours(
    resource, plus, inputs, call, running, location
):
    plus.statuses = [location("hello", image=OLD, error="of the image before")]

    assert "hello is not loaded" in refused(resource, inputs, call).what, "it is waited for until the time is over"


def test_what_was_loaded_before_outlives_a_failed_update(resource, plus, inputs, call, running, location):
    inputs["locations"], inputs["images"] = {"hello": "2", "world": "2"}, {"hello": NEW, "world": NEW}
    plus.statuses = [location("hello", image=NEW, reported=NEW), location("world", image=NEW, error="boom")]
    before = {"agentId": "a1", "ready": True, "loaded": {"hello": OLD, "world": OLD, "gone": OLD}, "failed": []}

    error = refused(resource, inputs, call, before)

    assert error.outputs == {
        "agentId": "a1",
        "ready": False,
        "loaded": {"hello": NEW, "world": OLD},
        "failed": ["world"],
    }, "each location keeps the image that it was last loaded from, so that a rollback knows it"


def test_an_agent_that_does_not_come_says_nothing_of_locations(resource, plus, inputs, call):
    before = {"agentId": "a1", "ready": True, "loaded": {"hello": OLD}, "failed": []}

    outputs = refused(resource, inputs, call, before).outputs

    assert outputs["failed"] == [], "a rollback would not help"
    assert outputs["loaded"] == {"hello": OLD}, "and what was loaded is still known"


def test_an_agent_that_was_running_may_be_missed_for_the_short_time_only(
    resource, plus, inputs, call, agent, location, clock
):
    inputs |= {"timeoutSeconds": 7200, "heartbeatTimeoutSeconds": 60}
    looks = iter([[agent("docker")], *[[agent("docker", status="NOT_RUNNING")]] * 1000])
    plus.agents = lambda: next(looks)
    plus.statuses = [location("hello", outdated=True)]
    clock.ticks = 5.0

    error = refused(resource, inputs, call)

    assert error.what == "Agent docker is not RUNNING after 60 s."
    assert "knows it as NOT_RUNNING" in error.sentence(), "what Dagster+ says of it is told"
    assert clock.now < 200, "a dead agent is not waited for until the end"


def test_an_agent_that_was_just_started_gets_the_whole_time(resource, plus, inputs, call, agent, location, clock):
    inputs |= {"timeoutSeconds": 600, "heartbeatTimeoutSeconds": 60}
    looks = iter([*[[]] * 40, [agent("docker")]])
    plus.agents = lambda: next(looks)
    plus.statuses = [location("hello", reported=NEW)]
    clock.ticks = 5.0
    restarted = {"agentLabel": "docker", "triggers": {"agent": "0"}, "agentId": "a0", "ready": True}

    assert resource.update("id", restarted, inputs, call).outputs["agentId"] == "a1", (
        "it reports when it has tried to load all locations, images pulled and all"
    )
    assert clock.now > 200


def test_an_agent_that_stands_since_the_last_update_is_missed_from_the_start(
    resource, plus, inputs, call, agent, clock
):
    inputs |= {"timeoutSeconds": 7200, "heartbeatTimeoutSeconds": 60}
    plus.listed_agents = [agent("docker", status="NOT_RUNNING")]
    clock.ticks = 5.0
    before = {"agentLabel": "docker", "triggers": {"agent": "1"}, "agentId": "a1", "ready": True}

    assert "not RUNNING after 60 s" in refused(resource, inputs, call, before).what
    assert clock.now < 200, "nothing of it was started, so nothing will come"


def test_a_location_on_a_queue_that_the_agent_does_not_take_is_refused_before_anything_is_done(resource, inputs):
    inputs |= {"locations": {"hello": "1", "heavy": "1"}, "queues": {"heavy": "gpu"}}
    inputs["agentQueues"] = {"includeDefault": True, "additional": ["batch"]}

    (failure,) = resource.check(inputs)

    assert failure.path == "queues.heavy", "the reader is told which location"
    assert "queue 'gpu' is not one that agent docker takes" in failure.reason
    assert "the default queue and queue 'batch'" in failure.reason, "and what there is"


def test_an_agent_without_the_default_queue_serves_no_location_that_names_none(resource, inputs):
    inputs["agentQueues"] = {"includeDefault": False, "additional": ["gpu"]}

    assert [found.path for found in resource.check(inputs)] == ["queues.hello"]
    assert resource.check({**inputs, "queues": {"hello": "gpu"}}) == [], "one on the agent's queue is served"


def test_queues_that_are_not_given_or_not_known_yet_are_not_judged(resource, inputs):
    assert resource.check({**inputs, "queues": {"hello": "gpu"}}) == []
    assert resource.check({**inputs, "agentQueues": {"additional": UNKNOWN}}) == []


def test_another_image_is_a_reason_to_wait_and_patience_and_queues_are_none(resource, inputs):
    outputs = {"ready": True}

    changed = resource.diff(inputs, outputs, {**inputs, "images": {"hello": OLD}})
    other = {**inputs, "heartbeatTimeoutSeconds": 9, "queues": {"hello": "x"}, "agentQueues": {"additional": ["x"]}}

    assert [change.path for change in changed] == ["images.hello"]
    assert resource.diff(inputs, outputs, other) == []


def test_state_of_a_release_without_images_is_no_reason_to_wait(resource, inputs):
    now = {**inputs, "images": {}}
    before = {name: now[name] for name in ("connection", "agentLabel", "locations", "triggers", "timeoutSeconds")}

    assert resource.diff(before, {"agentId": "a1", "ready": True}, now) == []


def test_a_refresh_that_finds_another_image_loaded_asks_for_an_update_and_names_the_location(
    resource, plus, inputs, call, running, location
):
    plus.statuses = [location("hello", image=OLD, reported=OLD)]

    found = resource.read("id", inputs, {"agentId": "a1", "ready": True, "loaded": {"hello": NEW}}, call)

    assert found.outputs == {"agentId": "a1", "ready": False, "loaded": {"hello": NEW}, "failed": ["hello"]}
