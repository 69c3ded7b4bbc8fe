"""A review as one Markdown comment: what matters first, the rest folded; never longer than a forge takes. Pure.

The whole comes as sections; those that are too long together are cut, the longest first, each with a line that says how
much of it is left out and where the whole is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.review.actions import embed
from hybrid.review.document import IamChange, LocationReview, Missing, Review, StackReview, Statement
from hybrid.review.text import block, code, plain

MARKER: Final = "<!-- hybrid-review -->"
LONGEST: Final = 65_536
"""Characters of a comment on GitHub; counted here as bytes of UTF-8, which are never fewer."""

_ROWS: Final = 60
_DIFF_LINES: Final = 200
_DIFF_LINE: Final = 400
"""Characters of one line of a diff."""
_NOTHING: Final = "-"
_DANGEROUS: Final = ("delete", "replace")
_PARTS: Final = {
    "preview": "the preview",
    "dagster_plus": "what Dagster+ has",
    "images": "images",
    "build_files": "build files",
    "costs": "costs",
    "policies": "policies",
    "iam": "rights",
    "base": "the base",
}


@dataclass(frozen=True)
class _Section:
    """A folded part: a title, and items of which each stands for itself, so that it can be cut between them."""

    title: str
    head: str
    items: tuple[str, ...]
    tail: str = ""

    def text(self, room: int | None = None) -> str:
        """At most ``room`` bytes of items, and what the rest of them amount to."""
        taken, used = [], 0
        for item in self.items:
            used += _size(item) + 1
            if room is not None and used > room:
                break
            taken.append(item)
        left = len(self.items) - len(taken)
        cut = f"\n{_cut(left)}\n" if left else ""
        inner = "\n".join(taken)
        return f"<details><summary>{self.title}</summary>\n\n{self.head}{inner}{self.tail}\n{cut}\n</details>\n"


def markdown(review: Review, *, run_url: str | None = None, longest: int = LONGEST) -> str:
    """The comment. ``run_url``: the page of the CI's run, where the whole review is; ``longest`` in bytes."""
    top = f"{MARKER}\n{_headline(review)}\n\n{_table(review)}{_warnings(review)}"
    sections = [section for stack in review.stacks for section in _sections(stack)]
    foot = f"\n{_foot(review, run_url)}\n{embed(review)}\n"
    room = longest - _size(top) - _size(foot) - _size(_CUT_NOTE)
    texts, is_cut = _fitted(sections, room)
    note = _CUT_NOTE if is_cut else ""
    return f"{top}{''.join(texts)}{note}{foot}"


_CUT_NOTE: Final = (
    "\n> Parts are left out above, since a comment holds 65,536 characters. "
    "The whole is in `review.json` and `review.md` of this run.\n"
)


def _fitted(sections: Sequence[_Section], room: int) -> tuple[list[str], bool]:
    """Texts of the sections within ``room`` bytes: the shorter ones whole, the longer ones cut to the same length."""
    whole = [section.text() for section in sections]
    if sum(map(_size, whole)) <= room:
        return whole, False
    overhead = [_size(section.text(0)) for section in sections]
    allowed = room - sum(overhead)
    if allowed <= 0:
        kept, used = [], 0
        for section in sections:
            text = section.text(0)
            used += _size(text)
            if used > room:
                break
            kept.append(text)
        return kept, True
    lengths = [sum(_size(item) + 1 for item in section.items) for section in sections]
    cap = _level(lengths, allowed)
    return [section.text(cap) for section in sections], True


def _level(lengths: Sequence[int], room: int) -> int:
    """The largest cap with which all together fit into ``room``."""
    low, high = 0, max(lengths, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(length, middle) for length in lengths) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(count: int) -> str:
    return f"_{count} more {'is' if count == 1 else 'are'} left out here._"


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))


# what is read first


def _headline(review: Review) -> str:
    changing = [stack for stack in review.stacks if stack.changes]
    quiet = len(review.stacks) - len(changing) - sum(stack.standing == "failed" for stack in review.stacks)
    if not review.stacks:
        words = "no stack is touched"
    elif not changing:
        words = f"nothing would change in {_count(quiet, 'stack')}" if quiet else "no stack could be previewed"
    else:
        words = f"{_count(len(changing), 'stack')} would change"
        words += f", {quiet} would not" if quiet else ""
    return f"### Review of {code(review.head.sha[:10])}: {words}"


