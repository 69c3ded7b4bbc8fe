"""Plans and what came of them, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from hybrid.assets.plan import BYTES_A_SECOND, VALUES_A_SECOND, Plan, Way

if TYPE_CHECKING:
    from asset_values.row import Counts, Row
    from asset_values.verifier import Verification
    from hybrid.assets.verification import Since

SHOWN: Final = 20
"""Failures and names that a terminal shows; all are in ``--json`` and in `hybrid assets status`."""


def size(number: int | None) -> str:
    """Bytes for people, in powers of 1,000; a dash for what is not known."""
    if number is None:
        return "-"
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def plan_rows(plan: Plan) -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each asset: its name, the way, values, bytes, IO manager."""
    for asset in plan.assets:
        yield asset.asset, asset.way.value, str(len(asset.values)), size(asset.bytes), asset.manager or "-"


def plan_lines(plan: Plan, stack: str) -> Iterator[str]:
    """What a table of the assets leaves unsaid."""
    count = plan.count(Way.BYTES)
    known = f", {size(plan.bytes)}" if plan.bytes is not None else ""
    yield (
        f"To be copied as bytes: {counted(count)} of {_assets(len(plan.by(Way.BYTES)))}{known}; about "
        f"{duration(plan.seconds)} at {min(plan.rate or VALUES_A_SECOND, VALUES_A_SECOND):g} values and "
        f"{size(BYTES_A_SECOND)} a second (assumed)."
    )
    for asset in plan.rest:
        yield f"{asset.asset}: {asset.way.value}, {counted(len(asset.values))}: {asset.because}."
    if locations := _locations(plan):
        commands = " and ".join(f"`hybrid assets job {stack} {name}`" for name in locations)
        yield f"What has to be loaded is done by a job of the location: {commands}."
    if kept := kept_line(plan):
        yield kept
    nothing = [asset.asset for asset in plan.by(Way.NONE)]
    if nothing:
        yield f"Nothing stored by design: {listed(nothing)}."
    yield from _coverage(plan)
    yield from (f"Note: {warning}" for warning in plan.warnings)


def _coverage(plan: Plan) -> Iterator[str]:
    if plan.never_stored:
        yield f"In code and never stored: {listed(plan.never_stored)}."
    gone = [asset.asset for asset in plan.assets if asset.location is None and asset.way is not Way.NONE]
    if gone:
        yield f"Stored and not in code: {listed(gone)}."
    outside = [
        f"{asset.asset} ({asset.outside})" for asset in plan.assets if asset.outside and asset.way is not Way.NONE
    ]
    if outside:
        yield f"Stored partitions that code does not define now: {listed(outside)}."
    of_pickles = {asset.asset: asset.missing for way in (Way.BYTES, Way.KEPT) for asset in plan.by(way)}
    missing = [f"{name} ({number})" for name, number in of_pickles.items() if number]
    if missing:
        yield f"Partitions that code defines and nothing is stored of: {listed(missing)}."
    cut = [asset.asset for asset in plan.assets if asset.cut]
    if cut:
        yield f"So often stored that older partitions outside of the definition were not looked for: {listed(cut)}."
    absent = sum(1 for asset in plan.by(Way.BYTES) for value in asset.values if value.absent)
    if absent:
        yield f"Not at the source although the event log says that they were stored: {counted(absent)}."
    if plan.unclaimed and plan.selection is None:
        yield f"At the source and of no asset here (outputs of ops, or of assets long gone): {counted(plan.unclaimed)}."


def kept_line(plan: Plan) -> str | None:
    """What the destination alone has, and keeps; None when there is no such value."""
    kept = plan.by(Way.KEPT)
    if not kept:
        return None
    names = listed(asset.asset for asset in kept)
    return f"Stored last at the destination, and kept there: {counted(plan.count(Way.KEPT))} of {names}."


def rest_line(plan: Plan) -> str:
    """What a copy leaves."""
    parts = []
    for way in (Way.LOAD, Way.UNKNOWN):
        names = [asset.asset for asset in plan.rest if asset.way is way]
        if names:
            parts.append(f"{way.value}: {listed(names)}")
    return f"{'; '.join(parts)}."


def counts_line(counts: Counts) -> str:
    """How many values stand where, in words."""
    from asset_values.row import State

    words = {
        State.COPIED: "copied",
        State.SAME: "there already",
        State.KEPT: "newer at the destination and left alone",
        State.ABSENT: "not at the source",
        State.FAILED: "failed",
        State.PLANNED: "not tried yet",
    }
    said = [f"{counts.values[state]} {word}" for state, word in words.items() if counts.values.get(state)]
    return f"{', '.join(said) or 'nothing planned'} ({size(sum(counts.bytes.values()))})"


def failure_lines(rows: Iterable[Row], total: int) -> str:
    """The first failures, each with its reason."""
    lines = [f"{row.item.label}: {row.reason or row.state.value}" for _, row in zip(range(SHOWN), rows, strict=False)]
    if total > len(lines):
        lines.append(f"… and {total - len(lines)} more")
    return "\n".join(lines)


def listed(names: Iterable[str]) -> str:
    shown = list(names)
    rest = len(shown) - SHOWN
    return f"{', '.join(shown[:SHOWN])}{f' and {rest} more' if rest > 0 else ''}"


def job_commands(plan: Plan, stack: str) -> str:
    """What does the values that a run has to load."""
    commands = [f"`hybrid assets job {stack} {name}`" for name in _locations(plan)]
    return " and ".join(commands) or f"see `hybrid assets plan {stack}`"


def _locations(plan: Plan) -> list[str]:
    return sorted({asset.location for asset in plan.by(Way.LOAD) if asset.location is not None})


def counted(count: int) -> str:
    """So many values, in words."""
    return f"{count} value{'' if count == 1 else 's'}"


def _assets(count: int) -> str:
    return f"{count} asset{'' if count == 1 else 's'}"


def verification_lines(found: Verification, since: Since) -> Iterator[str]:
    """What a verification has looked at and found."""
    said = [f"{number} {kind.value}" for kind, number in found.counts.items() if number]
    compared = f"{size(found.bytes)} compared"
    yield f"{counted(found.looked_at)} looked at: {', '.join(said) or 'nothing was copied'} ({compared})."
    if found.by_size_only:
        yield f"Compared by size alone, for nobody knows their checksum: {counted(found.by_size_only)}."
    if since.stale:
        yield f"Stored anew since they were copied: {listed(since.stale)}."
    if since.new:
        yield f"Stored and not copied: {listed(since.new)}."


def finding_lines(found: Verification) -> str:
    """The first values that are not as they should be, each with its reason."""
    lines = [
        f"{finding.row.item.label}: {finding.found.value}{f', {finding.reason}' if finding.reason else ''}"
        for finding in found.findings[:SHOWN]
    ]
    rest = len(found.findings) - len(lines)
    return "\n".join([*lines, f"… and {rest} more"] if rest > 0 else lines)
