"""Which API answers a document, and what is said when none does.

An agent's documents go to the agents' API if they are valid there; all others go to the public API, to Dagster's own
schema, or to both. Rests on: ``client`` (agents and other clients send documents of the same names to the same path);
``invented`` for the words and for counting what is not served.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import ExecutionResult, GraphQLError

from hybrid.emulator.api.agent import agent_api
from hybrid.emulator.api.context import Context
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.parsing import Operation
from hybrid.emulator.api.public import public_api
from hybrid.emulator.api.rights import LackingRightsError, check_oss, check_reach
from hybrid.emulator.api.schema import Api
from hybrid.emulator.api.splitting import joined, part
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization

Answer = dict[str, Any]
_UNKNOWN_FIELD: Final = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")
_log = logging.getLogger(__name__)


class Service:
    """Answers GraphQL operations of callers that were admitted."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader, meter: Meter) -> None:
        self._organization = organization
        self._runtime = runtime
        self._meter = meter
        self._public = public_api(organization, runtime)
        self._agent_without_storages = agent_api(organization, runtime.get, None)
        self._agent_whole: Api | None = None
        self._lock = threading.Lock()

    def needs_runtime(self, operation: Operation, context: Context) -> bool:
        """Whether the answer has to wait for Dagster, as long as that is not loaded."""
        if _is_agent(context) and not self._agent_without_storages.problems(operation):
            return False
        return not operation.fields <= self._public.root_fields(operation.kind)

    def is_agents_own(self, operation: Operation, context: Context) -> bool:
        """Whether the agents' API answers it: such an answer never waits for an agent."""
        return _is_agent(context) and not self._agent_api().problems(operation)

    def record(self, operation: str, seconds: float) -> None:
        """Count an answer that was given again (``hybrid.emulator.api.repetition``)."""
        self._meter.record(operation, seconds, failed=False)

    def answer(self, operation: Operation, variables: Mapping[str, Any] | None, context: Context) -> Answer:
        """The answer as it goes over the wire; may wait for Dagster, or for an agent."""
        started, refused = time.perf_counter(), False
        answer: Answer = {"errors": [{"message": "internal"}]}
        try:
            answer = self._routed(operation, variables, context)
        except GraphQLError as error:
            answer, refused = {"errors": [error.formatted]}, isinstance(error, LackingRightsError)
        finally:
            failed = "errors" in answer and not refused
            self._meter.record(operation.name, time.perf_counter() - started, failed=failed, refused=refused)
        return answer

    def _routed(self, operation: Operation, variables: Mapping[str, Any] | None, context: Context) -> Answer:
        public_fields = self._public.root_fields(operation.kind)
        if _is_agent(context):
            api = self._agent_api()
            problems = api.problems(operation)
            if not problems:
                check_reach(operation, context, as_agent=True)
                return self._executed(api, operation, variables, context)
            if operation.fields <= api.root_fields(operation.kind) and not operation.fields <= public_fields:
                return self._refused(operation, problems)
        check_reach(operation, context)
        ours = operation.fields & public_fields
        if ours == operation.fields:
            return self._of_public(operation, variables, context)
        if not ours:
            return self._of_dagster(operation, variables, context)
        if operation.is_mutation:
            raise GraphQLError(
                f"Operation {operation.name} mixes mutations of Dagster+ and of Dagster; send them apart, so that "
                "their order is certain."
            )
        ours_only = self._of_public(part(operation, ours), variables, context)
        theirs = self._of_dagster(part(operation, operation.fields - ours), variables, context)
        return joined(operation, [ours_only, theirs])

    def _agent_api(self) -> Api:
        """The agents' API, whole as soon as Dagster is loaded."""
        loaded = self._runtime.loaded
        if loaded is None:
            return self._agent_without_storages
        with self._lock:
            if self._agent_whole is None:
                self._agent_whole = agent_api(self._organization, self._runtime.get, loaded)
            return self._agent_whole

    def _of_public(self, operation: Operation, variables: Mapping[str, Any] | None, context: Context) -> Answer:
        problems = self._public.problems(operation)
        return (
            self._refused(operation, problems)
            if problems
            else self._executed(self._public, operation, variables, context)
        )

    def _of_dagster(self, operation: Operation, variables: Mapping[str, Any] | None, context: Context) -> Answer:
        runtime = self._runtime.get()
        unknown = sorted(operation.fields - runtime.oss_root_fields.get(operation.kind, frozenset()) - {"__typename"})
        if unknown and self._agent_api().root_fields(operation.kind).issuperset(unknown):
            raise GraphQLError(
                f"Only an agent's token may send {operation.kind} {', '.join(unknown)} (operation {operation.name})."
            )
        if unknown:
            for field in unknown:
                self._meter.record_unknown(operation.name, f"{operation.kind}.{field}")
            raise GraphQLError(
                f"The embedded Dagster+ does not serve {operation.kind} {', '.join(unknown)} "
                f"(operation {operation.name})."
            )
        check_oss(operation, context)
        deployment = context["deployment"].name
        answer = dict(runtime.execute_oss(deployment, operation.text, variables, operation.requested_name))
        for error in answer.get("errors") or ():
            self._count_unknown(operation, str(error.get("message")))
        return answer

    def _executed(
        self, api: Api, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> Answer:
        result: ExecutionResult = api.execute(operation, variables, context)
        if not result.errors:
            return {"data": result.data}
        for error in result.errors:
            if error.original_error is not None:
                _log.error("operation %s failed", operation.name, exc_info=error.original_error)
        return {"errors": [error.formatted for error in result.errors], "data": result.data}

    def _refused(self, operation: Operation, problems: Sequence[GraphQLError]) -> Answer:
        for problem in problems:
            self._count_unknown(operation, problem.message)
        said = f"The embedded Dagster+ cannot answer operation {operation.name}: "
        return {"errors": [{**problem.formatted, "message": said + problem.message} for problem in problems]}

    def _count_unknown(self, operation: Operation, message: str) -> None:
        found = _UNKNOWN_FIELD.search(message)
        if found:
            self._meter.record_unknown(operation.name, f"{found[2]}.{found[1]}")


def _is_agent(context: Context) -> bool:
    return context["caller"].kind == "agent"
