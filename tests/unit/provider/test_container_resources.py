"""``ContainerSweep`` and ``ContainerState`` against a docker command of the test's: which containers they ask for and
remove, and what they say. With a real engine: tests/docker."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest

from hybrid.containers.docker import Answer, EngineAbsent
from hybrid.errors import NotReadyError
from hybrid.provider import container_state, container_sweep
from hybrid.provider.container_state import ContainerState
from hybrid.provider.container_sweep import STACK_LABEL, ContainerSweep
from hybrid.provider.resource import Call, CancelledError
from tests.unit.provider.conftest import RecordingReport

pytestmark = pytest.mark.unit

INPUTS = {"stack": "s", "network": "hybrid-s", "timeoutSeconds": 5}
WATCHED = {"container": "c" * 64, "settleSeconds": 0.01, "timeoutSeconds": 5}
STARTED = "2026-01-02T03:04:05.123456789Z"


class FakeDocker:
    """Containers by id with the filters that find each; ``stays`` are not removed, ``heirs`` come with a removal."""

    def __init__(self, **containers):
        self.containers = {one: set(filters) for one, filters in containers.items()}
        self.stays: set[str] = set()
        self.heirs: dict[str, set[str]] = {}
        self.removed: list[str] = []
        self.states: list[dict] = []
        self.started: list[str] = []

    def lines(self, *arguments):
        assert arguments[:4] == ("ps", "--all", "--quiet", "--no-trunc"), "ended ones are containers, too"
        (condition,) = arguments[5:]
        return [one for one, filters in self.containers.items() if condition in filters]

    def run(self, *arguments, seconds=60.0, check=True):
        if arguments[0] == "rm":
            assert not check, "one that is gone already is no error"
            for one in set(arguments[3:]) - self.stays:
                self.containers.pop(one, None)
                self.removed.append(one)
            self.containers |= self.heirs
            self.heirs = {}
        elif arguments[0] == "inspect":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return Answer(0, json.dumps([state]), "")
        elif arguments[0] == "start":
            self.started.append(arguments[1])
        elif arguments[0] == "logs":
            return Answer(0, "", "token agent:acme:" + "0123456789abcdef" * 2 + " is refused\n")
        return Answer(0, "", "")


@pytest.fixture
def call():
    return Call(RecordingReport(), threading.Event())


@pytest.fixture
def engine(monkeypatch):
    def stands(fake):
        for module in (container_sweep, container_state):
            monkeypatch.setattr(module, "engine", lambda inputs: fake)
        return fake

    return stands


LABEL, NETWORK = f"label={STACK_LABEL}=s", "network=hybrid-s"


def test_the_networks_and_the_labelled_are_removed_and_nothing_else(engine, call):
    docker = engine(FakeDocker(a=[LABEL, NETWORK], b=[NETWORK], c=[LABEL], stranger=["network=other"]))
    ContainerSweep().delete("id", INPUTS, {}, call)
    assert sorted(docker.removed) == ["a", "b", "c"]
    assert list(docker.containers) == ["stranger"]
    assert call.report.said[-1] == ("info", "removed 3 containers of the stack")


def test_what_is_started_meanwhile_is_removed_as_well(engine, call):
    docker = engine(FakeDocker(a=[NETWORK]))
    docker.heirs = {"step": {NETWORK}}
    ContainerSweep().delete("id", INPUTS, {}, call)
    assert docker.removed == ["a", "step"], "a run that was up may have started its next step"


def test_nothing_there_is_nothing_said(engine, call):
    engine(FakeDocker())
    ContainerSweep().delete("id", INPUTS, {}, call)
    assert call.report.said == []


def test_containers_that_stay_are_an_error_that_names_them(engine, call):
    docker = engine(FakeDocker(abcdef0123456789=[NETWORK]))
    docker.stays = {"abcdef0123456789"}
    with pytest.raises(NotReadyError, match="could not be removed: abcdef012345") as caught:
        ContainerSweep().delete("id", INPUTS | {"timeoutSeconds": 0.3}, {}, call)
    assert "docker ps" in str(caught.value)


def test_the_wait_for_their_end_can_be_stopped(engine, call):
    docker = engine(FakeDocker(a=[NETWORK]))
    docker.stays = {"a"}
    call.cancelled.set()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        ContainerSweep().delete("id", INPUTS | {"timeoutSeconds": 60}, {}, call)
    assert time.monotonic() - began < 10


def test_without_an_engine_nothing_is_called_gone(monkeypatch, call, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineAbsent):
        ContainerSweep().delete("id", INPUTS, {}, call)
    with pytest.raises(EngineAbsent):
        ContainerState().read("c" * 64, WATCHED, {}, call)


def test_a_given_address_goes_before_a_docker_context(monkeypatch):
    from hybrid.containers.docker import Docker

    seen = {}
    monkeypatch.setattr(Docker, "find", classmethod(lambda cls, environ: seen.update(environ)))
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    container_sweep.engine({"host": "tcp://engine:2376"})
    assert seen["DOCKER_HOST"] == "tcp://engine:2376"
    assert "DOCKER_CONTEXT" not in seen, "docker refuses both, or takes the context"


def state(**more):
    found = {"Status": "running", "Running": True, "StartedAt": STARTED, "ExitCode": 0}
    restarts = more.pop("restarts", 0)
    return {"State": found | more, "RestartCount": restarts}


def watched(engine):
    return engine(FakeDocker(**{WATCHED["container"]: [f"id={WATCHED['container']}"]}))


def test_a_container_that_stays_up_is_told_with_the_time_of_its_start(engine, call):
    watched(engine).states = [state(Status="created", Running=False), state()]
    found = ContainerState().create(WATCHED, call)
    assert found.outputs["startedAt"] == "2026-01-02T03:04:05.123+00:00", "readers of ISO 8601 take no nine digits"
    assert found.id == WATCHED["container"]


def test_one_that_stands_still_is_started(engine, call):
    docker = watched(engine)
    docker.states = [state(Status="exited", Running=False), state()]
    ContainerState().create(WATCHED, call)
    assert docker.started == [WATCHED["container"]], "somebody stopped it, and `up` brings it back"


def test_one_that_runs_is_not_started_again(engine, call):
    docker = watched(engine)
    docker.states = [state()]
    ContainerState().create(WATCHED, call)
    assert docker.started == []


def test_one_that_was_restarted_long_ago_stands_all_the_same(engine, call):
    watched(engine).states = [state(restarts=4)]
    assert ContainerState().create(WATCHED, call).outputs["instance"].startswith("c" * 12)


@pytest.mark.parametrize(
    "states",
    [
        [state(Status="exited", Running=False, ExitCode=78)],
        [state(Status="restarting", Restarting=True)],
        [state(), state(), state(restarts=1)],
        [state(Status="created", Running=False)],
    ],
    ids=["ended", "restarting", "restarted while watched", "never started"],
)
def test_one_that_does_not_is_an_error_with_its_last_lines(engine, call, states):
    watched(engine).states = states
    with pytest.raises(NotReadyError, match="does not stay up") as caught:
        ContainerState().create(WATCHED | {"settleSeconds": 0.5, "timeoutSeconds": 1}, call)
    assert "is refused" in str(caught.value)
    assert not re.search("0123456789abcdef", str(caught.value)), "a token in the log is masked"


def test_one_that_is_gone_or_stopped_is_drift(engine, call):
    engine(FakeDocker())
    assert ContainerState().read("c" * 64, WATCHED, {}, call) is None
    watched(engine).states = [state(Status="exited", Running=False)]
    assert ContainerState().read("c" * 64, WATCHED, {}, call) is None


def test_one_that_the_engine_started_again_is_another_instance(engine, call):
    docker = watched(engine)
    docker.states = [state()]
    before = ContainerState().create(WATCHED, call).outputs
    docker.states = [state(StartedAt="2026-01-02T04:00:00Z", restarts=1)]
    after = ContainerState().read(WATCHED["container"], WATCHED, before, call).outputs
    assert after["instance"] != before["instance"], "readiness then looks for a heartbeat of this start"
    assert after["startedAt"] == "2026-01-02T04:00:00.000+00:00"
