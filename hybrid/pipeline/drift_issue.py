"""Drift as one issue: what matters first, each stack folded, never longer than a forge takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hybrid.pipeline.drift import Difference, Drift, StackDrift
from hybrid.redaction import redact
from hybrid.review.text import block, code, plain

LONGEST: Final = 65_536
"""Characters of an issue on GitHub; counted here as bytes of UTF-8, which are never fewer."""

_ROWS: Final = 200  # of one list, before the whole is cut to its room
_LONGEST_WHY: Final = 3000


def marker(stacks: Sequence[str] = ()) -> str:
    """By which the issue is found again. One about chosen stacks is another issue: it would lose what the whole one
    says of the others."""
    chosen = f":{'.'.join(sorted(stacks))}" if stacks else ""
    return f"<!-- hybrid-drift{chosen} -->"


def title(drift: Drift) -> str:
    """Such as ``Drift in prod, staging``."""
    named = [each.stack for each in drift.stacks if each.has_drift] or [
        each.stack for each in drift.stacks if each.problems
    ]
    word = "Drift in" if drift.has_drift else "Drift cannot be looked for in"
    return f"{word} {', '.join(named)}"


def closing_words(drift: Drift) -> str:
    """Said when there is no drift any more."""
    return f"No drift any more in {', '.join(code(each.stack) for each in drift.stacks)}{_at(drift)}."


def body(drift: Drift, *, run_url: str | None = None, longest: int = LONGEST) -> str:
    """The issue's text without its marker, in at most ``longest`` bytes; what is left out is counted, and it is said
    where the whole is."""
    top = f"{_headline(drift)}\n\n{_table(drift)}\n"
    foot = f"\n{_foot(drift, run_url)}\n"
    sections = [_Section(each) for each in drift.stacks if each.has_drift or each.problems]
    room = longest - _size(top) - _size(foot)
    for rows in (_ROWS, 100, 50, 20, 10, 5, 2, 1, 0):
        text = "".join(section.text(rows) for section in sections)
        if _size(text) <= room:
            return redact(f"{top}{text}{foot}")
    kept, used = [], 0
    for section in sections:
        text = section.text(0)
        used += _size(text)
        if used > room - 200:
            break
        kept.append(text)
    left = len(sections) - len(kept)
    return redact(f"{top}{''.join(kept)}\n_{left} more stacks are left out here._\n{foot}")


class _Section:
    """One stack, folded."""

    def __init__(self, stack: StackDrift) -> None:
        self._stack = stack

    def text(self, rows: int) -> str:
        stack = self._stack
        parts = [f"<details><summary><b>{code(stack.stack)}</b></summary>\n"]
        if stack.stands is False:
            parts.append("Nothing of it stands: it was never deployed, or taken away.\n")
        parts += _listed(
            "Changed by hand: what stands is not what was deployed",
            [_changed(each) for each in stack.by_hand],
            rows,
            f"`hybrid deploy` (or `hybrid up {stack.stack}`) puts it back; or write it into the code.",
        )
        parts += _listed(
            "Not ready, as Dagster+ says",
            [plain(each) for each in stack.not_ready],
            rows,
            f"`hybrid status {stack.stack}` and `hybrid logs {stack.stack}` tell more.",
        )
        parts += _listed(
            "Not deployed yet: the code says otherwise",
            [f"{plain(each.operation)} {code(each.resource)}{_because(each)}" for each in stack.not_deployed],
            rows,
            "a merge whose deploy stopped, failed or never ran.",
        )
        for problem in stack.problems:
            why = problem.error.sentence()
            cut = "\n…" if len(why) > _LONGEST_WHY else ""
            parts.append(f"**Could not be looked at: {plain(problem.part)}**\n\n{block(why[:_LONGEST_WHY] + cut)}\n")
        parts.append("</details>\n")
        return "\n".join(parts)


def _listed(heading: str, items: Sequence[str], rows: int, advice: str) -> list[str]:
    if not items:
        return []
    left = len(items) - rows
    lines = [f"- {item}" for item in items[:rows]]
    lines += [f"- _{left} more {'is' if left == 1 else 'are'} left out here._"] if left > 0 else []
    return [f"**{heading}**\n", "\n".join(lines), f"\n{advice[0].upper()}{advice[1:]}\n"]


def _changed(each: Difference) -> str:
    if each.operation == "delete":
        return f"{code(each.resource)} is gone"
    return f"{code(each.resource)} differs{_because(each)}"


def _because(each: Difference) -> str:
    shown = ", ".join(code(path, longest=120) for path in each.because[:6])
    rest = len(each.because) - 6
    return f" ({shown}{f' and {rest} more' if rest > 0 else ''})" if shown else ""


def _headline(drift: Drift) -> str:
    differing = [each for each in drift.stacks if each.has_drift]
    unseen = [each for each in drift.stacks if each.problems]
    words = f"What stands differs in {len(differing)} of {len(drift.stacks)} stacks" if differing else "No drift seen"
    words += f"; {len(unseen)} could not be looked at whole" if unseen else ""
    return f"### {words}"


def _table(drift: Drift) -> str:
    rows = ["| stack | changed by hand | not ready | not deployed | could not be looked at |", "|---|---|---|---|---|"]
    for each in drift.stacks[:_ROWS]:
        parts = ", ".join(sorted({problem.part for problem in each.problems}))
        absent = "all" if each.stands is False else len(each.not_deployed) or "-"
        cells = (code(each.stack), len(each.by_hand) or "-", len(each.not_ready) or "-", absent, plain(parts) or "-")
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    left = len(drift.stacks) - _ROWS
    return "\n".join(rows) + (f"\n\n_{left} more stacks are left out here._" if left > 0 else "")


def _foot(drift: Drift, run_url: str | None) -> str:
    where = f" [The run]({run_url}) has the whole." if run_url else " `hybrid drift --json` says the whole."
    return (
        f"Looked at against the code{_at(drift)}.{where} This issue is updated in place, and closed when there is no "
        "drift any more."
    )


def _at(drift: Drift) -> str:
    branch = f" of {code(drift.branch)}" if drift.branch else ""
    return f"{branch} at {code(drift.commit[:12])}" if drift.commit else branch


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))