def _table(review: Review) -> str:
    if not review.stacks:
        return ""
    rows = ["| stack | would do | agent | images | rights | rules | $ a month |", "|---|---|---|---|---|---|---|"]
    rows += [_row(stack) for stack in review.stacks[:_ROWS]]
    left = len(review.stacks) - _ROWS
    return "\n".join(rows) + "\n" + (f"\n{_cut(left)}\n" if left > 0 else "")


def _row(stack: StackReview) -> str:
    cells = (
        f"**{code(stack.stack)}** {stack.platform}",
        _doing(stack),
        "**restarts**" if stack.restarts else _NOTHING,
        _images(stack),
        _rights(stack),
        _rules(stack),
        _dollars(stack),
    )
    return f"| {' | '.join(cells)} |"


def _doing(stack: StackReview) -> str:
    if stack.standing == "removed":
        return "**its file is deleted; it goes on standing**"
    if stack.standing == "failed":
        return "**could not be previewed**"
    counts = [
        f"**{count} {name}**" if name in _DANGEROUS else f"{count} {name}" for name, count in stack.operations.items()
    ]
    words = ", ".join(counts) or "nothing"
    return f"{words} (new)" if stack.standing == "new" else words


def _images(stack: StackReview) -> str:
    built = sum(image.operation == "build" for image in stack.images)
    others = sum(image.operation == "present" for image in stack.images)
    words = [f"{built} to build"] if built else []
    words += [f"{others} there already"] if others else []
    return ", ".join(words) or _NOTHING


def _rights(stack: StackReview) -> str:
    added = sum(len(change.added) for change in stack.iam)
    removed = sum(len(change.removed) for change in stack.iam)
    unknown = sum(change.unknown is not None for change in stack.iam)
    words = [f"**+{added}**"] if added else []
    words += [f"-{removed}"] if removed else []
    words += [f"{unknown} unknown"] if unknown else []
    return " ".join(words) or _NOTHING


def _rules(stack: StackReview) -> str:
    mandatory = sum(finding.level == "mandatory" for finding in stack.policies)
    advisory = len(stack.policies) - mandatory
    words = [f"**{mandatory} broken**"] if mandatory else []
    words += [f"{advisory} to look at"] if advisory else []
    return ", ".join(words) or _NOTHING


def _dollars(stack: StackReview) -> str:
    costs = stack.costs
    if costs is None:
        return _NOTHING
    before, after = (None if value is None else f"{value:.2f}" for value in (costs.before, costs.after))
    return f"{after}" if before == after else f"{before or 0} → {after or 0}"


def _warnings(review: Review) -> str:
    lines: list[str] = [f"{plain(each.why)}{_next(each)}" for each in review.missing]
    for stack in review.stacks[:_ROWS]:
        name = code(stack.stack)
        for operation in _DANGEROUS:
            named = [step.resource for step in stack.steps if step.operation == operation]
            if named:
                lines.append(f"{name} would **{operation}** {_few(named)}.")
        if stack.restarts:
            lines.append(f"{name}: the agent restarts, and every code location is loaded anew.")
        broken = [finding.policy for finding in stack.policies if finding.level == "mandatory"]
        if broken:
            lines.append(f"{name} breaks the rules {_few(sorted(set(broken)))}.")
        for each in stack.missing:
            lines.append(f"{name}: {_of_part(stack, each)} could not be looked at. {_first(each.why)}{_next(each)}")
    return "".join(f"\n> {line}\n" for line in lines[: 3 * _ROWS]) + "\n"


def _of_part(stack: StackReview, missing: Missing) -> str:
    is_partly = missing.part == "preview" and stack.standing in {"new", "present"}
    return "a part of the preview" if is_partly else _PARTS[missing.part]


def _first(words: str) -> str:
    return plain(words.strip().splitlines()[0] if words.strip() else "", longest=400)


def _next(missing: Missing) -> str:
    return f" → {plain(missing.next_step, longest=400)}" if missing.next_step else ""


