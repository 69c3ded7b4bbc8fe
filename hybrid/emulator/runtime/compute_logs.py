"""Captured stdout and stderr of steps: uploaded by run workers, read by the stock UI.

Rests on ``client`` (dagster_cloud/storage/compute_logs/compute_log_manager.py): ``GET /gen_logs_url`` gives a URL to
which the file is PUT without the token's header; a part of it (``partial``) while the step still runs, if the agent's
``upload_interval`` is set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from hybrid.emulator.atomic import write_atomically
from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime.uploads.body import RefusedUpload
from hybrid.emulator.runtime.uploads.definitions import origin
from hybrid.emulator.runtime.uploads.endpoint import PRESIGNED, deployment_of, one_of, route

PUT_PATH: Final = "/presigned/log"
_SEPARATOR: Final = "/"


class UploadedComputeLogs(LocalComputeLogManager):
    """Dagster's local compute logs, of which the files come by upload: until one is whole, its last part is shown."""

    def get_log_data_for_type(
        self,
        log_key: Sequence[str],
        io_type: ComputeIOType,
        offset: int | None = 0,
        max_bytes: int | None = None,
    ) -> tuple[bytes | None, int]:
        path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type]))
        if not path.exists():
            path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type], partial=True))
        data, position = self.read_path(str(path), offset or 0, max_bytes)
        return data, position

    def is_capture_complete(self, log_key: Sequence[str]) -> bool:
        """Both files are uploaded when the step has ended, stderr last."""
        return Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDERR])).exists()

    def take(self, log_key: Sequence[str], io_type: ComputeIOType, content: bytes, *, partial: bool) -> None:
        """Keep an uploaded file. Raises ``ValueError`` when the key points outside the folder."""
        extension = IO_TYPE_EXTENSION[io_type]
        write_atomically(Path(self.get_captured_local_path(log_key, extension, partial=partial)), content)
        if not partial:
            Path(self.get_captured_local_path(log_key, extension, partial=True)).unlink(missing_ok=True)
        if self.is_capture_complete(log_key):
            # Its appearance ends the UI's subscriptions (LocalComputeLogFilesystemEventHandler.on_created).
            write_atomically(Path(self.get_captured_local_path(log_key, "complete")), b"")


class LogUploads:
    """The endpoints. ``logs_of(deployment)`` is where a deployment's are kept."""

    def __init__(self, logs_of: Callable[[str], UploadedComputeLogs], signer: Signer) -> None:
        self._logs_of = logs_of
        self._signer = signer

    def routes(self) -> Sequence[BaseRoute]:
        return [
            route("/gen_logs_url", "GET", "gen_logs_url", self._url),
            route(PUT_PATH, "PUT", f"{PRESIGNED}log", self._put),
        ]

    def _url(self, request: Request, _body: bytes) -> Response:
        query = request.query_params
        log_key = query.getlist("log_key")
        if not log_key or any(part in {"", ".", ".."} or _SEPARATOR in part for part in log_key):
            raise RefusedUpload(400, "log_key has to name a step's log, one plain name a part.")
        subject = {
            "deployment": deployment_of(request),
            "key": _SEPARATOR.join(log_key),
            "io_type": one_of(query.get("io_type"), [kind.value for kind in ComputeIOType], "io_type"),
            "partial": "1" if query.get("partial") else "0",
        }
        return JSONResponse({"url": f"{origin(request)}{PUT_PATH}?{self._signer.query(PUT_PATH, subject)}"})

    def _put(self, request: Request, body: bytes) -> Response:
        query = request.query_params
        if not self._signer.permits(PUT_PATH, query):
            raise RefusedUpload(403, "The URL is not one that was given out, or it has expired.")
        try:
            self._logs_of(query["deployment"]).take(
                query["key"].split(_SEPARATOR),
                ComputeIOType(query["io_type"]),
                body,
                partial=query["partial"] == "1",
            )
        except ValueError as error:
            raise RefusedUpload(400, f"The log's key cannot be a file's name: {error}") from error
        return Response(status_code=200)
