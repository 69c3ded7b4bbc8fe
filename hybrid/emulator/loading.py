"""The runtime while it is on its way: Dagster takes seconds to import, and the control plane does not wait for it.

Rests on: ``client`` for 503 while it loads, which the clients try again (dagster_cloud_cli/core/graphql_client.py).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

from hybrid.emulator.errors import RuntimeNotLoadedError
from hybrid.emulator.seam import LocationDocuments, Runtime
from hybrid.errors import HybridError

PATIENCE_SECONDS: Final = 45.0  # below the clients' own limit of 60 s
_log = logging.getLogger(__name__)


class RuntimeLoader:
    """Loads the runtime once, in a thread of its own, and lets requests wait for it.

    ``load`` makes it. ``on_failure`` is called from that thread when it cannot be made; there is no second try.
    ``documents`` is called first: it imports what locations' documents need, a third of the whole, so that locations
    can be registered while the rest is on its way. All imports are the loader's own: two threads that import Dagster
    at once meet modules that are half made.
    """

    def __init__(
        self,
        load: Callable[[], Runtime],
        on_failure: Callable[[], None],
        documents: Callable[[], LocationDocuments] | None = None,
    ) -> None:
        self._load = load
        self._load_documents = documents
        self._documents: Future[LocationDocuments] = Future()
        self._on_failure = on_failure
        self._future: Future[Runtime] = Future()
        self._thread = threading.Thread(target=self._run, name="runtime-loader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def loaded(self) -> Runtime | None:
        """The runtime if it is there by now."""
        return self._future.result() if self._future.done() and self._future.exception() is None else None

    def get(self) -> Runtime:
        """The runtime, waited for in this thread. Raises ``RuntimeNotLoadedError`` after 45 s."""
        try:
            return self._future.result(PATIENCE_SECONDS)
        except FutureTimeoutError:
            raise _not_loaded() from None

    def documents(self) -> LocationDocuments:
        """What judges locations' documents, as early as it can be had. Raises as ``get`` does."""
        try:
            return self._documents.result(PATIENCE_SECONDS)
        except FutureTimeoutError:
            raise _not_loaded() from None

    def when_loaded(self, act: Callable[[Runtime], None]) -> None:
        """``act`` on the runtime: now, or as soon as it is loaded."""
        self._future.add_done_callback(lambda done: act(done.result()) if done.exception() is None else None)

    async def arrival(self) -> Runtime:
        """The runtime, waited for without holding a thread. Raises ``RuntimeNotLoadedError`` after 45 s."""
        if self.loaded is not None:
            return self.loaded
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._future)), PATIENCE_SECONDS)
        except TimeoutError:
            raise _not_loaded() from None

    def close(self) -> None:
        """Close the runtime, if it was loaded."""
        if self.loaded is not None:
            self.loaded.close()

    def _run(self) -> None:
        try:
            if self._load_documents is not None:
                self._documents.set_result(self._load_documents())
            runtime = self._load()
        except BaseException as error:  # whatever it is, the process must not go on half alive
            failure = _failed(error)
            self._future.set_exception(failure)
            if not self._documents.done():
                self._documents.set_exception(failure)
            self._on_failure()
        else:
            self._future.set_result(runtime)
            if not self._documents.done():
                self._documents.set_result(runtime)


def _failed(error: BaseException) -> RuntimeNotLoadedError:
    """What requests that wait are told; the log has it too, with a traceback only of what nobody foresaw."""
    if isinstance(error, HybridError):
        _log.critical("The embedded Dagster+ ends. %s", error.sentence())
        return RuntimeNotLoadedError(error.what, why=error.why, next_step=error.next_step)
    _log.critical("Dagster could not be loaded; the embedded Dagster+ ends.", exc_info=True)
    return RuntimeNotLoadedError("Dagster could not be loaded.", why=f"{type(error).__name__}: {error}")


def _not_loaded() -> RuntimeNotLoadedError:
    return RuntimeNotLoadedError(
        f"Dagster is not loaded after {PATIENCE_SECONDS:g} s.", next_step="ask again; the log says what it does."
    )
