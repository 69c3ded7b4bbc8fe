"""The settings of the Atlan integration. Kept here and used for nothing: nobody contacts Atlan.

Rests on: ``client`` for what they are, for there being one of them an organization and for the domain being a host's
name (dagster_cloud_cli/commands/integration/atlan); ``invented``: how long both may be, and that the token is kept as
it is, in the file that the data folder's rights protect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.database import Database

LONGEST_TOKEN: Final = 8_192
_LONGEST_DOMAIN: Final = 253
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])", re.ASCII)


class AtlanError(EmulatorError):
    """Settings are not taken; the text never has the token."""


@dataclass(frozen=True)
class AtlanSettings:
    """``domain`` is the tenant's host name. The token is not shown by ``repr``."""

    token: str = field(repr=False)
    domain: str = ""


class Atlan:
    """The organization's settings for Atlan, if any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self) -> AtlanSettings | None:
        rows = self._database.rows("SELECT token, domain FROM atlan_settings")
        return AtlanSettings(rows[0]["token"], rows[0]["domain"]) if rows else None

    def put(self, settings: AtlanSettings) -> None:
        """Let these be the settings. Raises ``AtlanError``."""
        _check(settings)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO atlan_settings (id, token, domain) VALUES (1, ?, ?)",
                (settings.token, settings.domain),
            )

    def delete(self) -> bool:
        """Forget them; whether there were any."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM atlan_settings").rowcount > 0


def _check(settings: AtlanSettings) -> None:
    if len(settings.domain) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(settings.domain):
        raise AtlanError(
            f"{settings.domain[:80]!r} cannot be the domain of an Atlan tenant.",
            next_step="give a host's name without scheme and path, such as your-organization.atlan.com.",
        )
    token = settings.token
    if not token.strip() or len(token) > LONGEST_TOKEN or not token.isprintable():
        raise AtlanError(
            "The token of Atlan's API is not taken.",
            why=f"A token has 1 to {LONGEST_TOKEN} printable characters.",
        )
