"""A container's output in CloudWatch, by the execution role's credentials."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.standins.ecs.engine import Engine

_BATCH: Final = 200
_SECONDS: Final = 0.2


class LogShipper(threading.Thread):
    """Ships until the container ends: ``join`` it before the container is removed."""

    def __init__(self, logs: Any, group: str, stream: str, container: str) -> None:
        super().__init__(daemon=True, name=f"log {stream}")
        self._logs, self._group, self._stream, self._container = logs, group, stream, container
        self._waiting: list[dict[str, Any]] = []
        self._one = threading.Lock()

    def run(self) -> None:
        done = threading.Event()
        sender = threading.Thread(target=self._send_until, args=(done,), daemon=True)
        sender.start()
        for line in Engine().log(self._container):
            with self._one:
                message = line.decode(errors="replace").rstrip("\r")
                self._waiting.append({"timestamp": int(time.time() * 1000), "message": message or " "})
        done.set()
        sender.join()

    def _send_until(self, done: threading.Event) -> None:
        while not done.wait(_SECONDS):
            self._send()
        self._send()

    def _send(self) -> None:
        with self._one:
            batch, self._waiting = self._waiting, []
        for start in range(0, len(batch), _BATCH):
            try:
                self._logs.put_log_events(
                    logGroupName=self._group, logStreamName=self._stream, logEvents=batch[start : start + _BATCH]
                )
            except ClientError:  # without permission, or without its group, AWS drops the lines too
                return
