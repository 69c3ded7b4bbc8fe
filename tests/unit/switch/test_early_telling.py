"""What is told right after the hand-over: all of it at once, from what the update would say, and nothing where that is
not known."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hybrid.delivery.told import VARIABLE, read_told
from hybrid.errors import HybridError
from hybrid.plus import PlusRejected
from hybrid.switch import early_telling
from hybrid.switch.early_telling import EarlyTelling
from hybrid.workspace import Workspace

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "1" * 64


class Plus:
    """Keeps documents, in a form of its own: with keys that say nothing."""

    def __init__(self, agent_type: str = "HYBRID") -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []
        self.agent_type = agent_type
        self.together: threading.Barrier | None = None

    def current_deployment(self) -> Any:
        def refuse() -> None:
            if self.agent_type == "SERVERLESS":
                raise PlusRejected("Serverless runs it.")

        return SimpleNamespace(refuse_serverless=refuse)

    def location_documents(self) -> dict[str, dict[str, Any]]:
        return dict(self.kept)

    def put_location(self, document: dict[str, Any]) -> str:
        if self.together is not None:
            self.together.wait(20)
        name = str(document["location_name"])
        self.sent.append(name)
        self.kept[name] = {**document, "git": None, "kept_as": "otherwise"}
        return name


class State:
    """The engine's: what `up` has made while Serverless served."""

    def __init__(self, outputs: dict[str, dict[str, Any]]) -> None:
        self.outputs = outputs

    def all_outputs_of(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        return {name: each for name, each in self.outputs.items() if name in names}


def image(name: str) -> str:
    return f"registry.acme.example/data/{name}@{DIGEST}"


@pytest.fixture
def checkout(tmp_path: Path) -> Workspace:
    for name in ("alpha", "beta"):
        folder = tmp_path / "locations" / name
        (folder / "src" / name).mkdir(parents=True)
        (folder / "src" / name / "definitions.py").write_text("")
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "0.1"\n'
            'dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]\n'
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
            f'code_location_name = "{name}"\ncode_location_target_module = "{name}.definitions"\n'
        )
    (tmp_path / "stacks").mkdir()
    return Workspace(tmp_path)


def telling(workspace: Workspace, plus: Plus, state: State, settings: str = "", kind: str = "docker") -> EarlyTelling:
    registry = "  hybrid:registry:\n    address: registry.acme.example/data\n" if kind == "docker" else ""
    workspace.stack_file("prod").write_text(
        f"config:\n  hybrid:organization: acme\n  hybrid:phase: standby\n{registry}{settings}"
        f"  hybrid:agent:\n    kind: {kind}\n"
    )
    file = workspace.root / "told.json"
    return EarlyTelling(workspace, "prod", plus, state, file)  # type: ignore[arg-type]


BOTH = State({"alpha-image": {"reference": image("alpha")}, "beta-published": {"reference": image("beta")}})


def test_all_are_told_at_once_with_the_images_that_stand_and_it_is_on_record(checkout: Workspace) -> None:
    plus = Plus()
    plus.together = threading.Barrier(2)  # breaks where one is sent only after the other
    early = telling(checkout, plus, BOTH)
    assert early.tell() == ["alpha", "beta"]
    assert {name: each["image"] for name, each in plus.kept.items()} == {n: image(n) for n in ("alpha", "beta")}
    told = read_told({VARIABLE: str(early.file)})
    assert told.keys() == {"alpha", "beta"}
    assert told["alpha"].content is None, "an image by digest names its code"
    assert "registry.acme.example" not in early.file.read_text(), "a document may hold what is secret"


def test_what_stands_so_already_is_not_sent_again_and_counts_as_told(checkout: Workspace) -> None:
    plus = Plus()
    telling(checkout, plus, BOTH).tell()
    plus.kept["beta"] = {key: each for key, each in plus.kept["beta"].items() if key != "kept_as"}
    plus.sent.clear()
    assert telling(checkout, plus, BOTH).tell() == ["alpha", "beta"]
    assert plus.sent == ["alpha"], "agents load anew whatever is sent"


def test_a_location_whose_image_does_not_stand_is_left_to_the_update(checkout: Workspace) -> None:
    plus = Plus()
    assert telling(checkout, plus, State({"alpha-image": {"reference": image("alpha")}})).tell() == ["alpha"]


def test_a_local_location_is_told_with_its_code_once_its_environment_stands(
    checkout: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plus = Plus()
    assert telling(checkout, plus, State({}), kind="local").tell() == [], "no environment stands"
    monkeypatch.setattr(early_telling, "is_complete", lambda path: True)
    early = telling(checkout, plus, State({}), kind="local")
    assert early.tell() == ["alpha", "beta"]
    first = read_told({VARIABLE: str(early.file)})["alpha"]
    assert first.content is not None
    (checkout.root / "locations" / "alpha" / "src" / "alpha" / "definitions.py").write_text("changed = True")
    again = telling(checkout, plus, State({}), kind="local")
    again.tell()
    assert read_told({VARIABLE: str(again.file)})["alpha"].content != first.content


@pytest.mark.parametrize(
    "settings",
    [
        "  hybrid:environmentVariables:\n    - name: LEVEL\n      value: info\n",
        "  hybrid:ownQueue:\n    name: hybrid\n",
    ],
)
def test_nothing_is_told_before_its_variables_are_there_or_when_queues_move_it(
    checkout: Workspace, settings: str
) -> None:
    plus = Plus()
    assert telling(checkout, plus, BOTH, settings).tell() == []
    assert plus.sent == []


def test_nothing_is_told_while_serverless_runs_the_deployment(checkout: Workspace) -> None:
    plus = Plus("SERVERLESS")
    with pytest.raises(HybridError):
        telling(checkout, plus, BOTH).tell()
    assert plus.sent == [], "Serverless would load it"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"alpha": {"sent": 1}}', '{"alpha": 3}', '"x"'])
def test_a_record_that_cannot_be_read_means_that_all_is_told_again(tmp_path: Path, content: str) -> None:
    file = tmp_path / "told.json"
    file.write_text(content)
    assert read_told({VARIABLE: str(file)}) == {}
    assert read_told({}) == {}
