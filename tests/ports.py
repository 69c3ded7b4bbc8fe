"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below the ports that Linux gives to whoever asks for any (32768 and up): one of those may be somebody else's again
# before the server that it is for has started.
_FIRST: Final = 15_000
_LAST: Final = 32_000
_choice = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, another one each time."""
    for _ in range(1_000):
        port = _choice.randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise OSError("no free port between 15000 and 32000")
