"""How an operation travels: headers, connection, tries. Imported when the first call is made, for httpx is heavy."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn

import httpx
import tenacity

from hybrid.plus.documents import Document
from hybrid.plus.endpoint import Endpoint
from hybrid.plus.errors import PlusCancelled, PlusError
from hybrid.plus.faults import fault_of
from hybrid.plus.patience import Passing, Patience, Wait, Waits
from hybrid.plus.verdict import Answer, Json, data_of
from hybrid.redaction import Token

Scope = Literal["deployment", "organization"]

_log = logging.getLogger(__name__)


class Transport:
    """One connection pool to one endpoint. Safe for several threads.

    ``cancel`` ends a wait between two tries; a request that is on its way ends by its own time-outs
    (``Patience.connect_seconds``, ``answer_seconds``). ``sleep`` and ``now`` are for tests.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        token: Token,
        patience: Patience,
        *,
        on_wait: Callable[[Wait], None] | None,
        cancel: threading.Event,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], float] = time.time,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._patience = patience
        self._on_wait = on_wait
        self._cancel = cancel
        self._sleep = sleep or cancel.wait
        self._now = now
        self._http = httpx.Client(
            timeout=httpx.Timeout(patience.answer_seconds, connect=patience.connect_seconds),
            follow_redirects=False,  # a redirect would carry the token to wherever it leads
            trust_env=not endpoint.is_loopback,  # a proxy set for the internet is not asked for this machine
            verify=endpoint.url.startswith("https:"),  # plain http needs no certificates, and they take time to load
            transport=http,
            headers={"User-Agent": f"dagster-hybrid/{importlib.metadata.version('dagster-hybrid')}"},
        )

    def close(self) -> None:
        self._http.close()

    def execute(self, document: Document, variables: Mapping[str, Any], scope: Scope) -> Json:
        """The operation's ``data``; raises a ``PlusError`` when there is none after all tries."""
        waits = Waits(self._patience, document.name, self._on_wait)
        headers = self._headers(document, scope)
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(error, document)),
            wait=waits.next_seconds,
            stop=waits.are_over,
            before_sleep=waits.announce,
            sleep=self._pause,
            reraise=True,
        )
        try:
            return tries(self._attempt, document, variables, scope, headers)
        except Passing as passing:
            error = passing.error.after(int(tries.statistics["attempt_number"]))
        # Outside of the handler, so without a context: httpx's exceptions hold the request, which holds the token.
        raise error

    def _attempt(
        self, document: Document, variables: Mapping[str, Any], scope: Scope, headers: Mapping[str, str]
    ) -> Json:
        self._stop_if_cancelled(document.name)
        url = self._endpoint.deployment_graphql if scope == "deployment" else self._endpoint.organization_graphql
        body = {"query": document.text, "variables": dict(variables), "operationName": document.name}
        fault: PlusError | Passing
        try:
            response = self._http.post(url, headers=headers, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = fault_of(error, self._endpoint, document.name)  # raised below, without this context
        else:
            _log.debug("%s: HTTP %d, %d bytes", document.name, response.status_code, len(response.content))
            answer = Answer(response.status_code, response.headers, response.text, self._now())
            return data_of(answer, document.name, self._endpoint)
        raise fault

    def _headers(self, document: Document, scope: Scope) -> dict[str, str]:
        """As the installed command line sends them (``dagster_cloud_cli/core/headers``), and the organization as
        Dagster's newer clients do (``dagster_rest_resources``), for an address that serves several."""
        headers = {
            "Dagster-Cloud-Api-Token": self._token.reveal(),
            "Dagster-Cloud-Version": importlib.metadata.version("dagster-cloud-cli"),
            "Python-Version": platform.python_version(),
            "Dagster-Cloud-Scope": scope,
            "Dagster-Cloud-Organization": self._endpoint.organization,
        }
        if scope == "deployment":
            headers["Dagster-Cloud-Deployment"] = self._endpoint.deployment
        if document.is_mutation and document.is_repeatable:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        return headers

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _stop_if_cancelled(self, operation: str) -> None:
        if self._cancel.is_set():
            raise PlusCancelled(
                f"{operation} was cancelled before it was sent.",
                next_step="run the same command again; it takes up where this one ended.",
            )

    def __repr__(self) -> str:
        return f"<Transport to {self._endpoint.url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection to Dagster+ is not pickled")


def _may_repeat(error: BaseException, document: Document) -> bool:
    return isinstance(error, Passing) and (document.is_repeatable or not error.was_sent)
