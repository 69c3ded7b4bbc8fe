"""AWS's own judgement of the policies, by its simulator: every call that the agent, ECS and user code make is allowed,
every forbidden one denied. The policies are those of an example stack; the caller needs ``iam:SimulateCustomPolicy``
and nothing of the stack has to stand. It proves what the evaluator of tests cannot: that AWS agrees with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from infra.statements import policy_text
from tests.standins.iam import AuthorizationRequest, requests_of, stack
from tests.standins.iam.forbidden import FORBIDDEN
from tests.standins.iam.recorded import Call, agent_calls, code_calls, execution_calls

pytestmark = pytest.mark.live


def asked(call: Any) -> list[AuthorizationRequest]:
    if isinstance(call, Call):
        return list(requests_of(call.service, call.operation, call.params, stack.FACTS))
    return [call.asked]


def entries(context: Mapping[str, str | tuple[str, ...]]) -> list[dict[str, Any]]:
    def entry(key: str, value: str | tuple[str, ...]) -> dict[str, Any]:
        if isinstance(value, tuple):
            return {"ContextKeyName": key, "ContextKeyType": "stringList", "ContextKeyValues": list(value)}
        return {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}

    return [entry(key, value) for key, value in context.items()]


def allowed(iam: Any, role: str, request: AuthorizationRequest) -> bool:
    statements = stack.granted().get(role, ())
    if not statements:
        return False
    answer = iam.simulate_custom_policy(
        PolicyInputList=[policy_text(statements)],
        ActionNames=[request.action],
        ResourceArns=[request.resource],
        ContextEntries=entries(request.context),
    )
    return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])


def test_aws_allows_every_call_that_is_made(iam: Any) -> None:
    denied = [
        f"{call}: {request.action} on {request.resource}"
        for call in (*agent_calls(), *execution_calls(), *code_calls())
        for request in asked(call)
        if not allowed(iam, call.role, request)
    ]
    assert not denied, "AWS would deny what the stack needs"


def test_aws_denies_every_forbidden_call(iam: Any) -> None:
    passed = [str(call) for call in FORBIDDEN if all(allowed(iam, call.role, request) for request in asked(call))]
    assert not passed, "AWS would let these through"
