"""Which containers the image's launcher labels, takes for its own and removes. The engine and Dagster+ are the test's;
with real ones see tests/docker."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
from dagster_cloud.workspace.docker import DockerUserCodeLauncher as StockLauncher
from dagster_docker.container_context import DockerContainerContext

from agent.image import hybrid_docker_launcher as module
from agent.image.hybrid_docker_launcher import DockerUserCodeLauncher, StackContainers

pytestmark = pytest.mark.unit

STORAGE = {"volume": "values", "folder": "/opt/storage"}


class FakeContainer:
    def __init__(self, name: str, run: str, *, ended: float = 0, refuses: Exception | None = None) -> None:
        self.name = name
        self.labels = {module.STACK_LABEL: "s", module.RUN_LABEL: run}
        moment = datetime.fromtimestamp(time.time() - ended, UTC).isoformat()
        self.attrs = {"Created": moment, "State": {"FinishedAt": moment}}
        self.removed = False
        self._refuses = refuses

    def remove(self, v: bool) -> None:
        assert v, "anonymous volumes of the container go with it"
        if self._refuses is not None:
            raise self._refuses
        self.removed = True


class Launcher(DockerUserCodeLauncher):
    """With the runs that Dagster+ has as not finished; None: it does not answer."""

    unfinished: set[str] | None = None

    def _unfinished(self, run_ids: Any) -> set[str]:
        if self.unfinished is None:
            raise ConnectionError("Dagster+ does not answer")
        return set(run_ids) & self.unfinished


@pytest.fixture
def launcher() -> Launcher:
    made = Launcher(stack="s", finished_run_containers_kept_seconds=60, storage=STORAGE, networks=["n"])
    made.unfinished = set()
    return made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[FakeContainer]:
    listed: list[FakeContainer] = []

    def listing(all: bool, filters: dict[str, Any], ignore_removed: bool) -> list[FakeContainer]:
        assert filters["label"] == [f"{module.STACK_LABEL}=s", module.RUN_LABEL], "only this stack's runs are asked for"
        assert "running" not in filters["status"]
        return listed

    client = SimpleNamespace(containers=SimpleNamespace(list=listing))
    monkeypatch.setattr(module, "docker_client_from_env", lambda: client)
    return listed


def test_only_containers_that_ended_long_enough_ago_are_removed(launcher: Launcher, engine: Any) -> None:
    engine += [FakeContainer("old", "1", ended=61), FakeContainer("young", "2", ended=30)]
    assert launcher.sweep_finished_runs() == ["old"]
    assert not engine[1].removed, "somebody may want to look at it"


def test_the_container_of_an_unfinished_run_is_never_removed(launcher: Launcher, engine: Any) -> None:
    engine += [FakeContainer("killed", "1", ended=3600)]
    launcher.unfinished = {"1"}
    assert launcher.sweep_finished_runs() == [], "its exit state tells Dagster+ how the run's worker ended"


def test_nothing_is_removed_when_dagster_does_not_say_which_runs_are_finished(launcher: Launcher, engine: Any) -> None:
    engine += [FakeContainer("old", "1", ended=3600)]
    launcher.unfinished = None
    with pytest.raises(ConnectionError):
        launcher.sweep_finished_runs()
    assert not engine[0].removed


def test_one_that_never_ran_is_as_old_as_it_is(launcher: Launcher, engine: Any) -> None:
    made = FakeContainer("created", "1", ended=3600)
    made.attrs["State"] = {"FinishedAt": "0001-01-01T00:00:00Z"}
    engine.append(made)
    assert launcher.sweep_finished_runs() == ["created"]


def test_one_that_cannot_be_removed_does_not_keep_the_others(launcher: Launcher, engine: Any) -> None:
    engine += [
        FakeContainer("gone", "1", ended=99, refuses=docker.errors.NotFound("gone")),
        FakeContainer("busy", "2", ended=99, refuses=docker.errors.APIError("removal in progress")),
        FakeContainer("old", "3", ended=99),
    ]
    assert launcher.sweep_finished_runs() == ["old"]


def test_the_sweep_goes_on_after_an_error_and_ends_with_the_agent(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter([False, False, True])
    looked = []

    def look() -> list[str]:
        looked.append(1)
        raise ConnectionError("no engine")

    monkeypatch.setattr(launcher, "_stopping", SimpleNamespace(wait=lambda seconds: next(waits)))
    monkeypatch.setattr(launcher, "sweep_finished_runs", look)
    launcher._sweep_on()
    assert len(looked) == 2


def test_code_servers_of_another_stack_are_nobodys_orphans(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(stack: str | None) -> Any:
        labels = {} if stack is None else {module.STACK_LABEL: stack}
        return SimpleNamespace(container=SimpleNamespace(labels=labels))

    ours, theirs, unknown = handle("s"), handle("other"), handle(None)
    monkeypatch.setattr(StockLauncher, "_list_server_handles", lambda self: [ours, theirs, unknown])
    assert launcher._list_server_handles() == [ours]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ["values:/opt/storage:rw"]),
        (["data:/data"], ["data:/data", "values:/opt/storage:rw"]),
        ({"data": {"bind": "/data", "mode": "ro"}}, {"data": {"bind": "/data", "mode": "ro"},
                                                     "values": {"bind": "/opt/storage", "mode": "rw"}}),
    ],
    ids=["none", "list", "mapping"],
)  # fmt: skip
def test_a_locations_own_volumes_do_not_take_the_stacks_away(given: Any, expected: Any) -> None:
    context = DockerContainerContext(container_kwargs={} if given is None else {"volumes": given})
    assert StackContainers("s", STORAGE).joined(context, {}).container_kwargs["volumes"] == expected


@pytest.mark.parametrize("given", [["team"], {"team": ""}], ids=["list", "mapping"])
def test_a_locations_own_labels_stay_and_cannot_hide_it_from_its_stack(given: Any) -> None:
    context = DockerContainerContext(container_kwargs={"labels": given, "mem_limit": "1g"})
    kwargs = StackContainers("s", None).joined(context, {"dagster_grpc_server": ""}).container_kwargs
    assert kwargs == {"labels": {"team": "", module.STACK_LABEL: "s", "dagster_grpc_server": ""}, "mem_limit": "1g"}
    lying = DockerContainerContext(container_kwargs={"labels": {module.STACK_LABEL: "other"}})
    assert StackContainers("s", None).joined(lying, {}).container_kwargs["labels"] == {module.STACK_LABEL: "s"}


def test_the_labels_of_two_runs_are_not_one_object() -> None:
    """dagster-docker writes the run's id into the mapping that it is given."""
    context = DockerContainerContext(container_kwargs={"labels": {"team": "data"}})
    containers = StackContainers("s", STORAGE)
    first, second = (containers.joined(context, {}).container_kwargs["labels"] for _ in range(2))
    first["dagster/run_id"] = "1"
    assert "dagster/run_id" not in second
    assert "dagster/run_id" not in context.container_kwargs["labels"]
