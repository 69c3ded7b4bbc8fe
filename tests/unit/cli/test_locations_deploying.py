"""``hybrid locations deploy`` around an engine and a Dagster+ that say what a test lets them say. That targets reach
only their resources is shown with the real engine (tests/emulated/test_locations_commands.py)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hybrid.cli import main
from hybrid.cli.locations import deploying
from hybrid.delivery.pins import StackFile
from hybrid.engine.engine import Outcome
from hybrid.engine.events import ResourceName, StepEnded
from hybrid.errors import EngineError, StoppedError
from hybrid.pipeline.rollback import to_pin
from hybrid.plus import CodeLocationStatus
from tests.unit.cli.location_folders import make_locations

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


def status(name: str = "alpha", *, image: str | None = NEW, error: bool = False, loaded: bool = True) -> Any:
    from hybrid.plus.failure import Failure

    failure = (
        Failure.of({"message": "ModuleNotFoundError: no pandas", "stack": [], "errorChain": []}) if error else None
    )
    return CodeLocationStatus(
        name=name,
        load_status="LOADED",
        image=image,
        error=failure,
        updated_at=0.0,
        deployed_at=0.0,
        data_updated_at=0.0,
        is_outdated=not loaded,
    )


@dataclass
class Standing:
    """The engine and Dagster+ of a test. ``ends`` are how its updates end, in order; None: well."""

    ready: dict[str, Any] = field(default_factory=lambda: {"agentId": "1", "loaded": {"alpha": OLD}, "failed": []})
    ends: list[EngineError | None] = field(default_factory=list)
    failing: str = "ready"
    updates: list[tuple[str, ...]] = field(default_factory=list)
    statuses: dict[str, Any] = field(default_factory=lambda: {"alpha": status()})

    def outputs_of(self, name: str) -> dict[str, Any]:
        assert name == "ready"
        return self.ready

    def run(self, command: str, listener: Callable[[Any], None], targets: tuple[str, ...] = ()) -> Outcome:
        assert command == "up"
        self.updates.append(targets)
        end = self.ends.pop(0) if self.ends else None
        if end is None:
            return Outcome([StepEnded(ResourceName("CodeLocation", "alpha-location"), "update", False)])
        listener(StepEnded(ResourceName("AgentReady", self.failing), "update", True))
        raise end


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Standing:
    made = Standing()
    monkeypatch.setattr(deploying, "_engine", lambda workspace, stack: made)
    monkeypatch.setattr(deploying, "_statuses", lambda stack: made.statuses)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stacks" / "Pulumi.dock.yaml"
    path.parent.mkdir()
    path.write_text(SETTINGS)
    make_locations(tmp_path, "alpha", "beta")
    return path


@pytest.fixture
def deploy(
    file: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Answer]:
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hybrid", "locations", "deploy", "dock", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return run


def test_only_the_named_location_s_resources_are_updated(deploy: Callable[..., Answer], standing: Standing) -> None:
    answer = deploy("--only", "alpha", "--json")
    assert answer.code == 0, answer.err
    (targets,) = standing.updates
    assert {"alpha-check", "alpha-image", "alpha-published", "alpha-location", "ready"} <= set(targets)
    assert not any(target.startswith(("beta", "agent")) for target in targets), "the rest of the stack stays as it is"
    assert json.loads(answer.out)["locations"][0]["image"] == NEW


def test_without_a_choice_all_locations_are_deployed_and_the_agent_is_not(
    deploy: Callable[..., Answer], standing: Standing
) -> None:
    assert deploy().code == 0
    assert {"alpha-location", "beta-location"} <= set(standing.updates[0])
    assert "agent" not in standing.updates[0]


def test_an_unknown_name_is_refused_with_those_there_are(deploy: Callable[..., Answer], standing: Standing) -> None:
    answer = deploy("--only", "alhpa")
    assert answer.code == 2
    assert "alpha, beta" in answer.err, "the known ones are listed"
    assert "did you mean alpha?" in answer.err
    assert standing.updates == [], "nothing was begun"


def test_a_stack_that_does_not_stand_is_told_to_stand_up_first(
    deploy: Callable[..., Answer], standing: Standing
) -> None:
    standing.ready = {}
    answer = deploy()
    assert (answer.code, standing.updates) == (2, [])
    assert "hybrid up dock" in answer.err


def test_an_organization_s_stack_is_not_deployed_without_agreement(
    deploy: Callable[..., Answer], standing: Standing, file: Path
) -> None:
    file.write_text(SETTINGS + "  hybrid:organization: acme\n")
    answer = deploy("--only", "alpha")
    assert answer.code == 2
    assert "--yes" in answer.err
    assert standing.updates == []


def test_a_location_that_does_not_load_goes_back_to_what_was_loaded(
    deploy: Callable[..., Answer], standing: Standing, file: Path
) -> None:
    standing.ends = [EngineError("`up` failed.", why="AgentReady ready: alpha did not load\nModuleNotFoundError"), None]
    standing.ready["failed"] = ["alpha"]
    answer = deploy("--only", "alpha", "--rollback")
    assert answer.code == 7, "what was to be deployed is not: a pipeline has to see it"
    assert StackFile(file).pins == {"alpha": OLD}
    assert file.read_text() == SETTINGS + f"  hybrid:pins:\n    alpha: {OLD}\n", "nothing else of the file moved"
    assert len(standing.updates) == 2, "the second update brings the pin about"
    assert "ModuleNotFoundError" in answer.err, "why it did not load is shown"
    assert "hybrid locations unpin dock alpha" in answer.err, "and the way out of the pin"


def test_without_the_option_nothing_is_pinned(deploy: Callable[..., Answer], standing: Standing, file: Path) -> None:
    standing.ends = [EngineError("`up` failed.")]
    standing.ready["failed"] = ["alpha"]
    assert deploy("--only", "alpha").code == 5
    assert file.read_text() == SETTINGS
    assert len(standing.updates) == 1


@pytest.mark.parametrize(
    ("ready", "words"),
    [
        ({"agentId": "1", "loaded": {}, "failed": ["alpha"]}, "no image of it was loaded before"),
        ({"agentId": "1", "loaded": {"alpha": NEW}, "failed": ["alpha"]}, "already has the image"),
        ({"agentId": "1", "loaded": {"alpha": "x:1"}, "failed": ["alpha"]}, "not known by its digest"),
        ({"agentId": "", "loaded": {"alpha": OLD}, "failed": ["alpha"]}, "no agent of the stack is RUNNING"),
        ({"agentId": "1", "loaded": {"alpha": OLD}, "failed": ["beta"]}, "Nothing was rolled back"),
    ],
)
def test_what_cannot_be_rolled_back_is_said_and_the_first_error_stays(
    ready: dict[str, Any], words: str, deploy: Callable[..., Answer], standing: Standing, file: Path
) -> None:
    standing.ends = [EngineError("`up` failed.", why="the traceback")]
    standing.ready = ready
    answer = deploy("--only", "alpha", "--rollback")
    assert answer.code == 5
    assert words in answer.err
    assert "the traceback" in answer.err
    assert file.read_text() == SETTINGS, "nothing was pinned"


def test_a_build_that_fails_rolls_nothing_back(deploy: Callable[..., Answer], standing: Standing, file: Path) -> None:
    standing.ends, standing.failing = [EngineError("`up` failed.")], "alpha-image"
    standing.ready["failed"] = ["alpha"]  # of an earlier wait
    answer = deploy("--only", "alpha", "--rollback")
    assert answer.code == 5
    assert file.read_text() == SETTINGS, "what is loaded was not touched"


def test_ctrl_c_rolls_nothing_back(deploy: Callable[..., Answer], standing: Standing, file: Path) -> None:
    standing.ends = [StoppedError("stopped")]
    standing.ready["failed"] = ["alpha"]
    assert deploy("--only", "alpha", "--rollback").code == 130
    assert file.read_text() == SETTINGS


def test_a_rollback_that_fails_too_says_both(deploy: Callable[..., Answer], standing: Standing) -> None:
    standing.ends = [EngineError("first."), EngineError("second.")]
    standing.ready["failed"] = ["alpha"]
    answer = deploy("--only", "alpha", "--rollback")
    assert answer.code == 7
    assert "first." in answer.err
    assert "second." in answer.err


def test_of_several_only_those_that_failed_go_back() -> None:
    ready = {"loaded": {"alpha": OLD, "beta": OLD}, "failed": ["beta"]}
    told = {name: status(name) for name in ("alpha", "beta")}
    assert to_pin(("alpha", "beta"), ready, told) == ({"beta": OLD}, {})
