"""What a deploy does with a stack whose code runs from images, around an engine and a Dagster+ that say what a test
lets them say: the rollback, and what is advised after a smoke run that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hybrid.delivery.pins import StackFile
from hybrid.engine.engine import Outcome
from hybrid.engine.events import ResourceName, StepEnded
from hybrid.engine.pipeline import SmokeRun
from hybrid.errors import EngineError, StackBusyError, StoppedError
from hybrid.pipeline.stack_work import StackWork
from hybrid.plus import CodeLocationStatus
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

OLD = "127.0.0.1:5000/acme/alpha@sha256:" + "a" * 64
NEW = "127.0.0.1:5000/acme/alpha@sha256:" + "b" * 64
SETTINGS = """\
# the team's own words
config:
  hybrid:agent: {kind: docker}  # here
  hybrid:registry:
    address: 127.0.0.1:5000/acme
"""


@dataclass
class FakeEngine:
    """``ends`` are how its updates end, in order; None: well. ``loaded`` is what `ready` says, ask by ask."""

    ends: list[EngineError | None]
    failed: list[str] = field(default_factory=lambda: ["alpha"])
    loaded: list[dict[str, str]] = field(default_factory=lambda: [{"alpha": OLD}])
    failing: str = "ready"
    updates: list[Sequence[str]] = field(default_factory=list)
    packs: list[Sequence[Path]] = field(default_factory=list)

    def outputs_of(self, name: str) -> dict[str, Any]:
        loaded = self.loaded.pop(0) if len(self.loaded) > 1 else self.loaded[0]
        return {"agentId": "1", "loaded": loaded, "failed": self.failed}

    def run(
        self, command: str, listener: Callable[[Any], None], targets: Sequence[str] = (), packs: Sequence[Path] = ()
    ) -> Outcome:
        self.updates.append(targets)
        self.packs.append(packs)
        end = self.ends.pop(0)
        if end is None:
            return Outcome([StepEnded(ResourceName("CodeLocation", "alpha-location"), "update", False)])
        listener(StepEnded(ResourceName("AgentReady", self.failing), "update", True))
        raise end


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.dock.yaml").write_text(SETTINGS)
    folder = tmp_path / "locations" / "alpha"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "alpha"\nversion = "1"\ndependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]\n'
        '[tool.dg.project]\nroot_module = "alpha"\n'
    )
    return Workspace(tmp_path)


@contextmanager
def quiet(is_preview: bool) -> Iterator[Callable[[Any], None]]:
    yield lambda event: None


def work(workspace: Workspace, engine: FakeEngine, said: list[str], **options: Any) -> StackWork:
    status = CodeLocationStatus("alpha", "LOADED", NEW, None, 0.0, 0.0, 0.0, False)

    class Faked(StackWork):
        def _engine(self, stack: str) -> Any:
            return engine

        def _statuses(self, stack: Any) -> dict[str, CodeLocationStatus]:
            return {"alpha": status}

    nobody: Any = None
    return Faked(
        workspace, nobody, {}, "main", "c" * 40, said.append, quiet, nobody, nobody, nobody, **options
    )  # fmt: skip


def test_a_location_that_does_not_load_goes_back_to_the_image_before(workspace: Workspace) -> None:
    said: list[str] = []
    engine = FakeEngine([EngineError("`up` failed.", why="ModuleNotFoundError"), None])
    made = work(workspace, engine, said)
    brought = made.up("dock")
    assert brought.rolled_back == {"alpha": OLD}
    assert StackFile(workspace.stack_file("dock")).pins == {"alpha": OLD}
    assert engine.updates[0] == (), "a deploy is of the whole stack"
    assert engine.packs == [(workspace.policies,), ()], (
        "held against the policy pack; the way back is what stood before"
    )
    assert "alpha-location" in engine.updates[1], "the way back is of what failed alone"
    assert not any(target.startswith("agent") for target in engine.updates[1])
    assert any("ModuleNotFoundError" in line for line in said), "why it did not load is shown"
    end = made.rolled_back("dock", brought.rolled_back)
    assert end.exit_code == 7
    assert "make it on 'main' too" in str(end).lower(), "a pin in CI's checkout is gone with it"
    assert f"hybrid locations pin dock alpha {OLD}" in str(end), "as it can be typed"


@pytest.mark.parametrize("error", [StoppedError("stopped"), StackBusyError("busy")])
def test_what_was_stopped_or_never_began_rolls_nothing_back(error: EngineError, workspace: Workspace) -> None:
    engine = FakeEngine([error])
    with pytest.raises(type(error)):
        work(workspace, engine, []).up("dock")
    assert workspace.stack_file("dock").read_text() == SETTINGS


def test_without_the_option_nothing_is_pinned(workspace: Workspace) -> None:
    engine = FakeEngine([EngineError("`up` failed.")])
    with pytest.raises(EngineError, match="`up` failed"):
        work(workspace, engine, [], with_rollback=False).up("dock")
    assert workspace.stack_file("dock").read_text() == SETTINGS
    assert len(engine.updates) == 1


def test_a_fault_before_anything_is_loaded_rolls_nothing_back(workspace: Workspace) -> None:
    said: list[str] = []
    engine = FakeEngine([EngineError("the build failed.")], failing="alpha-image")
    with pytest.raises(EngineError, match="the build failed"):
        work(workspace, engine, said).up("dock")
    assert workspace.stack_file("dock").read_text() == SETTINGS
    assert any("Nothing was rolled back" in line for line in said)


@pytest.mark.parametrize(
    ("loaded", "words"),
    [
        ([{"alpha": OLD}, {"alpha": NEW}], f"hybrid locations pin dock alpha {OLD}"),
        ([{"alpha": OLD}, {"alpha": OLD}], "is the one of before"),
        ([{}, {"alpha": NEW}], "No image of alpha is known"),
        ([{"alpha": "x:latest"}, {"alpha": NEW}], "No image of alpha is known"),
    ],
)
def test_after_a_smoke_run_that_failed_it_is_said_what_there_is_to_go_back_to(
    loaded: list[dict[str, str]], words: str, workspace: Workspace
) -> None:
    engine = FakeEngine([None], loaded=loaded)
    made = work(workspace, engine, [])
    made.up("dock")
    advice = made.after_smoke("dock", SmokeRun(location="alpha", job="greet"))
    assert words in advice
    assert workspace.stack_file("dock").read_text() == SETTINGS, "that a run fails does not say that its image is why"
