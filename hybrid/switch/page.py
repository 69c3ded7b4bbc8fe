"""Pieces of a page of HTML, made as a tree: whatever a name says, it is a text in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from hybrid.redaction import redact
from hybrid.switch.remedies import shown

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LONGEST: Final = 2000  # a text of a name or an error; the rest of it is no more than weight

Child = Element | str | None


def node(tag: str, *children: Child, **attributes: str) -> Element:
    """An element; ``kind`` among the attributes is its class, ``label`` what its column is called on a narrow page."""
    names = {"kind": "class", "label": "data-label"}
    made = Element(tag, {names.get(name, name): value for name, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif child is not None:
            text = words(child)
            if last is None:
                made.text = (made.text or "") + text
            else:
                last.tail = (last.tail or "") + text
    return made


def prose(text: str) -> list[Child]:
    """A sentence whose `words in backticks` are commands or names."""
    parts = words(text).split("`")
    # an odd number of backticks is no pair
    return [node("code", part) if place % 2 else part for place, part in enumerate(parts)] if len(parts) % 2 else [text]


def words(text: str) -> str:
    """A text as it may be shown: redacted, on one line, bounded."""
    safe = shown(redact(text))
    return safe if len(safe) <= _LONGEST else f"{safe[:_LONGEST]}…"


def table(head: Sequence[str], rows: Iterable[Sequence[Child]]) -> Element | None:
    """None without rows. The first cell of a row names it."""
    body = node("tbody")
    for row in rows:
        line = SubElement(body, "tr")
        line.append(node("th", node("bdi", row[0]), scope="row"))
        line.extend(node("td", cell, label=label) for label, cell in zip(head[1:], row[1:], strict=True))
    if not len(body):
        return None
    heads = [node("th", label, scope="col") for label in head]
    return node("div", node("table", node("thead", node("tr", *heads)), body), kind="scroll")


def page(title: str, style: str, *children: Child) -> str:
    """One whole document that loads nothing. ``style`` names a file of CSS of this room."""
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", **{"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="referrer", content="no-referrer"),
        node("title", title),
    )
    sheet = SubElement(head, "style")
    sheet.text = (files("hybrid.switch") / style).read_text(encoding="utf-8")
    whole = node("html", head, node("body", node("main", *children)), lang="en")
    return f"<!doctype html>\n{tostring(whole, encoding='unicode', method='html')}\n"
