"""A stand-in for IAM's decisions: what AWS would answer when a role makes a call.

Moto tests an action against ``*`` and nothing finer; here are ARNs, conditions, explicit denies, boundaries, policies
of resources, trust, and the requests that a call implies (``iam:PassRole``, ``ecs:TagResource``).

Which authorization requests a call makes is a table (``calls.py``). It is this project's reading of AWS, so every row
of it is held against AWS's Service Authorization Reference in tests/contracts/test_iam_table.py.

    evaluator = Evaluator(lambda role_arn: [policy_document, ...])
    decision = evaluator.decide(role_arn, "ecs", "CreateService", params, facts)
    if not decision.allowed: ...  # decision.denied_by, decision.reason

``decision.unknown`` is true for a call that the table lacks: it is denied, and a test should fail on it.
"""

from __future__ import annotations

from tests.standins.iam.calls import AuthorizationRequest, UnknownCall, requests_of
from tests.standins.iam.evaluator import Decision, Evaluator
from tests.standins.iam.facts import Facts, StaticFacts, TaskDefinition

__all__ = [
    "AuthorizationRequest",
    "Decision",
    "Evaluator",
    "Facts",
    "StaticFacts",
    "TaskDefinition",
    "UnknownCall",
    "requests_of",
]
