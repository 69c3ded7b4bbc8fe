"""What code locations, and the agent's own settings, name in AWS: the roles and secrets that the stack's policies have
to allow for.

Keys of ``container_context.ecs``: dagster_aws/ecs/container_context.py of dagster-aws 0.29.27.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

_SECRET: Final = re.compile(r"(arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:*?\s]+)(?::.*)?")
_ROLE: Final = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/[\w+=,.@/-]+")
_SIDECARS: Final = ("server_sidecar_containers", "run_sidecar_containers")


@dataclass(frozen=True)
class NamedByLocations:
    """Each sorted and named once. What is no ARN is left out: the gate has words for it."""

    task_role_arns: tuple[str, ...] = ()
    """Roles that locations want for their code: the agent may pass them."""
    execution_role_arns: tuple[str, ...] = ()
    """Roles by which locations want their containers started: the agent may pass them."""
    secret_arns: tuple[str, ...] = ()
    """Secrets of Secrets Manager that the stack's own execution role of code reads, without JSON key and version. A
    location with an execution role of its own adds none: its role reads them."""
    repository_credential_arns: tuple[str, ...] = ()
    """Secrets with the login of a registry, read by the same role."""
    secrets_tags: tuple[str, ...] = ()
    """Tags whose secrets locations want: the agent lists the account's secrets for them, and the execution role reads
    each that carries one."""

    def joined(self, other: NamedByLocations) -> NamedByLocations:
        """What either names."""
        return NamedByLocations(
            **{part.name: _once((*getattr(self, part.name), *getattr(other, part.name))) for part in fields(self)}
        )


def named_in(documents: Iterable[Mapping[str, Any]]) -> NamedByLocations:
    """What the locations' documents (``hybrid.delivery.document.location_document``) name below
    ``container_context.ecs``, in containers beside the main one too."""
    named = NamedByLocations()
    for document in documents:
        context = _mapping(_mapping(document.get("container_context")).get("ecs"))
        named = named.joined(named_in_context(context))
    return named


def named_in_context(ecs: Mapping[str, Any]) -> NamedByLocations:
    """What one ``container_context.ecs`` names, or the launcher's configuration, whose keys are the same."""
    execution_role = role_arn(ecs.get("execution_role_arn"))
    containers = [ecs, *(_mapping(each) for key in _SIDECARS for each in _list(ecs.get(key)))]
    # these are read by the role that starts the containers, which may not be the stack's
    secrets = [] if execution_role else [_mapping(each).get("valueFrom") for it in containers for each in _secrets(it)]
    logins = [] if execution_role else [_login(container) for container in containers]
    return NamedByLocations(
        task_role_arns=_once(_given([role_arn(ecs.get("task_role_arn"))])),
        execution_role_arns=_once(_given([execution_role])),
        secret_arns=_once(_given(secret_arn(each) for each in secrets)),
        repository_credential_arns=_once(_given(secret_arn(each) for each in logins)),
        secrets_tags=_once(tag for tag in _list(ecs.get("secrets_tags")) if isinstance(tag, str) and tag),
    )


def secret_arn(said: Any) -> str | None:
    """The ARN of a secret of Secrets Manager in ``valueFrom``, without JSON key, version stage and version id; None if
    it is none. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"""
    found = _SECRET.fullmatch(said) if isinstance(said, str) else None
    return found[1] if found else None


def role_arn(said: Any) -> str | None:
    """``said`` if it is the ARN of a role."""
    return said if isinstance(said, str) and _ROLE.fullmatch(said) else None


def _secrets(container: Mapping[str, Any]) -> list[Any]:
    return _list(container.get("secrets"))


def _login(container: Mapping[str, Any]) -> Any:
    """A location says the ARN alone, a container of a task definition wraps it."""
    wrapped = _mapping(container.get("repositoryCredentials")).get("credentialsParameter")
    return wrapped or container.get("repository_credentials")


def _given(values: Iterable[str | None]) -> Iterator[str]:
    return (value for value in values if value)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _list(said: Any) -> list[Any]:
    return list(said) if isinstance(said, list | tuple) else []
