"""The API token: where it comes from and what it must look like."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hybrid.errors import SettingsError
from hybrid.redaction import Token

VARIABLE: Final = "DAGSTER_CLOUD_API_TOKEN"
_MAKE_ONE: Final = "make a user token in Dagster+ under Organization Settings > Tokens"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def api_token(environ: Mapping[str, str], token_file: Path | None) -> Token:
    """The token from ``token_file`` if one is named, else from ``DAGSTER_CLOUD_API_TOKEN``.

    Raises ``SettingsError`` when it is missing, malformed, or in a file that others can
    read. Its value is in no message.
    """
    if token_file is not None:
        return checked(Token(_content(token_file)), str(token_file))
    value = environ.get(VARIABLE)
    if value is None:
        raise SettingsError(
            f"There is no API token: {VARIABLE} is not set.",
            next_step=f"{_MAKE_ONE}, then `read -rs {VARIABLE} && export {VARIABLE}` (paste it; no shell history).",
        )
    return checked(Token(value), VARIABLE)


def checked(token: Token, source: str) -> Token:
    """``token`` if it can be sent in a header. ``source`` is what the message names: the variable or the file."""
    fault = _fault(token.reveal())
    if fault:
        raise SettingsError(
            f"The API token in {source} {fault}.",
            next_step=f"copy the token again, alone and on one line ({_MAKE_ONE} if it is lost).",
        )
    return token


def is_agent_token(token: Token) -> bool:
    """Whether it is an agent's token: accepted, but its role may be less than a user's."""
    return token.reveal().startswith("agent:")


def _fault(value: str) -> str | None:
    if not value.strip():
        return "is empty"
    if "\n" in value or "\r" in value:
        return "has more than one line"
    if value != value.strip() or any(character.isspace() for character in value):
        return "has blanks in it"
    if value[0] in "\"'`" or value[-1] in "\"'`":
        return "is in quotes"
    if not (value.isascii() and value.isprintable()):
        return "has characters that no token has"
    return None


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise SettingsError(
                    f"The API token's file {path} can be read by others (mode {stat.S_IMODE(mode):04o}).",
                    next_step=f"`chmod 600 {path}`; if the machine is shared, make a new token as well.",
                )
            return file.read().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"The API token's file {path} cannot be read: {reason}.",
            next_step="start what writes it (`hybrid up local` for the embedded Dagster+), or correct the path.",
        ) from None
