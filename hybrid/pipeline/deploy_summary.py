"""What a deploy did, as Markdown for the page of its CI run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hybrid.pipeline.deployment import StackResult
from hybrid.redaction import redact
from hybrid.review.text import block, code, plain

_SHOWN: Final = 100
_LONGEST_ERROR: Final = 20_000


def deploy_summary(results: Sequence[StackResult]) -> str:
    """One row a stack, and below what ended it."""
    rows = ["| stack | result | done | reviewed in | smoke run |", "|---|---|---|---|---|"]
    rows += [_row(result) for result in results]
    ended = [_ended(result) for result in results if result.error is not None]
    return redact("\n".join(["### Deploy", "", *rows, "", *ended])) + "\n"


def _row(result: StackResult) -> str:
    done = ", ".join(f"{count} {name}" for name, count in result.changes.items())
    smoke = f"[{plain(result.smoke.status)}]({result.smoke.url})" if result.smoke else "-"
    cells = (code(result.stack), plain(result.result.replace("_", " ")), plain(done) or "-", _reviewed(result), smoke)
    return f"| {' | '.join(cells)} |"


def _reviewed(result: StackResult) -> str:
    return ", ".join(plain(each) for each in result.reviewed_by) or "-"


def _ended(result: StackResult) -> str:
    error = result.error.sentence() if result.error else ""
    cut = "\n…" if len(error) > _LONGEST_ERROR else ""
    parts = [f"**{code(result.stack)}**\n", block(error[:_LONGEST_ERROR] + cut)]
    if result.further:
        left = len(result.actions) - _SHOWN
        parts.append(f"\n<details><summary>All that would be done ({len(result.actions)})</summary>\n")
        parts.append(block("\n".join(result.actions[:_SHOWN])))
        parts.append(f"\n{left} more are left out here; `--json` has them.\n" if left > 0 else "")
        parts.append("</details>")
    return "\n".join(parts)
