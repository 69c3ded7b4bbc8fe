"""Tokens never reach a terminal, a log, an error or a file.

Two means, both always on: values known to be secret are registered and replaced wherever they occur; and shapes of
tokens are replaced even when nobody registered them. ``Token`` is the only type in which a token travels.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import urllib.parse
from collections.abc import Iterable
from typing import Final, NoReturn

MASK: Final = "[redacted]"

# What may stand between a word that announces a secret and the secret: `: `, `=`, `", "` of a header pair, quotes that
# were escaped by JSON or repr, a bytes prefix, the scheme of an Authorization header.
_ANNOUNCED: Final = r"\\*[\"']?\s*(?:[:=]|(?<=[\"']),)\s*b?\\*[\"']?(?:(?:bearer|basic|token)\s+)?"
_WORD: Final = r"(?:authorization|password|passphrase|secret(?:[-_ ]?access[-_ ]?key)?)"
_COLON: Final = "(?::|%3A)"
_VALUE: Final = r"[A-Za-z0-9_\-.+/~]{16,}=*"

# Each shape is replaced but for its group `kept`. None begins with a word boundary: in text that repr or JSON escaped,
# the "n" of "\n" stands right before the token.
_SHAPES: Final = (
    # Agent and user tokens, as dagster_cloud/auth/constants.py takes them apart: kind, organization, secret; some
    # have a part more.
    re.compile(rf"(?P<kept>)(?:agent|user|service_user)(?:{_COLON}[\w.-]+)+?(?:{_COLON}[\w-]{{6,}})+", re.I | re.A),
    # The user and password of an address.
    re.compile(r"(?P<kept>://)[^\s/@\"'<>\[\]]+(?=@)"),
    re.compile(
        rf"(?P<kept>(?:authorization|password|passphrase|secret(?:[-_ ]?access[-_ ]?key)?){_ANNOUNCED}){_VALUE}", re.I
    ),
    # "token" alone also announces names and sentences: only a value with a digit in it is taken for a secret.
    re.compile(rf"(?P<kept>token{_ANNOUNCED})(?=[A-Za-z_\-.+/~]*\d){_VALUE}", re.I),
    re.compile(r"(?P<kept>)A[KS]IA[0-9A-Z]{16}"),
    # Tokens of GitHub, GitLab and Pulumi Cloud, which say by their beginnings what they are.
    re.compile(
        r"(?P<kept>)(?:gh[opsru]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}|pul-[0-9a-f]{40}"
        r"|gl(?:pat|cbt|ptt|rt|dt|ft|oas|soat|agent)-[A-Za-z0-9_\-]{20,})"
    ),
)
# A variable whose name ends so holds a secret, whatever its value looks like.
_TELLING_NAME: Final = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)_?KEY)$", re.I
)
# Beyond the shapes that `redact` knows: private keys, and the prefixes of tokens that well-known services give out.
_TELLING_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\"private_key\""
    r"|^(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_](?:live|test|ant|proj)|AIza|dop_v1_|hvs\.|npm_|pypi-"
    r"|eyJ[\w-]+\.eyJ)"
)
_SHORTEST: Final = 6  # a shorter value would blank out ordinary words
_SHORTEST_LINE: Final = 16  # of a secret of several lines, a shorter line says nothing

_registered: set[str] = set()
_known: re.Pattern[str] | None = None
_lock = threading.Lock()


def register(value: str) -> None:
    """Replace ``value`` from now on wherever this process prints, unless it is too short to be told from a word.

    Also as it looks in an address, in JSON and in repr, and line by line, as a log shows it.
    """
    global _known
    lines = value.splitlines()
    forms = {value, value.strip(), *(line.strip() for line in lines if len(lines) > 1 and len(line) >= _SHORTEST_LINE)}
    forms |= {
        spelled
        for form in tuple(forms)
        for spelled in (urllib.parse.quote(form, safe=""), json.dumps(form)[1:-1], repr(form)[1:-1])
    }
    with _lock:
        _registered.update(form for form in forms if len(form) >= _SHORTEST and form not in MASK)
        longest_first = sorted(_registered, key=len, reverse=True)
        _known = re.compile("(?P<kept>)(?:" + "|".join(map(re.escape, longest_first)) + ")") if longest_first else None


def redact(text: str) -> str:
    """``text`` without registered secrets and without anything that has the shape of a token.

    Redacting what was redacted changes nothing: what lies between two masks is looked at by itself.
    """
    return _without((_known, *_SHAPES) if _known else _SHAPES, text)


def without_tokens(text: str) -> str:
    """``text`` without anything that has the shape of a token. What is registered stays: a name that is also the value
    of some variable is a name yet, where it is to be read again."""
    return _without(_SHAPES, text)


def _without(patterns: Iterable[re.Pattern[str]], text: str) -> str:
    for pattern in patterns:
        text = MASK.join(pattern.sub(_masked, part) for part in text.split(MASK))
    return text


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's plain value should be in no file: by its name, or by the shape of its value. Whether it is
    registered says nothing: what Dagster+ has of a variable is, whatever it is, once it was asked for."""
    if not value:
        return False
    named = bool(_TELLING_NAME.search(name))
    return named or bool(_TELLING_VALUE.search(value)) or without_tokens(value) != value


def _masked(match: re.Match[str]) -> str:
    return f"{match['kept']}{MASK}"


class Token:
    """A secret text that shows itself only when asked by name. ``str``, ``repr`` and formatting give the mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        register(value)

    def reveal(self) -> str:
        """The secret itself; for the header or the environment that needs it, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __deepcopy__(self, memo: object) -> Token:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


class RedactingFilter(logging.Filter):
    """Redacts a log record's final text, its exception and stack included. It belongs on handlers: a filter on a
    logger does not see what that logger's children log."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(_message(record)), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _message(record: logging.LogRecord) -> str:
    # A call whose arguments do not fit its format must not end the program, and logging's own report of it would show
    # the arguments.
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"
