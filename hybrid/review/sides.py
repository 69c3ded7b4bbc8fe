"""The parts of a stack's review that need no engine: what Dagster+ has, build files, costs; each base against head.

Each raises a ``HybridError`` when it cannot be told; the review names it as missing and goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hybrid.delivery.difference import compared
from hybrid.engine.stack import Stack
from hybrid.redaction import redact
from hybrid.review.document import BuildFileDiff, CostLine, Costs, KeyChange, LocationReview

if TYPE_CHECKING:
    from hybrid.costs.estimate import Estimate

_LONGEST_DIFF: Final = 200_000  # characters of one file's
_CENT: Final = 0.005


def location_reviews(
    present: Mapping[str, Mapping[str, Any]],
    wanted: Mapping[str, Mapping[str, Any]],
    owned: frozenset[str],
) -> tuple[LocationReview, ...]:
    """What Dagster+ has against what it would have. ``owned`` are locations that the stack has now: one that is not
    wanted any more is removed, all others that it does not declare are left alone."""
    found = []
    for each in compared(wanted, present):
        standing = "removed" if each.standing == "untouched" and each.name in owned else each.standing
        changes = tuple(
            KeyChange(path=redact(change.path), old=_redacted(change.old), new=_redacted(change.new))
            for change in each.changes
        )
        found.append(LocationReview(name=each.name, standing=standing, changes=changes))
    return tuple(found)


def build_file_diffs(head: Stack, root: Path, base: Stack | None, base_root: Path | None) -> tuple[BuildFileDiff, ...]:
    """The rendered build files of the stack's environment that differ. ``root`` and ``base_root`` are the checkouts."""
    now = _rendered(head, root)
    before = _rendered(base, base_root) if base is not None and base_root is not None else {}
    found = []
    for path in sorted(now.keys() | before.keys()):
        old, new = before.get(path), now.get(path)
        if old == new:
            continue
        lines = difflib.unified_diff(
            (old or "").splitlines(keepends=True),
            (new or "").splitlines(keepends=True),
            path if old is not None else "/dev/null",
            path if new is not None else "/dev/null",
        )
        text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
        found.append(BuildFileDiff(path=redact(path), diff=redact(text)[:_LONGEST_DIFF]))
    return tuple(found)


def costs(head: Stack | None, base: Stack | None) -> Costs | None:
    """Prices before and after; None: there are none for either side."""
    before, after = (_estimated(stack) for stack in (base, head))
    known = after or before
    if known is None:
        return None
    old = {line.what: line.dollars for line in before.lines} if before else {}
    new = {line.what: line.dollars for line in after.lines} if after else {}
    lines = [
        CostLine(what=what, before=round(old.get(what, 0.0), 2), after=round(new.get(what, 0.0), 2))
        for what in {**old, **new}
        if abs(old.get(what, 0.0) - new.get(what, 0.0)) > _CENT
    ]
    return Costs(
        before=None if before is None else round(before.dollars, 2),
        after=None if after is None else round(after.dollars, 2),
        prices_as_of=known.prices.as_of,
        lines=tuple(sorted(lines, key=lambda line: -abs(line.after - line.before))),
    )


def _estimated(stack: Stack | None) -> Estimate | None:
    from hybrid.platforms.choice import commands_of

    return None if stack is None else commands_of(stack).monthly_cost()


def _rendered(stack: Stack, root: Path) -> dict[str, str]:
    from hybrid.delivery.render import flat_files

    settings = stack.who.settings
    return flat_files(settings.environment, stack.folders, root=root.resolve(), images=dict(settings.pins))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list | tuple) else value
