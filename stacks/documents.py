"""What Dagster+ is told of a stack's locations, on each platform. Pure: the program and the command line both read it,
so that a branch deployment and a comparison have the documents that `up` sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import location_document
from infra.place import Place
from stacks.identity import StackIdentity
from stacks.stored_values import in_context


def document_of_image(
    who: StackIdentity, folder: CodeLocationFolder, image: str, *, full: bool = True
) -> dict[str, Any]:
    """Of a location that runs from ``image``, by an agent that runs containers. ``full``: whether it is for the full
    deployment; the code of a branch deployment must not write over its stored values."""
    document = location_document(folder, image=image, platform=who.settings.agent.kind)
    role = location_role_arn(who, folder.name)
    if role is not None:
        context = document.setdefault("container_context", {}).setdefault("ecs", {})
        context.setdefault("task_role_arn", role)
    account = location_account(who, folder.name)
    if account is not None:
        context = document.setdefault("container_context", {}).setdefault("k8s", {})
        context.setdefault("service_account_name", account)
    return in_context(who, document) if full else document


def document_of_folder(who: StackIdentity, folder: CodeLocationFolder, executable: Path | str) -> dict[str, Any]:
    """Of a location that runs from its folder; ``executable`` is the Python of its environment."""
    return location_document(
        folder,
        platform=who.settings.agent.kind,
        executable_path=str(executable),
        working_directory=str(folder.working_directory),
    )


def location_role(location: str) -> str:
    """What a role of a location's own is for, which its name says."""
    return f"location-{location}"


def location_role_arn(who: StackIdentity, location: str) -> str | None:
    """The role of the location's own that the settings give it on ECS; None: it has that of all, which is the
    launcher's."""
    names, aws = who.ecs, who.settings.aws
    if names is None or aws is None or location not in aws.location_roles:
        return None
    place = Place(names.account, names.region, names.partition)
    return place.global_arn("iam", f"role{aws.role_path}{names.role(location_role(location))}")


def location_account(who: StackIdentity, location: str) -> str | None:
    """The service account of the location's own that the settings give it on Kubernetes; None: it has that of all."""
    names, said = who.kubernetes, who.settings.kubernetes
    if names is None or said is None or location not in said.location_accounts:
        return None
    return names.location_account(location)
