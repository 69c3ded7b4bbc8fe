"""Where the images of an ECS stack lie: repositories of its own, and those of others that its roles must pull from."""

from __future__ import annotations

from collections.abc import Iterable

from agent.ecs_names import EcsNames
from hybrid.aws.registry import EcrAddress
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.repository import AGENT
from stacks.identity import StackIdentity
from stacks.images import registry_address


def own_repositories(who: StackIdentity, folders: Iterable[CodeLocationFolder], *, mirrors_agent: bool) -> list[str]:
    """The locations that get a repository, and ``AGENT`` when its image is copied; none beside a registry of the
    team's own."""
    if who.settings.registry is not None:
        return []
    locations = [folder.name for folder in folders if folder.kind == "folder"]
    return [*locations, AGENT] if mirrors_agent else locations


def repositories_elsewhere(
    who: StackIdentity, names: EcsNames, folders: Iterable[CodeLocationFolder], own: Iterable[str]
) -> list[str]:
    """ARNs of other repositories of ECR with images of locations: built elsewhere, pinned to elsewhere, or in a
    registry that the settings name. ``own``: as ``own_repositories`` has them."""
    made = {f"{names.registry}/{names.repository(name)}" for name in own}
    folders = list(folders)
    images = [folder.image for folder in folders if folder.image] + list(who.settings.pins.values())
    if who.settings.registry is not None:
        address = registry_address(who)
        images += [f"{address}/{folder.name.lower()}" for folder in folders if folder.kind == "folder"]
    return repository_arns((image for image in images if _untagged(image) not in made), names)


def repository_arns(images: Iterable[str], names: EcsNames) -> list[str]:
    """The repositories of ECR among where ``images`` lie, each once."""
    found = {_arn(image, names.partition) for image in images}
    return sorted(arn for arn in found if arn)


def _untagged(image: str) -> str:
    head, _, last = image.partition("@")[0].rpartition("/")
    return f"{head}/{last.partition(':')[0]}"


def _arn(image: str, partition: str) -> str | None:
    host, _, name = _untagged(image).partition("/")
    address = EcrAddress.parse(host)
    return None if address is None else f"arn:{partition}:ecr:{address.region}:{address.account}:repository/{name}"
