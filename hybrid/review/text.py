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
    # a pipe would end a table's cell even in code; in HTML it may stand as a reference
    escaped = html.escape(shown, quote=False).replace("|", "&#124;").replace("`", "&#96;")
    return f"<code>{escaped or ' '}</code>"


def plain(text: str, *, longest: int = 2000) -> str:
    """``text`` as running text in which nothing is markup, a link or a mention."""
    shown = visible(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    escaped = _MARKUP.sub(lambda found: f"&#{ord(found[0])};", html.escape(shown, quote=False))
    # forges look for mentions, references and addresses in what is rendered, so a reference to the sign is not enough
    return _LINKS.sub(lambda found: f"{found[0]}&#8203;", escaped)


_MARKUP: Final = re.compile(r"[\\`*_\[\]|~]|^(?:[-+>]|\d+[.)])")
_LINKS: Final = re.compile(r"@|#(?=\d)|!(?=\d)|:(?=//)|\bwww(?=\.)")


def block(text: str, language: str = "") -> str:
    """``text`` as a block of code, whatever backquotes it holds."""
    lines = [_line(each) for each in text.splitlines()]
    inner = "\n".join(lines)
    longest = max((len(each) for each in re.findall(r"`+", inner)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{inner}\n{fence}"


def _line(text: str) -> str:
    return "".join("�" if unicodedata.category(char) in _INVISIBLE and char != "\t" else char for char in text)
