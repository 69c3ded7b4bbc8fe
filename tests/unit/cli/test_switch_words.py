"""What the commands of a switch say of what others have done, and where they point to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hybrid.assets.documents import SCHEMA
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
