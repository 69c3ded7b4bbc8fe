"""The administrator's user token, in a file beside the database.

Rests on: ``invented``. On Dagster+ a person makes a token in the UI; here whoever can read the data folder is the
administrator, a user with the role ADMIN over the organization.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from hybrid.emulator.errors import DataFolderError
from hybrid.emulator.organization.tokens import Tokens
from hybrid.redaction import Token

_DESCRIPTION: Final = "administrator (file api-token)"
_OWNER_ONLY: Final = 0o600


def ensure_api_token(file: Path, tokens: Tokens, administrator: int) -> None:
    """See to it that ``file`` holds a valid token of the user with the id ``administrator``, and is its owner's alone.

    A file that is missing, or whose token the database does not know, is written anew, and the token that it held
    before is revoked. Dying between the two steps is put right by the next call. Raises ``DataFolderError``.
    """
    try:
        if file.exists():
            file.chmod(_OWNER_ONLY)
            held = tokens.verify(Token(file.read_text(encoding="utf-8").strip()).reveal())
            if held is not None and held.user_id == administrator:
                return
        for former in tokens.all("user"):
            if former.description == _DESCRIPTION and former.user_id == administrator and not former.revoked:
                tokens.revoke(former.id)
        _write(file, tokens.create("user", _DESCRIPTION, administrator)[1])
    except (OSError, UnicodeDecodeError) as error:
        raise DataFolderError(
            f"{file} cannot be written: {error}.",
            next_step=f"see to it that {file.parent} can be written, then start again.",
        ) from error


def _write(file: Path, token: Token) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=".api-token-", dir=file.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{token.reveal()}\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