def _few(names: Sequence[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(code(name) for name in names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# what is folded


def _sections(stack: StackReview) -> Iterator[_Section]:
    for make in _SECTIONS:
        section = make(stack)
        if section is not None and section.items:
            yield section


def _missing(stack: StackReview) -> _Section | None:
    items = [f"**{_PARTS[each.part]}**\n{block(each.why)}\n" for each in stack.missing if "\n" in each.why.strip()]
    return _Section(f"{code(stack.stack)}: what could not be looked at", "", tuple(items))


def _policies(stack: StackReview) -> _Section | None:
    ordered = sorted(stack.policies, key=lambda finding: finding.level != "mandatory")
    items = [
        f"- **{finding.level}** {code(finding.policy)} {code(finding.resource or 'the whole stack')}: "
        f"{plain(finding.message)}"
        for finding in ordered
    ]
    return _titled(stack, "rules", items)


def _steps(stack: StackReview) -> _Section | None:
    head = "| | resource | because |\n|---|---|---|\n"
    items = [f"| {step.operation} | {code(step.resource)} | {_few(step.because, 6)} |" for step in stack.steps]
    return _titled(stack, "resources", items, head)


def _restarts(stack: StackReview) -> _Section | None:
    items = [f"- {code(each.resource)}: {_few(each.because)}" for each in stack.restarts]
    return _titled(stack, "why the agent restarts", items)


def _iam(stack: StackReview) -> _Section | None:
    return _titled(stack, "rights", [item for change in stack.iam for item in _iam_items(change)])


def _iam_items(change: IamChange) -> Iterator[str]:
    yield f"- {code(change.resource)}" + (f": {plain(change.unknown)}" if change.unknown else "")
    for sign, statements in (("+", change.added), ("-", change.removed)):
        for each in statements:
            yield f"  - **{sign}** {_statement(each)}"


def _statement(said: Statement) -> str:
    words = f"{said.effect} {code(said.action)}"
    words += f" on {code(said.resource)}" if said.resource else ""
    words += f" to {code(said.principal)}" if said.principal else ""
    return words + (f" if {code(said.condition)}" if said.condition else "")


def _image_list(stack: StackReview) -> _Section | None:
    items = []
    for image in stack.images:
        why = f": {_few(image.because)}" if image.because else ""
        words = {"build": "to build", "present": "there already", "remove": "let go"}[image.operation]
        items.append(f"- {code(image.location)} {words}{why}")
    return _titled(stack, "images", items)


def _location_list(stack: StackReview) -> _Section | None:
    telling = [each for each in stack.locations if each.standing not in {"same", "untouched"}]
    return _titled(stack, "code locations in Dagster+", [item for each in telling for item in _location_items(each)])


def _location_items(location: LocationReview) -> Iterator[str]:
    words = {"added": "would be added", "changed": "would change", "removed": "would be removed"}
    yield f"- {code(location.name)} {words.get(location.standing, location.standing)}"
    for change in location.changes if location.standing == "changed" else ():
        yield f"  - {code(change.path)}: {_value(change.old)} → {_value(change.new)}"


def _value(value: object) -> str:
    import json

    if value is None:
        return "nothing"
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _build_files(stack: StackReview) -> _Section | None:
    items: list[str] = []
    for each in stack.build_files:
        lines = each.diff.splitlines()
        left = len(lines) - _DIFF_LINES
        note = f"\n_{left} more lines are left out here._\n" if left > 0 else ""
        shown = "\n".join(line[:_DIFF_LINE] for line in lines[:_DIFF_LINES])
        items.append(f"{code(each.path)}\n{block(shown, 'diff')}\n{note}")
    return _titled(stack, "rendered build files", items)


def _cost_list(stack: StackReview) -> _Section | None:
    if stack.costs is None:
        return None
    head = "| | before | after |\n|---|---|---|\n"
    items = [f"| {plain(line.what)} | {line.before:.2f} | {line.after:.2f} |" for line in stack.costs.lines]
    dated = plain(stack.costs.prices_as_of)
    tail = f"\n\nPrices of {dated}, in dollars a month; runs, data and requests come on top."
    return _Section(f"{code(stack.stack)}: costs", head, tuple(items), tail)


def _titled(stack: StackReview, what: str, items: Iterable[str], head: str = "") -> _Section:
    found = tuple(items)
    counted = f" ({len(found)})" if what == "resources" else ""
    return _Section(f"{code(stack.stack)}: {what}{counted}", head, found)


_SECTIONS: Final[tuple[Callable[[StackReview], _Section | None], ...]] = (
    _missing,
    _policies,
    _iam,
    _restarts,
    _steps,
    _image_list,
    _location_list,
    _build_files,
    _cost_list,
)


# what is read last


def _foot(review: Review, run_url: str | None) -> str:
    words = [f"Base {code(review.base.sha[:10])}, {_count(review.changed_files, 'changed file')}."]
    if review.uncommitted:
        words.append("With changes that no commit has.")
    if review.untouched:
        words.append(f"Not touched: {_few(review.untouched, 20)}.")
    if review.offline:
        words.append(
            "Made without credentials, from the program alone: what really stands, what Dagster+ has and which images "
            "are there was not asked."
        )
    words.append(f"Made {plain(review.made_at)}" + (f", [the run]({run_url})." if run_url else "."))
    return f"<sub>{' '.join(words)}</sub>"
