"""A rehearsal as one page of HTML that needs nothing beside it, with its timeline as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from hybrid.switch.page import Child, node, page, prose, table, words
from hybrid.switch.rehearsal import Rehearsal
from hybrid.switch.rehearsal_text import headline, took
from hybrid.switch.rehearsal_timeline import Timeline

_WIDTH: Final = 960
_TITLES: Final = 300
"""Of the picture's width, for the steps' titles."""
_ROW: Final = 26
_AXIS: Final = 24
_STEPS_OF_SCALE: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_LONGEST_REASON: Final = 300
_MARKS: Final = {True: "yes", False: "no", None: "not known"}


def html_of(found: Rehearsal) -> str:
    """The whole page."""
    title = f"{found.organization}/{found.deployment}: the switch to Hybrid, rehearsed"
    downtime = found.downtime
    return page(
        title,
        "inspection.css",
        node("h1", node("bdi", title)),
        node("p", headline(found)),
        node(
            "div",
            _count("downtime", None if downtime is None else downtime.seconds),
            _count("at most, from the hand-over on", None if downtime is None else downtime.since_switch),
            _count("the way back", _whole(found.timeline, "back")),
            kind="counts",
        ),
        *_headed("To Hybrid", picture(found.timeline, found.titles, "forth")),
        *_headed("Back to Serverless", picture(found.timeline, found.titles, "back")),
        *_headed("Steps", _steps(found)),
        *_headed("What the real switch would meet", _list(found.would_fail)),
        *_headed(
            "Verified",
            table(
                ["what", "is so", "found"],
                ([str(c["check"]), _MARKS[c.get("is_so")], str(c["words"])] for c in found.checks),
            ),
        ),
        *_headed("In what this was not the real one", _list(found.differs)),
        *_headed("What it rests on that nobody knows", _rests(found)),
    )


def picture(timeline: Timeline, titles: Mapping[str, str], way: str) -> Element | None:
    """Each step as a bar on one scale of seconds, and across all of them the gap in which no agent served."""
    steps = timeline.drawn(way)
    if not steps:
        return None
    first, last = steps[0].begin, max(max(each.end for each in steps), steps[0].begin + 0.1)
    scale = (_WIDTH - _TITLES - 70) / (last - first)

    def at(moment: float) -> float:
        return round(_TITLES + (moment - first) * scale, 1)

    height = _AXIS + _ROW * len(steps) + 8
    drawn: list[Child] = [node("title", f"{'To Hybrid' if way == 'forth' else 'Back'}: {last - first:.0f} seconds")]
    if way == "forth" and timeline.gap is not None:
        begin, end = at(timeline.gap[0]), at(timeline.gap[1])
        shaded = {"style": "fill:var(--must);opacity:.16"}
        width = f"{max(1.0, end - begin):.1f}"
        drawn.append(node("rect", x=str(begin), y=str(_AXIS), width=width, height=str(height - _AXIS), **shaded))
        seconds = timeline.gap[1] - timeline.gap[0]
        drawn.append(_text(f"no agent serves: {seconds:.1f} s", end - 4, 14, "var(--must)", anchor="end"))
    drawn += _scale(first, last, at, height)
    for row, step in enumerate(steps):
        y = _AXIS + row * _ROW
        colour = "var(--must)" if step.failed is not None else "var(--link)"
        drawn.append(_text(titles.get(step.step, step.step), _TITLES - 10, y + 17, "var(--text)", anchor="end"))
        width = f"{max(2.0, step.seconds * scale):.1f}"
        drawn.append(
            node("rect", x=str(at(step.begin)), y=str(y + 5), width=width, height="16", rx="3", style=f"fill:{colour}")
        )
        drawn.append(_text(f"{step.seconds:.1f} s", at(step.end) + 6, y + 17, "var(--dim)"))
    box = {"viewBox": f"0 0 {_WIDTH} {height}", "style": "display:block;min-width:640px;width:100%"}
    svg = node("svg", *drawn, xmlns="http://www.w3.org/2000/svg", role="img", **box)
    return node("div", svg, kind="scroll")


def _scale(first: float, last: float, at: Callable[[float], float], height: int) -> list[Child]:
    every = next((each for each in _STEPS_OF_SCALE if (last - first) / each <= 10), _STEPS_OF_SCALE[-1])
    drawn: list[Child] = []
    for number in range(int((last - first) / every) + 1):
        x = str(at(first + number * every))
        drawn.append(node("line", x1=x, x2=x, y1=str(_AXIS), y2=str(height), style="stroke:var(--line)"))
        drawn.append(_text(f"{number * every} s", float(x), height - 1, "var(--dim)", size=10))
    return drawn


def _text(text: str, x: float, y: float, colour: str, *, anchor: str = "start", size: int = 13) -> Element:
    style = f"fill:{colour};font:{size}px system-ui,sans-serif"
    return node("text", words(text), x=f"{x:.1f}", y=f"{y:.1f}", **{"text-anchor": anchor, "style": style})


def _count(title: str, seconds: float | None) -> Element:
    return node("div", node("b", "none" if seconds is None else f"{seconds:.1f} s"), title)


def _whole(timeline: Timeline, way: str) -> float | None:
    steps = timeline.of(way)
    return max(each.end for each in steps) - steps[0].begin if steps else None


def _steps(found: Rehearsal) -> Element | None:
    ways = {"forth": "to Hybrid", "back": "back"}
    rows = (
        [found.titles.get(each.step, each.step), ways[each.way], took(each, found), _reason(each.failed)]
        for each in found.timeline.steps
    )
    return table(["step", "way", "seconds", "failed"], rows)


def _reason(failed: str | None) -> str:
    """Its first line: a traceback is for the terminal, where it stands."""
    return ((failed or "").strip().splitlines() or [""])[0][:_LONGEST_REASON]


def _rests(found: Rehearsal) -> Element | None:
    return table(["question", "here", "otherwise"], ([e.question, e.assumed, e.otherwise] for e in found.rests_on))


def _list(texts: tuple[str, ...]) -> Element | None:
    return node("ul", *(node("li", *prose(each)) for each in texts)) if texts else None


def _headed(title: str, *children: Element | None) -> list[Element]:
    found = [each for each in children if each is not None]
    return [node("h2", title), *found] if found else []
