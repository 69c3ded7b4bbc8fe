"""Somebody who uses a deployment while it is moved: each location is pinged every second, a run launched every 15 s."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hybrid.errors import HybridError
from hybrid.plus import PlusClient
from tests.emulated.checkout import until

PING_SECONDS = 1
RUN_SECONDS = 15


@dataclass
class Traffic:
    """``names`` are locations with a job ``answers``. ``unanswered``: pings; ``refused``: launches that were said to
    have failed, each tried again until one was taken; ``slowest``: the ping that took longest, in seconds."""

    client: Callable[[], PlusClient]
    names: Sequence[str]
    pings: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    unanswered: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Traffic:
        self.threads = [threading.Thread(target=self._ping, args=(name,)) for name in self.names]
        self.threads.append(threading.Thread(target=self._launch))
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=90)

    def statuses(self) -> dict[str, str]:
        """How each of its runs ended, once all have."""
        with self.client() as client:
            until(lambda: all(client.run(each).is_finished for each in self.runs), seconds=180, what="all runs ended")
            return {each: client.run(each).status for each in self.runs}

    def _ping(self, name: str) -> None:
        with self.client() as client:
            while not self.over.wait(PING_SECONDS):
                begun = time.monotonic()
                try:
                    client.ping_location(name)
                    self.pings[name] += 1
                except HybridError as error:
                    self.unanswered.append(f"{name}: {error}")
                self.slowest = max(self.slowest, time.monotonic() - begun)

    def _launch(self) -> None:
        with self.client() as client:
            number = 0
            while not self.over.is_set():
                self._launched(client, self.names[number % len(self.names)])
                number += 1
                self.over.wait(RUN_SECONDS)

    def _launched(self, client: PlusClient, name: str) -> None:
        for _ in range(60):
            try:
                self.runs.append(client.launch_run(name, "answers"))
                return
            except HybridError as error:
                self.refused.append(f"{name}: {error.sentence()[:300]}")
                if self.over.wait(1):
                    return
