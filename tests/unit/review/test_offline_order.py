"""The order that a process of its own gets for one stack, and the options of the command that make it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybrid.cli.review import app
from hybrid.errors import UsageError
from hybrid.review.worker import Order
from hybrid.toolchain import Pulumi

pytestmark = pytest.mark.unit

ORDER = Order(
    root=Path("/checkout"),
    stack="prod",
    touched_by=("stacks/Pulumi.prod.yaml",),
    base=Path("/base"),
    base_commit="0" * 40,
    pulumi=None,
    policies=True,
    withheld=True,
    base_whole=True,
    state=Path("/exported"),
)


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, base_whole=False, state=None),
        replace(ORDER, pulumi=Pulumi(Path("/bin/pulumi"), "3.259.0", "path", Path("/bin")), state=None),
    ],
    ids=["offline with a state", "offline", "with an engine"],
)
def test_what_the_process_reads_is_what_was_ordered(order: Order) -> None:
    assert Order.parse(order.text()) == order


def test_a_state_is_refused_where_the_state_itself_is_read() -> None:
    answer = CliRunner().invoke(app, ["--state", "exported"])
    assert isinstance(answer.exception, UsageError), answer.output
    assert "--offline" in answer.exception.what, "the reader wants to know with what it goes"


def test_an_export_of_a_stack_without_a_file_is_refused_before_pulumi_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_ROOT", str(tmp_path))
    answer = CliRunner().invoke(app, ["export", "nothing", "--to", str(tmp_path / "to")])
    assert isinstance(answer.exception, UsageError), answer.output
    assert not (tmp_path / "to").exists()
