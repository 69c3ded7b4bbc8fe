"""Lines to the person at the engine, through the engine's own log."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeAlias

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from hybrid.redaction import redact

Severity: TypeAlias = "engine_pb2.LogSeverity.ValueType"

_DEADLINE: Final = 5.0  # seconds; the engine is on this machine, and a lost line must not hold up work


class EngineLog:
    """The engine's log service at ``address``; opened at the first line."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._stub: Any = None

    def write(self, urn: str, severity: Severity, text: str, *, ephemeral: bool = False) -> None:
        """Hand a line over. An engine that is gone is nobody to tell."""
        request = engine_pb2.LogRequest(severity=severity, message=redact(text), urn=urn, ephemeral=ephemeral)
        try:
            self._open().Log(request, timeout=_DEADLINE)
        except grpc.RpcError:
            return

    def _open(self) -> Any:
        with self._lock:
            if self._stub is None:
                self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))
            return self._stub


class ResourceReport:
    """``resource.Report`` for one resource. A status is sent only when it says something new."""

    def __init__(self, log: EngineLog, urn: str) -> None:
        self._log = log
        self._urn = urn
        self._said = ""

    def status(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._log.write(self._urn, engine_pb2.INFO, text, ephemeral=True)

    def info(self, text: str) -> None:
        self._log.write(self._urn, engine_pb2.INFO, text)

    def warning(self, text: str) -> None:
        self._log.write(self._urn, engine_pb2.WARNING, text)
