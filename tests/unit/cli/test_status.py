"""What ``hybrid status`` shows of an image: always what tells it from the image before."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from hybrid.cli.status import _Image

pytestmark = pytest.mark.unit

DIGEST = "9dd5f2f82f0f3cac232e18b957595c049f3561c8c1bee50d356c99df906cb65c"
REFERENCE = f"registry.acme.example/analytics/data-platform/dbt_project@sha256:{DIGEST}"


def shown(width: int, reference: str = REFERENCE) -> str:
    """The row of a table as `status` makes it, on a terminal of this width."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("location", "dbt_project", "LOADED", _Image(reference))
    written = io.StringIO()
    Console(file=written, width=width, soft_wrap=True).print(table)
    return written.getvalue().rstrip()


def test_a_wide_terminal_shows_the_whole_reference() -> None:
    assert REFERENCE in shown(200)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_one_keeps_the_digest_s_beginning_and_one_line(width: int) -> None:
    row = shown(width)
    assert f"@sha256:{DIGEST[:12]}" in row, "two images of one location differ in nothing else"
    assert "\n" not in row, "a location is a line"
    assert len(row) <= width, "and nothing of it is cut off"
    assert "registry.acme" in row, "the rest of the room is the repository's"


def test_only_the_digest_is_shortened_while_that_suffices() -> None:
    assert "dbt_project@sha256:9dd5f2f82f0f" in shown(120), "the repository is whole"


def test_a_tag_is_shown_as_it_is() -> None:
    assert "localhost:5000/x:1" in shown(80, "localhost:5000/x:1")
