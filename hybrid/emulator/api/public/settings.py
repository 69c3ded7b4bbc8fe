"""Settings documents, read and written.

Rests on: ``schema``, where ``set`` and ``update`` differ in name only: that one replaces and the other merges is
``invented``; ``docs`` for editors changing a deployment's settings and administrators of the organization the
organization's. A document that is not taken is a ``PythonError`` without a traceback, because the result has no other.
"""

from __future__ import annotations

from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.organization.settings import SettingsError


class _Settings:
    """Resolvers over the settings of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._settings = organization.settings

    def of_deployment(self, _parent: Any, info: Any) -> Typed:
        return {"settings": self._settings.in_effect(context_of(info)["deployment"])}

    def of_organization(self, _parent: Any, _info: Any) -> Typed:
        return {"settings": self._settings.of_organization}

    def of_parent(self, parent: Typed, _info: Any) -> Typed | None:
        deployment = self._organization.deployments.named(parent["deploymentName"])
        return {"settings": self._settings.in_effect(deployment)} if deployment else parent["deploymentSettings"]

    def change_deployment(self, info: Any, arguments: dict[str, Any], *, merge: bool) -> Typed:
        number = arguments.get("deploymentId")
        deployment: Deployment | None = context_of(info)["deployment"]
        if number is not None:
            deployment = self._organization.deployments.numbered(number)
        if deployment is None:
            return {"__typename": "DeploymentNotFoundError", "message": f"There is no deployment {number}."}
        fault = lacking(info, "EDITOR", deployment)
        if fault:
            return fault
        document = (arguments.get("deploymentSettings") or {}).get("settings")
        try:
            settings = self._settings.set_deployment(deployment, document, merge=merge)
        except SettingsError as error:
            return plain_error(error.sentence())
        return {"__typename": "DeploymentSettings", "settings": settings}

    def change_organization(self, info: Any, arguments: dict[str, Any], *, merge: bool) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        document = (arguments.get("organizationSettings") or {}).get("settings")
        try:
            settings = self._settings.set_organization(document, merge=merge)
        except SettingsError as error:
            return plain_error(error.sentence())
        return {"__typename": "OrganizationSettings", "settings": settings}


def resolvers(organization: Organization) -> Resolvers:
    settings = _Settings(organization)
    return {
        "Query": {
            "deploymentSettings": settings.of_deployment,
            "organizationSettings": settings.of_organization,
        },
        "Mutation": {
            "setDeploymentSettings": lambda _parent, info, **given: settings.change_deployment(
                info, given, merge=False
            ),
            "updateDeploymentSettings": lambda _parent, info, **given: settings.change_deployment(
                info, given, merge=True
            ),
            "setOrganizationSettings": lambda _parent, info, **given: settings.change_organization(
                info, given, merge=False
            ),
            "updateOrganizationSettings": lambda _parent, info, **given: settings.change_organization(
                info, given, merge=True
            ),
        },
        "DagsterCloudDeployment": {"deploymentSettings": settings.of_parent},
    }
