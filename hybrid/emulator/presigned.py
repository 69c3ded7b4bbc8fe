"""URLs that carry their own permission: made for one upload, signed, and soon expired.

Rests on ``client``: definitions and captured output are PUT without the token's header to whatever URL the control
plane gave (dagster_cloud/workspace/user_code_launcher/user_code_launcher.py ``_ensure_snapshot_uploaded``,
dagster_cloud/storage/compute_logs/compute_log_manager.py). ``invented``: how the URL says that it is ours.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from hybrid.emulator.atomic import write_atomically

LIFETIME_SECONDS: Final = 3_600
"""An hour: an agent retries an upload for minutes, and a slow one may queue for long on a busy machine."""


class Signer:
    """Signs and checks. The key is kept in ``key_file``, so that a restart does not break an upload in flight."""

    def __init__(self, key_file: Path, clock: Callable[[], float] = time.time) -> None:
        if not key_file.exists():
            write_atomically(key_file, secrets.token_bytes(32))
        self._key = key_file.read_bytes()
        self._clock = clock

    def query(self, path: str, subject: Mapping[str, str]) -> str:
        """The query string that permits one PUT of ``subject`` to ``path``."""
        signed = {**subject, "expires": str(int(self._clock()) + LIFETIME_SECONDS)}
        return urlencode({**signed, "signature": self._signature(path, signed)})

    def permits(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether ``query`` was made by ``query`` for ``path`` and has not expired."""
        signed = {name: value for name, value in query.items() if name != "signature"}
        expected = self._signature(path, signed)
        if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
            return False
        return int(signed["expires"]) >= self._clock()

    def _signature(self, path: str, signed: Mapping[str, str]) -> str:
        message = path + "?" + urlencode(sorted(signed.items()))
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()
