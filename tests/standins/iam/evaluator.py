"""A role, a call, an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.standins.iam.calls import AuthorizationRequest, UnknownCall, requests_of
from tests.standins.iam.conditions import Values
from tests.standins.iam.facts import Facts
from tests.standins.iam.language import Verdict, judge, trusts

Documents = Sequence[Mapping[str, Any]]
_KEEPS_POLICIES = ("s3", "secretsmanager", "kms", "ecr")


@dataclass(frozen=True)
class Decision:
    """``allowed``: every request of the call was. Otherwise ``denied_by`` is the first that was not."""

    allowed: bool
    reason: str
    """In AWS's manner: ``User: <role> is not authorized to perform: <action> on resource: <arn> because …``."""
    denied_by: AuthorizationRequest | None = None
    unknown: bool = False
    """The table of calls does not know this call."""
    requests: tuple[AuthorizationRequest, ...] = ()
    """All that the call needed."""


class Evaluator:
    """``policies_of_role`` gives the policy documents that a role has now (inline and attached, parsed);
    ``boundary_of_role`` its permissions boundary, if any. Both are asked anew at each decision.
    """

    def __init__(
        self,
        policies_of_role: Callable[[str], Documents],
        boundary_of_role: Callable[[str], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._policies = policies_of_role
        self._boundary = boundary_of_role or (lambda role_arn: None)

    def decide(self, role_arn: str, service: str, operation: str, params: Mapping[str, Any], facts: Facts) -> Decision:
        """``service`` and ``operation`` are botocore's names (``ecs``, ``CreateService``); ``params`` as boto3 takes
        them. ``sts:AssumeRole`` needs both the role's policy and the target's trust; AWS does with the trust alone when
        it names the role itself within one account.
        """
        try:
            requests = tuple(requests_of(service, operation, params, facts))
        except UnknownCall as unknown:
            return Decision(False, str(unknown), unknown=True)
        for asked in requests:
            verdict = self.request(role_arn, asked, facts)
            if not verdict.allowed:
                return Decision(False, _denial(role_arn, asked, verdict), asked, requests=requests)
            if asked.action == "sts:AssumeRole":
                entered = self.may_assume(asked.resource, {"AWS": role_arn}, asked.context, facts)
                if not entered.allowed:
                    return Decision(False, entered.reason, asked, requests=requests)
        return Decision(True, "allowed", requests=requests)

    def request(self, role_arn: str, asked: AuthorizationRequest, facts: Facts) -> Verdict:
        """One authorization request, for those who know it without a call."""
        context: dict[str, Values] = {
            "aws:PrincipalArn": role_arn,
            "aws:PrincipalAccount": role_arn.split(":")[4],
            "aws:RequestedRegion": facts.region,
            "aws:SecureTransport": "true",
            **asked.context,
        }
        return judge(
            self._policies(role_arn),
            asked.action,
            asked.resource,
            context,
            boundary=self._boundary(role_arn),
            resource_policy=_own_policy(asked.resource, facts),
            principal={"AWS": role_arn},
        )

    def may_assume(
        self, role_arn: str, principal: Mapping[str, str], context: Mapping[str, Values], facts: Facts
    ) -> Decision:
        """Whether a service (``{"Service": "ecs-tasks.amazonaws.com"}``) or a principal of AWS (``{"AWS": arn}``) may
        take the role. ``context``: ``aws:SourceArn``, ``aws:SourceAccount``, … as the service sends them.
        """
        asked = AuthorizationRequest("sts:AssumeRole", role_arn, context)
        trust = facts.trust_policy(role_arn)
        verdict = trusts(trust, principal, context) if trust else Verdict(False, "because the role does not exist")
        if verdict.allowed:
            return Decision(True, "allowed", requests=(asked,))
        return Decision(False, _denial(next(iter(principal.values())), asked, verdict), asked, requests=(asked,))


def _own_policy(resource: str, facts: Facts) -> Mapping[str, Any] | None:
    """An object's policy is its bucket's."""
    if not resource.startswith("arn:"):
        return None
    service, rest = resource.split(":", 5)[2], resource.split(":", 5)[5]
    if service not in _KEEPS_POLICIES:
        return None
    return facts.resource_policy(resource.removesuffix(rest) + rest.split("/")[0] if service == "s3" else resource)


def _denial(who: str, asked: AuthorizationRequest, verdict: Verdict) -> str:
    return f"User: {who} is not authorized to perform: {asked.action} on resource: {asked.resource} {verdict.because}"
