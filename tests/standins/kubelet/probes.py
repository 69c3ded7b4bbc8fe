"""Probes: whether a container has started, lives, is ready."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.standins.kubelet.cluster import Object
from tests.standins.kubelet.engine import Engine


@dataclass
class Probe:
    """One probe of a container; ``verdict`` is None until it has decided once."""

    document: Object
    container: Object
    address: str
    verdict: bool | None = None
    failed: str = ""
    """What it said last, when it failed since the last look; for the event."""
    _next: float = field(default=0.0)
    _good: int = 0
    _bad: int = 0

    def begin(self) -> None:
        self._next = time.monotonic() + float(self.document.get("initialDelaySeconds") or 0)
        self.verdict, self._good, self._bad = None, 0, 0

    def look(self, id_: str) -> None:
        """Ask, if it is time."""
        self.failed = ""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + float(self.document.get("periodSeconds") or 10)
        if self._asked(id_):
            self._good, self._bad = self._good + 1, 0
            if self._good >= int(self.document.get("successThreshold") or 1):
                self.verdict = True
        else:
            self._good, self._bad = 0, self._bad + 1
            self.failed = "the probe failed"
            if self._bad >= int(self.document.get("failureThreshold") or 3):
                self.verdict = False

    def _asked(self, id_: str) -> bool:
        seconds = float(self.document.get("timeoutSeconds") or 1)
        if given := self.document.get("exec"):
            return _within(seconds, id_, given["command"])
        if given := self.document.get("httpGet"):
            return self._http(given, seconds)
        if given := self.document.get("tcpSocket"):
            with contextlib.suppress(OSError), socket.create_connection((self.address, self._port(given)), seconds):
                return True
            return False
        return True

    def _http(self, given: Object, seconds: float) -> bool:
        scheme = str(given.get("scheme") or "HTTP").lower()
        host = given.get("host") or self.address
        url = f"{scheme}://{host}:{self._port(given)}{given.get('path') or '/'}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=seconds) as answer:
                return 200 <= int(answer.status) < 400
        except (urllib.error.URLError, OSError):
            return False

    def _port(self, given: Object) -> int:
        port: Any = given["port"]
        if isinstance(port, str) and not port.isdigit():
            named = {one.get("name"): one["containerPort"] for one in self.container.get("ports") or []}
            port = named[port]
        return int(port)


def _within(seconds: float, id_: str, command: list[str]) -> bool:
    """Whether a command in the container succeeds in time. One that hangs goes on, as with a kubelet."""
    verdict: list[bool] = []
    asked = threading.Thread(target=lambda: verdict.append(Engine().succeeds(id_, command)), daemon=True)
    asked.start()
    asked.join(seconds)
    return bool(verdict and verdict[0])
