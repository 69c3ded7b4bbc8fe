"""The state of components, for command-line clients.

Rests on: ``client`` (dagster_dg_cli/utils/plus/defs_state_storage.py, and Dagster's own schema, whose types these
are); ``invented`` that it takes the role EDITOR.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization


def resolvers(organization: Organization) -> Resolvers:
    states = organization.definitions_state

    def latest(_parent: Any, info: Any) -> dict[str, Any] | None:
        versions = states.versions(context_of(info)["deployment"].name)
        if not versions:
            return None
        return {
            "keyStateInfo": [
                {"name": found.key, "info": {"version": found.version, "createTimestamp": found.created_at}}
                for found in versions
            ]
        }

    def set_version(_parent: Any, info: Any, key: str, version: str | None = None) -> dict[str, bool]:
        fault = lacking(info, "EDITOR", agents=True)
        if fault is not None:
            raise GraphQLError(str(fault["message"]))
        try:
            states.set_version(context_of(info)["deployment"].name, key, version)
        except ValueError as error:
            raise GraphQLError(str(error)) from None
        return {"ok": True}

    return {"Query": {"latestDefsStateInfo": latest}, "Mutation": {"setLatestDefsStateVersion": set_version}}
