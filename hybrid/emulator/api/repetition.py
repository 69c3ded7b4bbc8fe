"""Questions that agents repeat, answered without parsing, executing or changing threads while nothing has changed.

Five hundred agents ask a thousand times a second for requests, a hundred times for their locations, and hear the same
each time. An answer is kept for the body's bytes and the rights of the token, and given again as long as what it was
made from is the same; nothing else about the caller went into it.

Rests on: ``client`` for what is repeated and how often (dagster_cloud/agent/dagster_cloud_agent.py, agent/queries.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import FieldNode, SelectionSetNode, VariableNode

from hybrid.emulator.api.context import Context
from hybrid.emulator.api.parsing import Operation
from hybrid.emulator.organization import Deployment, Organization, TokenRecord

_KEPT: Final = 256
_LONGEST: Final = 8 * 1024  # bytes of a question; agents name their deployments in it

_Key = tuple[bytes, frozenset[tuple[str, int | None]]]
Moment = tuple[int, tuple[Deployment, ...]]


@dataclass(frozen=True)
class _Known:
    """An answer; ``moment`` is None for a request for work, which is answered so whenever there is none."""

    operation: str
    answer: bytes
    moment: Moment | None
    for_branches: bool


class Repetition:
    """What was answered lately. ``record(operation, seconds)`` counts what is answered from here. Not thread-safe: for
    the event loop."""

    def __init__(self, organization: Organization, record: Callable[[str, float], None]) -> None:
        self._organization = organization
        self._record = record
        self._known: dict[_Key, _Known] = {}

    def answer(self, raw: bytes, context: Context) -> bytes | None:
        """The answer to a question that was learnt and whose answer is the same still."""
        started = time.perf_counter()
        caller = context["caller"]
        known = self._known.get(_key(raw, caller)) if len(raw) <= _LONGEST else None
        if known is None or not self._holds(known):
            return None
        if known.for_branches:
            self._organization.agents.polled_for_branches(caller.id)
        self._record(known.operation, time.perf_counter() - started)
        return known.answer

    def moment(self) -> Moment:
        """What answers about locations are made from; to be asked before such an answer is made."""
        return self._organization.locations.version, self._organization.deployments.all()

    def learn(
        self,
        raw: bytes,
        operation: Operation,
        variables: Mapping[str, Any],
        context: Context,
        moment: Moment,
        answer: bytes,
    ) -> None:
        """Keep the answer of the agents' API, one without errors, if it is one of those that are repeated."""
        if len(raw) > _LONGEST or context["caller"].kind != "agent":
            return
        key = _key(raw, context["caller"])
        if operation.kind == "query" and operation.fields == {"deployments"}:
            self._keep(key, _Known(operation.name, answer, moment, for_branches=False))
        elif operation.is_mutation and operation.fields == {"userCloudAgent"}:
            names = _only_asks_for_work(operation.definition.selection_set)
            if names is not None and self._organization.requests.pending() == 0 and answer.endswith(b":[]}}}"):
                branches = bool(variables.get(names.get("forBranchDeployments", "")))
                self._keep(key, _Known(operation.name, answer, None, branches))

    def _holds(self, known: _Known) -> bool:
        if known.moment is None:
            return self._organization.requests.pending() == 0
        return self._organization.locations.settled and known.moment == self.moment()

    def _keep(self, key: _Key, known: _Known) -> None:
        self._known.pop(key, None)
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = known


def _key(raw: bytes, caller: TokenRecord) -> _Key:
    return raw, frozenset((grant.scope, grant.deployment_id) for grant in caller.grants if caller.kind == "agent")


def _only_asks_for_work(selections: SelectionSetNode) -> dict[str, str] | None:
    """The variables by the argument that they are given for, if requests for work are all that is asked for."""
    fields = _fields(selections)
    inner = fields[0].selection_set if len(fields) == 1 else None
    asked = _fields(inner) if inner else ()
    if len(asked) != 1 or asked[0].name.value != "popUserCloudAgentRequests":
        return None
    names = {
        argument.name.value: argument.value.name.value
        for argument in asked[0].arguments
        if isinstance(argument.value, VariableNode)
    }
    return names if len(names) == len(asked[0].arguments) else None


def _fields(selections: SelectionSetNode) -> list[FieldNode]:
    """The fields selected; none if there is anything else, or a directive."""
    found = [node for node in selections.selections if isinstance(node, FieldNode) and not node.directives]
    return found if len(found) == len(selections.selections) else []
