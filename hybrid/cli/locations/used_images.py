"""Which images of a registry are in use: by code locations of every deployment, by pins, and by what runs on
platforms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hybrid.errors import SettingsError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.engine.stack_registry import StackRegistry

_AT_ONCE: Final = 8
_BRANCHES: Final = 1000


@dataclass
class UsedImages:
    """By repository, then by tag or digest: what uses it. Only images of one registry are taken in."""

    host: str
    by: dict[str, dict[str, str]] = field(default_factory=dict)
    deployments: list[str] = field(default_factory=list)
    """Those that were asked. A token with rights to some deployments only is told of these alone."""

    def add(self, reference: str | None, what: str) -> None:
        """Raises ``SettingsError`` for a reference that cannot be read: what it means might be in use."""
        from hybrid.delivery.images.reference import Reference

        if not reference:
            return
        parsed = Reference.parse(reference)
        if parsed.registry != self.host:
            return
        known = self.by.setdefault(parsed.path, {})
        if parsed.digest is not None:
            known.setdefault(parsed.digest, what)
        if parsed.tag is not None or parsed.digest is None:
            known.setdefault(parsed.tag or "latest", what)

    def what_uses(self, repository: str, digest: str, tags: Iterable[str]) -> str | None:
        known = self.by.get(repository, {})
        return next((known[name] for name in (digest, *tags) if name in known), None)


def images_in_use(workspace: Workspace, stack: Stack, registry: StackRegistry) -> UsedImages:
    """All that can be asked is asked, now. What cannot be asked is an error: nothing may be removed then."""
    used = UsedImages(registry.host, deployments=_deployments(stack))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for told in pool.map(lambda name: _of_deployment(stack, name), used.deployments):
            for reference, what in told:
                used.add(reference, what)
    for reference, what in _of_stack_files(workspace, registry):
        used.add(reference, what)
    return used


def _deployments(stack: Stack) -> list[str]:
    """The organization's, those of branches too. Raises ``SettingsError`` when Dagster+ does not name all."""
    from hybrid.cli.dagster_plus import client_of
    from hybrid.plus import PlusForbidden

    with client_of(stack.who) as client:
        try:
            client.agent_tokens()
        except PlusForbidden as error:
            # such a token may be shown some of the deployments, and nothing says that there are others
            raise SettingsError(
                "The API token may not see all deployments, so what is in use cannot be known.",
                why=f"It is not an organization administrator's. {error.what}",
                next_step="set DAGSTER_CLOUD_API_TOKEN to a user token of an organization administrator.",
            ) from None
        names = [deployment.name for deployment in client.deployments()]
        branches = client.branch_deployments(_BRANCHES)
    if len(branches) >= _BRANCHES:
        raise SettingsError(
            f"There are {_BRANCHES} branch deployments or more, and Dagster+ names no others.",
            why="Which images the rest uses cannot be known.",
            next_step="delete branch deployments of closed pull requests in Dagster+, and run the command again.",
        )
    names += [branch.deployment.name for branch in branches]
    # one that the token may not see would not be among the answers
    if stack.who.endpoint.deployment not in names:
        names.append(stack.who.endpoint.deployment)
    return names


def _of_deployment(stack: Stack, name: str) -> list[tuple[str | None, str]]:
    from hybrid.cli.dagster_plus import client_of

    who = replace(stack.who, endpoint=replace(stack.who.endpoint, deployment=name))
    with client_of(who) as client:
        documents = client.location_documents()
        statuses = client.code_locations()
    told = [(document.get("image"), f"{location} of {name}") for location, document in documents.items()]
    for status in statuses:
        told += [(image, f"{status.name} of {name}") for image in (status.image, status.reported_image)]
    return told


def _of_stack_files(workspace: Workspace, registry: StackRegistry) -> Iterator[tuple[str, str]]:
    """Pins, images that are built elsewhere, and what runs on platforms."""
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack, identity, stack_names

    asked: set[object] = set()
    for name in stack_names(workspace):
        who = identity(workspace, name)
        for location, image in who.settings.pins.items():
            yield image, f"the pin of {location} in the stack {name}"
        for served in who.settings.locations or ():
            elsewhere: object = getattr(served, "image", None)
            if isinstance(elsewhere, str):
                yield elsewhere, f"{getattr(served, 'name', '?')} of the stack {name}"
        yield from platform_of(Stack(who, ())).images_in_use(registry.host, asked)
