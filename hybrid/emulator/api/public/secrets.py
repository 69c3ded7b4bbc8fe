"""Secrets: environment variables of a deployment.

Rests on: ``schema``; ``docs`` for editors reading and writing values, and for the secrets of a branch deployment being
managed in its full deployment; ``client`` for a list by location holding what is for all locations too
(dagster_dg_cli/cli/plus/create/env.py); ``invented``: who may not see values gets empty ones, ``removedSecrets`` are
names, and the file of local secrets is of lines ``NAME=value``, the value in JSON's double quotes where it needs any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import GraphQLError

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public import users
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking, shortage
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.organization.secrets import (
    NewSecret,
    Scopes,
    Secret,
    SecretError,
    SecretTakenError,
    TooManySecretsError,
)

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


class _Secrets:
    """Resolvers over the secrets of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._secrets = organization.secrets

    def listed(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "VIEWER")
        if fault:
            return fault
        found = self._secrets.all(self._full(info))
        if arguments.get("onlyViewable") and not _edits(info):
            found = []
        scopes, location, name = arguments.get("scopes"), arguments.get("locationName"), arguments.get("secretName")
        if scopes is not None:
            found = [secret for secret in found if secret.scopes & Scopes.of(scopes)]
        if location is not None:
            found = [secret for secret in found if secret.is_for(location)]
        if name is not None:
            found = [secret for secret in found if secret.name == name]
        return {"__typename": "Secrets", "secrets": [self._described(info, secret) for secret in found]}

    def create(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        return self._written(
            info, lambda deployment, by: self._secrets.create(deployment, self._wanted(info, arguments), by)
        )

    def update(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        def write(deployment: Deployment, by: int | None) -> Secret:
            return self._secrets.update(deployment, arguments["secretId"], self._wanted(info, arguments), by)

        return self._written(info, write)

    def put(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        location = arguments.get("locationName")
        wanted = {**arguments, "locationNames": [location] if location else []}
        return self._written(
            info,
            lambda deployment, by: self._secrets.put(deployment, self._wanted(info, wanted), by),
            taken="SecretAlreadyExistsError",
        )

    def delete(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "EDITOR", self._full(info))
        if fault:
            return fault
        try:
            self._secrets.delete(self._writable(info), arguments["secretId"])
        except SecretError as error:
            return plain_error(error.sentence())
        return {"__typename": "DeleteSecretSuccess", "secretId": arguments["secretId"]}

    def sync(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "EDITOR", self._full(info))
        if fault:
            return fault
        try:
            wanted = [self._wanted(info, one) for one in arguments["secrets"] if one is not None]
            kept, gone = self._secrets.sync(self._writable(info), wanted, context_of(info)["caller"].user_id)
        except SecretError as error:
            return _refused(error)
        return {
            "__typename": "SyncSecretsSuccess",
            "secrets": [self._described(info, secret) for secret in kept],
            "removedSecrets": gone,
        }

    def local_file(self, _parent: Any, info: Any) -> str:
        words = shortage(context_of(info), "EDITOR", self._full(info))
        if words:
            raise GraphQLError(words)
        found = [secret for secret in self._secrets.all(self._full(info)) if secret.scopes.local]
        # One name may be there twice, for all locations and for some; the file knows no locations, the first is kept.
        lines = {secret.name: f"{secret.name}={_quoted(secret.value)}\n" for secret in reversed(found)}
        return "".join(lines[name] for name in sorted(lines))

    def editable(self, _parent: Any, info: Any) -> Typed:
        return {"allLocations": _edits(info) and not context_of(info)["deployment"].is_branch, "locationNames": []}

    def _full(self, info: Any) -> Deployment:
        """The deployment whose secrets these are."""
        deployment = context_of(info)["deployment"]
        return self._organization.deployments.parent(deployment) or deployment

    def _writable(self, info: Any) -> Deployment:
        deployment = context_of(info)["deployment"]
        if deployment.is_branch:
            raise SecretError(
                f"'{deployment.name}' is a branch deployment; its environment variables are read-only.",
                next_step=f"change them in {self._full(info).name}.",
            )
        return deployment

    def _wanted(self, info: Any, arguments: Mapping[str, Any]) -> NewSecret:
        scopes = Scopes.of(arguments["scopes"])
        if scopes.branch is not None:
            branch = self._organization.deployments.named(scopes.branch)
            if branch is None or branch.parent_id != self._full(info).id:
                raise SecretError(f"There is no branch deployment '{scopes.branch[:80]}' of {self._full(info).name}.")
        locations = tuple(name or "" for name in arguments.get("locationNames") or ())
        return NewSecret(arguments["secretName"], arguments["secretValue"], scopes, locations)

    def _written(
        self,
        info: Any,
        write: Callable[[Deployment, int | None], Secret],
        *,
        taken: str = "InvalidSecretInputError",
    ) -> Typed:
        fault = lacking(info, "EDITOR", self._full(info))
        if fault:
            return fault
        try:
            secret = write(self._writable(info), context_of(info)["caller"].user_id)
        except SecretError as error:
            return _refused(error, taken)
        return {"__typename": "CreateOrUpdateSecretSuccess", "secret": self._described(info, secret)}

    def _described(self, info: Any, secret: Secret) -> Typed:
        user = self._organization.users.get(secret.updated_by)
        may = _edits(info)
        return {
            "id": secret.id,
            "secretName": secret.name,
            "secretValue": secret.value if may else "",
            "updatedBy": users.described(user) if user else None,
            "updateTimestamp": secret.updated_at,
            "fullDeploymentScope": secret.scopes.full,
            "allBranchDeploymentsScope": secret.scopes.all_branches,
            "specificBranchDeploymentScope": secret.scopes.branch,
            "localDeploymentScope": secret.scopes.local,
            "locationNames": list(secret.locations),
            "canViewSecretValue": may,
            "canEditSecret": may and not context_of(info)["deployment"].is_branch,
        }


def resolvers(organization: Organization) -> Resolvers:
    secrets = _Secrets(organization)
    return {
        "Query": {"secretsOrError": secrets.listed, "localSecretsFileContents": secrets.local_file},
        "Mutation": {
            "createSecret": secrets.create,
            "updateSecret": secrets.update,
            "deleteSecret": secrets.delete,
            "syncSecrets": secrets.sync,
            "createOrUpdateSecretForScopes": secrets.put,
        },
        "DagsterCloudDeployment": {"editableSecretLocations": secrets.editable},
    }


def _edits(info: Any) -> bool:
    return shortage(context_of(info), "EDITOR") is None


def _refused(error: SecretError, taken: str = "InvalidSecretInputError") -> Typed:
    kinds = {SecretTakenError: taken, TooManySecretsError: "TooManySecretsError"}
    return {"__typename": kinds.get(type(error), "InvalidSecretInputError"), "message": error.sentence()}


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
