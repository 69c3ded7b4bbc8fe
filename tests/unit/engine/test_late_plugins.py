"""A plugin that is late to end is no failed update; one that crashed at its work is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hybrid.engine.engine import Engine, Outcome
from hybrid.engine.events import Message
from hybrid.errors import EngineError
from hybrid.workspace import Workspace

LATE = """Detected that /checkout/hybrid/provider/plugin/pulumi-resource-dagsterhybrid exited prematurely.
       This is *always* a bug in the provider. Please report the issue to the provider author as appropriate.
       To assist with debugging we have dumped the STDOUT and STDERR streams of the plugin:"""


class Ended(Engine):
    """An engine whose updates end with ``code`` and the errors ``texts``."""

    def __init__(self, code: int, texts: Sequence[str]) -> None:
        self._code, self._texts = code, texts
        self._stack = "prod"
        self._interrupts = 0
        self.reports: list[str] = []
        self._report = self.reports.append

    def _prepare(self) -> None:
        """There is no state."""

    def _ensure_stack(self) -> None:
        """There is no stack."""

    def _update(self, *_: Any) -> tuple[Outcome, int, str]:
        outcome = Outcome()
        for text in self._texts:
            outcome.take(Message("error", text, None, ephemeral=False))
        return outcome, self._code, ""


@pytest.fixture
def ended(tmp_path: Path) -> Any:
    def make(code: int, *texts: str) -> Ended:
        engine = Ended(code, texts)
        engine._workspace = Workspace(tmp_path)
        return engine

    return make


def test_an_update_whose_plugins_are_late_to_end_has_succeeded(ended: Any) -> None:
    engine = ended(0, LATE, LATE)

    outcome = engine.run("preview", lambda _: None)

    assert outcome.errors == [], "the engine itself says that all was done"
    assert len(engine.reports) == 1, "it is said, once"


def test_a_plugin_that_crashed_at_its_work_is_an_error(ended: Any) -> None:
    with pytest.raises(EngineError, match="failed") as raised:
        ended(255, LATE).run("preview", lambda _: None)
    assert "exited prematurely" in str(raised.value.why), "and what it left is shown"


def test_another_error_stays_one_beside_it(ended: Any) -> None:
    with pytest.raises(EngineError) as raised:
        ended(0, LATE, "the bucket is not there").run("preview", lambda _: None)
    assert raised.value.why == "the bucket is not there"


def test_an_update_with_nothing_to_forgive_says_nothing(ended: Any) -> None:
    engine = ended(0)
    assert engine.run("preview", lambda _: None).errors == []
    assert engine.reports == []
