"""What the control plane asks of the runtime, as types: the runtime is loaded late and is never imported for them.

The control plane answers without Dagster; the runtime is the part that holds Dagster's objects. Between them goes
plain data only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from hybrid.emulator.reporting import Entity, Metric, Place, Sample, Scope


class ErrorView(Protocol):
    """An error as Dagster serializes it (``SerializableErrorInfo``), unpacked."""

    @property
    def message(self) -> str: ...
    @property
    def stack(self) -> Sequence[str]: ...
    @property
    def class_name(self) -> str | None: ...
    @property
    def cause(self) -> ErrorView | None: ...


class CodeServerView(Protocol):
    """A code server as its agent sees it. ``status`` is STARTING, RUNNING or FAILED."""

    @property
    def location_name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> ErrorView | None: ...


class RunWorkerView(Protocol):
    """A run worker as its agent sees it. ``status`` is RUNNING, NOT_FOUND, FAILED, SUCCESS or UNKNOWN."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def message(self) -> str | None: ...


class HeartbeatView(Protocol):
    """An agent's heartbeat (``AgentHeartbeat``), unpacked. ``timestamp`` in seconds since the epoch, agent's clock."""

    @property
    def agent_id(self) -> str: ...
    @property
    def agent_label(self) -> str | None: ...
    @property
    def agent_type(self) -> str | None: ...
    @property
    def timestamp(self) -> float: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def code_servers(self) -> Sequence[CodeServerView]: ...
    @property
    def run_workers(self) -> Sequence[RunWorkerView]: ...


class InsightsView(Protocol):
    """What Insights are made of: a deployment's runs, events and definitions.

    Times in seconds since the epoch; ``after`` belongs to the time, ``before`` does not. What cannot be answered raises
    ``hybrid.emulator.reporting.ReportingError``.
    """

    def samples(self, metric: Metric, scope: Scope, after: float, before: float) -> list[Sample]:
        """All samples of a metric, whichever asset or job they are of."""

    def numeric_metadata(self, after: float, before: float, assets: Sequence[Entity] | None) -> list[str]:
        """The keys under which ``assets``, or any, gave numbers with their events; at most 500, by name."""

    def assets(self, selection: str | None) -> dict[Entity, Place]:
        """The assets that are defined now, or those of a selection in Dagster's own syntax."""


class LocationDocuments(Protocol):
    """What is known of locations' documents before the rest of Dagster is loaded."""

    def validate_document(self, document: Mapping[str, Any]) -> list[str]:
        """What is wrong with a location's document, by Dagster+'s own schema of it. Empty when nothing is."""

    def deploy_metadata(self, document: Mapping[str, Any], environment: Mapping[str, str]) -> str:
        """The document as agents get it (serialized ``CodeLocationDeployData``); its code finds ``environment`` set."""


class Runtime(LocationDocuments, Protocol):
    """Dagster's side of the emulator. All methods may be called from any thread."""

    @property
    def sdl(self) -> str:
        """Extensions of the agents' schema: what storages of agents, code servers and run workers ask."""

    @property
    def resolvers(self) -> Mapping[str, Mapping[str, Callable[..., Any]]]:
        """Resolvers of ``sdl``: type, field, ``f(parent, info, **arguments)``."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """REST of agents and run workers. Names that begin with ``presigned:`` check their own signature."""

    def web(self, deployment: str) -> ASGIApp:
        """The stock Dagster UI with its GraphQL; the deployment's prefix is taken off the path before."""

    @property
    def oss_root_fields(self) -> Mapping[str, frozenset[str]]:
        """Fields of Dagster's own schema by ``query``, ``mutation``, ``subscription``."""

    def execute_oss(
        self, deployment: str, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
    ) -> Mapping[str, Any]:
        """Run a document of Dagster's own schema; the answer as it goes over the wire."""

    def insights(self, deployment: str) -> InsightsView:
        """Raises ``LookupError`` when there is no such deployment."""

    def read_heartbeat(self, serialized: str) -> HeartbeatView: ...

    def read_error(self, serialized: str) -> ErrorView: ...

    def location_changed(self, deployment: str, name: str) -> None:
        """A location was put or deleted: tell the agents and forget what was loaded."""

    def ping(self, deployment: str, location: str) -> None:
        """Ask a location's agent for a sign of its code server, and wait for it. Raises when none comes."""

    def close(self) -> None: ...
