"""Words of others in Markdown: names, paths, values and messages that must stay what they are and do nothing. Pure.

A comment is read by people and rendered by a forge. What comes from a repository may hold backquotes, pipes, HTML,
mentions, line breaks, marks that turn text around: none of it may leave its place.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_LONGEST: Final = 300
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def visible(text: str) -> str:
    """``text`` on one line, without what is not seen or turns text around; tabs and line breaks become spaces."""
    spaced = re.sub(r"[\t\r\n\v\f\x85]+", " ", text)
    return "".join("�" if unicodedata.category(char) in _INVISIBLE else char for char in spaced)


def code(text: str, *, longest: int = _LONGEST) -> str:
    """``text`` as inline code, also in a table."""
    shown = visible(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    # HTML keeps Markdown's signs from nothing: a link or stars would be rendered in it, a pipe would end a table's cell
    escaped = _ADDRESS.sub(_references, _MARKUP.sub(_references, html.escape(shown, quote=False)))
    return f"<code>{escaped or ' '}</code>"


def plain(text: str, *, longest: int = 2000) -> str:
    """``text`` as running text in which nothing is markup, a link or a mention."""
    shown = visible(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    # forges look for mentions, references and addresses in what is rendered, so a reference to the sign is not enough;
    # before the references are made, for these hold the sign of one themselves
    parted = _LINKS.sub(lambda found: f"{found[0]}{_NOTHING}", shown)
    return _MARKUP.sub(_references, html.escape(parted, quote=False)).replace(_NOTHING, "&#8203;")


_MARKUP: Final = re.compile(r"[\\`*_\[\]|~]|^(?:[-+>]|\d+[.)])")
_NOTHING: Final = "\N{ZERO WIDTH SPACE}"
_ADDRESS: Final = re.compile(r":(?=//)|\bwww(?=\.)")
_LINKS: Final = re.compile(r"@|#(?=\d)|!(?=\d)|:(?=//)|\bwww(?=\.)")


def _references(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(char)};" for char in found[0])


def block(text: str, language: str = "") -> str:
    """``text`` as a block of code, whatever backquotes it holds."""
    lines = [_line(each) for each in text.splitlines()]
    inner = "\n".join(lines)
    longest = max((len(each) for each in re.findall(r"`+", inner)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{inner}\n{fence}"


def _line(text: str) -> str:
    # in a block nothing acts for a reader, but who looks for one of our marks must not find a stranger's
    text = text.replace("<!--", "<! --")
    return "".join("�" if unicodedata.category(char) in _INVISIBLE and char != "\t" else char for char in text)
