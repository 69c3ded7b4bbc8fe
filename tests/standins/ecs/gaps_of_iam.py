"""What moto has otherwise than AWS in IAM and in policies of buckets (moto 5.2.5). Each function closes one gap, and
says which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.iam.responses import IamResponse
from moto.s3.models import FakeBucket

from tests.standins.ecs import world
from tests.standins.ecs.patching import Gap, Patch
from tests.standins.ecs.place import REGION
from tests.standins.iam import AuthorizationRequest
from tests.standins.iam.language import Verdict


def a_bucket_s_policy_is_judged_once(patch: Patch) -> None:
    """Moto refuses objects by a bucket's policy without its conditions: "no call without TLS" is "no call" there. The
    lab's own IAM knows conditions and has decided before."""
    patch.set(FakeBucket, "get_permission", lambda self, action, resource: PermissionResult.NEUTRAL)


def what_a_role_may_do_can_be_tried(patch: Patch) -> None:
    """There is no SimulatePrincipalPolicy."""

    def simulate_principal_policy(self: Any) -> ActionResult:
        role = self._get_param("PolicySourceArn")
        context = {
            entry["ContextKeyName"]: tuple(entry["ContextKeyValues"]) for entry in self._get_param("ContextEntries", [])
        }
        results = []
        for action in self._get_param("ActionNames", []):
            for resource in self._get_param("ResourceArns", ["*"]):
                asked = AuthorizationRequest(action, resource, context)
                verdict = world.iam().request(role, asked, _RoleAlone(REGION))
                results.append(
                    {
                        "EvalActionName": action,
                        "EvalResourceName": resource,
                        "EvalDecision": _decision(verdict),
                        "MissingContextValues": [],
                    }
                )
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    patch.set(IamResponse, "simulate_principal_policy", simulate_principal_policy)


def _decision(verdict: Verdict) -> str:
    if verdict.allowed:
        return "allowed"
    return "explicitDeny" if "explicit deny" in verdict.because else "implicitDeny"


class _RoleAlone(world.AccountFacts):
    """A simulation has no policies of resources unless it is given some."""

    def resource_policy(self, arn: str) -> Mapping[str, Any] | None:
        return None


GAPS: Final = (Gap(a_bucket_s_policy_is_judged_once), Gap(what_a_role_may_do_can_be_tried))
