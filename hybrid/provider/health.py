"""Whether a process answers where it is said to answer. One that runs and does not is hung."""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

_PROBE_SECONDS: Final = 2.0
_HUNG_AFTER: Final = 4  # probes; a machine under load may well miss one


def answers(url: str) -> bool:
    """Whether ``url`` answers 2xx now."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_hung(url: str | None) -> bool:
    """Whether a process that has once answered at ``url`` does so no more; one without an address never is."""
    return url is not None and not any(answers(url) for _ in range(_HUNG_AFTER))
