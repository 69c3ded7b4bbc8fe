"""Where a stack's stored asset values lie, and the environment variables by which its code finds them there. Pure: from
settings and names, so that the program and the command line know it alike, without asking AWS or the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.delivery.document import CONTEXTS
from stacks.identity import StackIdentity
from stacks.platform_facts import OwnBucket, OwnContainer, facts_of

MODULE_VARIABLE: Final = "DAGSTER_DEFAULT_IO_MANAGER_MODULE"
"""Read by Dagster wherever a definition names no IO manager (dagster/_core/definitions/job_definition.py)."""
ATTRIBUTE_VARIABLE: Final = "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE"

_MODULE: Final = "asset_values.io_manager"


@dataclass(frozen=True)
class StoredValuesPlace:
    """A bucket, or a container of a storage account, with a prefix; or a folder of this machine: exactly one of
    ``bucket``, ``container`` and ``folder``."""

    bucket: str | None = None
    prefix: str = ""
    """Without slashes at its ends."""
    region: str | None = None
    """None: what the machine is set to."""
    endpoint: str | None = None
    """None: AWS's own."""
    folder: str | None = None
    """Absolute."""
    account: str | None = None
    """The container's."""
    container: str | None = None

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``, ``abfss://container@account.dfs.core.windows.net/prefix`` or the folder's path."""
        if self.folder is not None:
            return self.folder
        if self.container is not None:
            return f"abfss://{self.container}@{self.account}.dfs.core.windows.net/{self.prefix}".rstrip("/")
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def variables(self) -> dict[str, str]:
        """By which code finds it: which of the IO managers of ``asset_values.io_manager``, and what that reads."""
        if self.folder is not None:
            return {ATTRIBUTE_VARIABLE: "folder_pickle_io_manager", "ASSET_VALUES_FOLDER": self.folder}
        if self.container is not None:
            manager, said = "adls2_pickle_io_manager", {"ACCOUNT": self.account, "CONTAINER": self.container}
        else:
            manager = "s3_pickle_io_manager"
            said = {"BUCKET": self.bucket, "REGION": self.region, "ENDPOINT": self.endpoint}
        given = {f"ASSET_VALUES_{name}": value for name, value in {**said, "PREFIX": self.prefix}.items()}
        return {ATTRIBUTE_VARIABLE: manager, **{name: value for name, value in given.items() if value is not None}}


def stored_values_place(who: StackIdentity) -> StoredValuesPlace | None:
    """Where values are to be copied to, whether code loads from there yet or not.

    The stack's own bucket on ECS and its container in Azure, unless the settings name another place. None: the settings
    of a stack elsewhere name none, or a folder that is in containers, which nothing outside of them reaches.
    """
    place = _place(who)
    return None if place is not None and place.folder is not None and who.settings.agent.needs_images else place


def _place(who: StackIdentity) -> StoredValuesPlace | None:
    """Where code stores values, also where nothing outside of its containers reaches."""
    settings, own = who.settings.asset_values, facts_of(who).values
    if settings.folder is not None:
        return StoredValuesPlace(folder=settings.folder)
    if settings.container is not None:
        return StoredValuesPlace(account=settings.account, container=settings.container, prefix=settings.prefix)
    if isinstance(own, OwnContainer) and settings.bucket is None:
        return StoredValuesPlace(account=own.account, container=own.name, prefix=settings.prefix)
    region, bucket = settings.region, settings.bucket
    if isinstance(own, OwnBucket):
        bucket = bucket or own.name
        region = region or (own.region if settings.endpoint is None else None)
    return None if bucket is None else StoredValuesPlace(bucket, settings.prefix, region, settings.endpoint)


def stored_values_writer(who: StackIdentity) -> tuple[str, str] | None:
    """The ARN of the role that a copy on Serverless takes, and the external id that it says; None: there is none."""
    writer, role = who.settings.asset_values.writer, facts_of(who).writer_role
    return None if writer is None or role is None else (role, writer.external_id)


def stored_value_variables(who: StackIdentity) -> dict[str, str]:
    """What code servers and runs need so that Dagster's default IO manager stores there; none unless it is wanted.

    They go to code from the agent's side and are no variables of Dagster+: Serverless would take those, too, and read
    from the new place before anything is there.
    """
    if not who.settings.asset_values.io_manager:
        return {}
    place = _place(who)
    if place is None:
        raise TypeError("settings with an IO manager have a bucket or a folder: Settings holds it")
    return {MODULE_VARIABLE: _MODULE, **place.variables}


def in_context(who: StackIdentity, document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` of a location that runs from an image, with those variables in the context of the stack's platform:
    code servers and runs both have what stands there. What the location, or the agent's own settings, say under such a
    name stays as it is."""
    missing = _without(who, own_names(who, document))
    if not missing:
        return dict(document)
    platform = CONTEXTS[who.settings.agent.kind]
    context = dict(document.get("container_context") or {})
    said = dict(context.get(platform) or {})
    said["env_vars"] = [*(said.get("env_vars") or ()), *(f"{name}={value}" for name, value in missing.items())]
    return {**document, "container_context": {**context, platform: said}}


def in_process(who: StackIdentity) -> dict[str, str]:
    """The same for an agent whose code servers and runs are its own processes: they have its environment."""
    return _without(who, who.settings.agent.environment)


def own_names(who: StackIdentity, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of those variables the location or the agent's settings set themselves, by plain values or secrets."""
    platform = CONTEXTS.get(who.settings.agent.kind, "")
    said = (document.get("container_context") or {}).get(platform) or {}
    spec = who.settings.agent
    given = {str(entry).partition("=")[0] for entry in said.get("env_vars") or ()}
    given |= {str(secret.get("name")) for secret in said.get("secrets") or () if isinstance(secret, Mapping)}
    given |= {*spec.environment, *spec.secret_names}
    return tuple(name for name in stored_value_variables(who) if name in given)


def _without(who: StackIdentity, own: Iterable[str]) -> dict[str, str]:
    names = frozenset(own)
    return {name: value for name, value in stored_value_variables(who).items() if name not in names}
