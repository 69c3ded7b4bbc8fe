"""The Atlan integration's settings: set, read, deleted and looked at, by administrators of the organization.

Rests on: ``client`` for the documents and for what is made of the answers (dagster_cloud_cli/gql.py); ``invented``:
the token is never given out, so that a fixed text stands in its place, deleting what is not set succeeds, and the check
fails with a code of its own, since whether Atlan takes the token cannot be known without asking it.
"""

from __future__ import annotations

from typing import Any, Final

from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.atlan import AtlanError, AtlanSettings

HIDDEN_TOKEN: Final = "(kept, and never shown)"  # noqa: S105
NOT_CONTACTED: Final = "ATLAN_NOT_CONTACTED"
_UNSET: Final = {"__typename": "AtlanIntegrationSettingsUnset"}


class _AtlanIntegration:
    """Resolvers over the settings of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._name = organization.name
        self._atlan = organization.atlan

    def put(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        given = arguments["atlanIntegrationSettings"]
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        try:
            self._atlan.put(AtlanSettings(given["token"], given["domain"]))
        except AtlanError as error:
            return plain_error(error.sentence())
        return self._done("SetAtlanIntegrationSettingsSuccess")

    def delete(self, _parent: Any, info: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        self._atlan.delete()
        return self._done("DeleteAtlanIntegrationSuccess")

    def settings(self, _parent: Any, info: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        found = self._atlan.get()
        if found is None:
            return _UNSET
        return {"__typename": "AtlanIntegrationSettings", "token": HIDDEN_TOKEN, "domain": found.domain}

    def check(self, _parent: Any, info: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        found = self._atlan.get()
        if found is None:
            return _UNSET
        return {
            "__typename": "AtlanIntegrationPreflightCheckFailure",
            "errorCode": NOT_CONTACTED,
            "errorMessage": (
                f"The settings are there and {found.domain} is well formed as a domain. Whether Atlan takes the token "
                "is not known: the embedded Dagster+ contacts no Atlan. Check it against Dagster+ itself."
            ),
        }

    def _done(self, kind: str) -> Typed:
        return {"__typename": kind, "organization": self._name, "success": True}


def resolvers(organization: Organization) -> Resolvers:
    integration = _AtlanIntegration(organization)
    return {
        "Query": {"atlanIntegration": lambda _parent, _info: {}},
        "Mutation": {
            "setAtlanIntegrationSettings": integration.put,
            "deleteAtlanIntegrationSettings": integration.delete,
        },
        "AtlanIntegration": {
            "atlanIntegrationSettingsOrError": integration.settings,
            "atlanIntegrationPreflightCheckOrError": integration.check,
        },
    }
