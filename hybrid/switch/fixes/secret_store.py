"""Where on the new platform secrets of code may lie that Dagster+ has now: what it takes, and what a location says of
it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


class SecretStore(Protocol):
    """A place of secrets. A value is read from standard input wherever a command puts one there: in arguments others
    could see it."""

    @property
    def choice(self) -> str:
        """Its name among a fix's choices."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def way(self) -> str:
        """How a secret comes from there to code."""
        ...

    @property
    def costs(self) -> str: ...

    def command(self, name: str) -> str:
        """What puts the variable ``name`` there."""
        ...

    def context(self, name: str) -> Mapping[str, Any]:
        """What stands in the container_context.yaml of a location that needs it."""
        ...


@dataclass(frozen=True, slots=True)
class SecretsManager:
    """AWS Secrets Manager, for ARNs that nobody knows before the secret is made: their end is AWS's."""

    stack: str
    account: str | None = None
    region: str | None = None

    choice = "secrets_manager"
    title = "AWS Secrets Manager"
    way = "by ECS"
    costs = (
        "A secret in your account and its price; the value has to be put there by somebody who knows it, the role by "
        "which ECS starts tasks has to be allowed to read it, and code sees a change at the next redeployment."
    )

    def command(self, name: str) -> str:
        return f"aws secretsmanager create-secret --name {self._id(name)} --secret-string file:///dev/stdin"

    def context(self, name: str) -> Mapping[str, Any]:
        arn = f"arn:aws:secretsmanager:{self.region or 'REGION'}:{self.account or 'ACCOUNT'}:secret:{self._id(name)}"
        return {"ecs": {"secrets": [{"name": name, "valueFrom": f"{arn}-XXXXXX"}]}}

    def _id(self, name: str) -> str:
        return f"hybrid/{self.stack}/{name if _NAME.fullmatch(name) else 'NAME'}"


@dataclass(frozen=True, slots=True)
class ClusterSecrets:
    """Secrets of Kubernetes in the stack's namespace, which its pods get as environment variables."""

    stack: str
    namespace: str
    way_there: str = ""
    """Options of kubectl that name the cluster."""

    choice = "kubernetes_secret"
    title = "a Secret of Kubernetes"
    way = "by the cluster"
    costs = (
        "A Secret in the stack's namespace, which whoever may read Secrets there reads; the value has to be put there "
        "by somebody who knows it, and code sees a change at the next redeployment."
    )

    def command(self, name: str) -> str:
        key = name if _NAME.fullmatch(name) else "NAME"
        where = f"--namespace {self.namespace}{self.way_there}"
        return f"kubectl create secret generic {self._object(name)} {where} --from-file={key}=/dev/stdin"

    def context(self, name: str) -> Mapping[str, Any]:
        return {"k8s": {"env_secrets": [self._object(name)]}}

    def _object(self, name: str) -> str:
        named = name if _NAME.fullmatch(name) else "name"
        return re.sub(r"[^a-z0-9]+", "-", f"hybrid-{self.stack}-{named}".lower())[:253].strip("-")
