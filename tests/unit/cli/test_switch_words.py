"""What the commands of a switch say of what others have done, and where they point to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hybrid.assets.documents import SCHEMA
from hybrid.cli import switch_run
from hybrid.cli.main import app
from hybrid.cli.switch_ground import values_done
from hybrid.errors import UsageError

pytestmark = pytest.mark.unit


def answer(**values: int) -> dict[str, Any]:
    return {"schema": SCHEMA, "values": values, "bytes": 1200 if values else 0, "failed": 0, "stopped": False}


def test_copied_values_are_counted_and_nothing_else() -> None:
    done = values_done("copy", answer(copied=3, absent=0, skipped=1))
    assert done.words == "Stored values, copied: 3 copied, 1 skipped (1200 bytes)."
    assert done.facts == {"copied": 3, "skipped": 1, "bytes": 1200}


def test_values_that_hybrid_alone_has_are_said_to_stay() -> None:
    done = values_done("copy", {**answer(copied=3), "kept": [{"asset": "a", "values": 2}, {"asset": "b", "values": 1}]})
    assert done.words.endswith("Stored last on Hybrid, and kept there: a, b."), done.words
    assert done.facts["only_on_hybrid"] == 3


def test_compared_values_are_counted_and_nothing_else() -> None:
    assert values_done("verify", answer(same=4)).words == "Stored values, compared: 4 same (1200 bytes)."
    assert values_done("verify", answer()).words == "Stored values, compared: none is stored."


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        (("pause", "prod"), "hybrid switch inspect prod"),
        (("drain", "prod", "--cancel"), "hybrid switch drain --leave prod"),
        (("resume", "prod"), "hybrid switch inspect prod"),
    ],
)
def test_who_has_to_agree_is_pointed_to_what_shows_it(
    command: tuple[str, ...], looks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "locations").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config:\n  hybrid:organization: acme\n")
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    with pytest.raises(UsageError) as refused:
        app(["switch", *command], standalone_mode=False)
    assert looks in (refused.value.next_step or ""), "a preview says nothing of schedules"
    assert "--yes" in (refused.value.next_step or "")


def test_of_several_stacks_those_after_the_one_that_failed_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: dict[str, bool] = {}

    class Switching:
        def __init__(self, stack: str) -> None:
            self.stack = stack

        def forward(self, *, resume: bool, until: str | None) -> str:
            resumed[self.stack] = resume
            return self.stack

    @contextmanager
    def switching_of(stack: str, *given: object, **more: object) -> Iterator[Switching]:
        yield Switching(stack)

    monkeypatch.setattr(switch_run, "switching_of", switching_of)
    monkeypatch.setattr(switch_run, "strategy_of", lambda stack, strategy: strategy)
    monkeypatch.setattr(switch_run, "is_begun", lambda stack: stack != "c")
    monkeypatch.setattr(switch_run, "_said", lambda stack, journal: {})
    monkeypatch.setattr(switch_run, "_say", lambda stack, journal: None)
    app(["switch", "run", "a", "b", "c", "--yes", "--resume"], standalone_mode=False)
    assert resumed == {"a": True, "b": True, "c": False}, "`--resume` of one that was not begun is refused"
    app(["switch", "run", "c", "--yes", "--resume"], standalone_mode=False)
    assert resumed["c"] is True, "of one alone it is, as ever, a mistake"
