"""Serverless: whether it is there, where Python executables are put, and non-isolated runs.

Rests on: ``schema`` for the fields and ``client`` for ``registryIsHarbor`` and for what a client without a registry
does (dagster_cloud_cli/gql.py, dagster_cloud_cli/commands/serverless: PEX goes on, and ``registry-info`` prints
nothing); ``docs`` for the deployment setting ``non_isolated_runs``. ``invented``: the status follows from the agent
types alone, there is no registry for images, and the role EDITOR that an upload takes.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from graphql import GraphQLError

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization
from hybrid.emulator.rest.files import presigned_url
from hybrid.emulator.rest.pex import PEX_PATH
from hybrid.emulator.serverless.pex_files import PexNameError, check_name

_MOST_FILES: Final = 100  # of one mutation; a deploy of many locations asks for two each
_REGION: Final = "us-west-2"  # what dagster_cloud_cli/commands/serverless takes when none is told


def resolvers(organization: Organization) -> Resolvers:

    def serverless(_parent: Any, _info: Any) -> dict[str, Any]:
        return {
            "__typename": "Serverless",
            "id": organization.public_id,
            "isWaitlisted": False,
            "canEnable": True,
            "requiresPaymentCheck": False,
            "status": _status(organization),
            "error": None,
            "registryUrl": None,
            "registryAllowCustomBase": False,
            "registryIsHarbor": False,
            "awsAuthToken": None,
            "awsAccessKeyId": "",
            "awsSecretAccessKey": "",
            "awsRegion": _REGION,
            "stackTotalResourceCount": 0,
            "stackCompleteResourceCount": 0,
            "stackRetryCount": 0,
            "canAccessLogs": False,
        }

    def pex_urls(_parent: Any, info: Any, filenames: list[str], method: str) -> list[dict[str, str]]:
        fault = lacking(info, "EDITOR", agents=True)
        if fault is not None:
            raise GraphQLError(str(fault["message"]))
        if len(filenames) > _MOST_FILES:
            raise GraphQLError(f"URLs for {len(filenames)} files were asked for; at most {_MOST_FILES} are given.")
        try:
            for name in filenames:
                check_name(name)
        except PexNameError as error:
            raise GraphQLError(error.sentence()) from None
        origin = _origin(info)
        subjects = [{"name": name, "method": method} for name in filenames]
        return [{"url": presigned_url(origin, organization.signer, PEX_PATH, subject)} for subject in subjects]

    def non_isolated(_parent: Any, info: Any) -> dict[str, Any]:
        deployment = context_of(info)["deployment"]
        settings = deployment.settings.get("non_isolated_runs")
        enabled = isinstance(settings, dict) and bool(settings.get("enabled"))
        return {
            "showNonIsolatedRunToggle": enabled,
            "enableNonIsolatedRunToggle": enabled,
            "nonIsolatedRunToggleMessage": "" if enabled else "Non-isolated runs are off in the deployment's settings.",
        }

    return {
        "Query": {"serverless": serverless, "nonIsolatedRuns": non_isolated},
        "Mutation": {"generateServerlessPexUrl": pex_urls},
    }


def _status(organization: Organization) -> str:
    full = organization.deployments.full()
    if any(deployment.agent_type == "SERVERLESS" for deployment in full):
        return "ACTIVE"
    last = max((deployment.agent_type_since for deployment in full), default=0.0)
    leaving = organization.agents.now() < last + organization.serverless.departure_seconds
    return "DELETING" if last > 0 and leaving else "INACTIVE"


def _origin(info: Any) -> str:
    """Where the client reached us; the host that it named, if that can be one."""
    host = context_of(info)["headers"].get("host", "")
    if urlsplit(f"//{host}").netloc != host or not host:
        raise GraphQLError("The request has no header Host that could be in a URL.")
    return f"http://{host}"
