"""What must hold in a subscription before a stack is stood up there: asked first, said all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from hybrid.azure.errors import AzureDenied, AzureError, AzureNotFound

if TYPE_CHECKING:
    from hybrid.azure.session import Azure

PROVIDERS: Final = (
    "Microsoft.App",
    "Microsoft.ContainerRegistry",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)
"""Azure's services that a stack is made of. Each has to be registered in the subscription, once for ever."""

ASSIGN: Final = "Microsoft.Authorization/roleAssignments/write"
DEFINE: Final = "Microsoft.Authorization/roleDefinitions/write"

_SUBSCRIPTIONS: Final = "2022-12-01"
_PROVIDERS: Final = "2021-04-01"
_GROUPS: Final = "2021-04-01"
_PERMISSIONS: Final = "2022-04-01"
_APPS: Final = "2025-07-01"


@dataclass(frozen=True)
class Wanted:
    """What a stack is to stand on."""

    group: str
    own_group: bool
    """Whether the stack makes the group."""
    location: str
    environment: str
    stack: str
    """The value of the stack's tag."""
    tag: str


@dataclass(frozen=True)
class Problem:
    """Why the stack cannot be stood up."""

    what: str
    next_step: str


def problems(azure: Azure, wanted: Wanted) -> list[Problem]:
    """Everything that stands in the way, none when nothing does. Reads only.

    Raises ``AzureError`` when there is no login, or the subscription cannot be seen by it: then nothing else can be
    asked.
    """
    where = f"/subscriptions/{azure.subscription}"
    try:
        azure.get(where, _SUBSCRIPTIONS, doing="look at the subscription")
    except (AzureNotFound, AzureDenied) as error:
        raise AzureError(
            f"This login does not reach the subscription {azure.subscription}.",
            why=error.why,
            next_step="`az login --tenant …` with an identity that does, or mend `subscription` in hybrid:azure.",
        ) from None
    asked: tuple[Callable[[Azure, Wanted], Iterator[Problem]], ...] = (_group, _services, _rights, _room)
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(lambda ask=ask: list(ask(azure, wanted))) for ask in asked]  # type: ignore[misc]
        return [problem for answer in answers for problem in answer.result()]


def _group(azure: Azure, wanted: Wanted) -> Iterator[Problem]:
    where = f"/subscriptions/{azure.subscription}/resourcegroups/{wanted.group}"
    try:
        found = azure.get(where, _GROUPS, doing=f"look at the resource group {wanted.group}")
    except AzureNotFound:
        if not wanted.own_group:
            yield Problem(
                f"There is no resource group {wanted.group}.",
                "make it, mend `azure.resourceGroup`, or leave that out: then the stack makes one.",
            )
        return
    tags = found.get("tags") or {}
    if wanted.own_group and tags.get(wanted.tag) != wanted.stack:
        yield Problem(
            f"The resource group {wanted.group} is there, and not of this stack.",
            "name it in `azure.resourceGroup` if the stack shall live there, or give the stack another `azure.name`.",
        )


def _services(azure: Azure, wanted: Wanted) -> Iterator[Problem]:
    where = f"/subscriptions/{azure.subscription}/providers"
    listed = azure.listed(where, _PROVIDERS, doing="list the services of the subscription")
    states = {str(each.get("namespace", "")).lower(): each for each in listed}
    for name in PROVIDERS:
        each = states.get(name.lower(), {})
        if each.get("registrationState") not in {"Registered", "Registering"}:
            yield Problem(
                f"{name} is not registered in the subscription.", f"`az provider register --namespace {name} --wait`"
            )
    places = _locations(states.get("microsoft.app", {}), "managedEnvironments")
    if places and wanted.location.lower() not in places:
        yield Problem(
            f"Container Apps are not to be had in {wanted.location}.",
            "name another `azure.location`: `az provider show -n Microsoft.App` lists them.",
        )


def _locations(provider: Mapping[str, Any], kind: str) -> set[str]:
    """As settings spell them: Azure says `West Europe` here, and `westeurope` elsewhere."""
    types = provider.get("resourceTypes") or ()
    found: Mapping[str, Any] = next(
        (each for each in types if str(each.get("resourceType")).lower() == kind.lower()), {}
    )
    return {str(place).replace(" ", "").lower() for place in found.get("locations") or ()}


def _rights(azure: Azure, wanted: Wanted) -> Iterator[Problem]:
    """Contributor may make everything but the roles, which would be found only after a quarter of an hour."""
    scope = f"/subscriptions/{azure.subscription}"
    if not wanted.own_group:
        scope = f"{scope}/resourceGroups/{wanted.group}"
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    try:
        permissions = azure.listed(path, _PERMISSIONS, doing="look at what this login may")
    except AzureNotFound:
        return  # the group is not there, which is said already
    lacking = [action for action in (ASSIGN, DEFINE) if not allows(permissions, action)]
    if lacking:
        yield Problem(
            f"This login may not make roles or give them in {wanted.group}: it lacks {' and '.join(lacking)}.",
            "have somebody give it `Role Based Access Control Administrator` and the right to define roles, or "
            "`User Access Administrator`, or `Owner`, on the resource group (on the subscription if the stack makes "
            "the group).",
        )


def allows(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Whether one of the permissions allows ``action``: Azure takes `*` for any characters, and no account of the
    case. What a permission excludes, it excludes of itself alone."""

    def hit(patterns: Any) -> bool:
        return any(fnmatchcase(action.lower(), str(pattern).lower()) for pattern in patterns or ())

    return any(hit(each.get("actions")) and not hit(each.get("notActions")) for each in permissions)


def _room(azure: Azure, wanted: Wanted) -> Iterator[Problem]:
    """A subscription has so many environments in a region: https://learn.microsoft.com/azure/container-apps/quotas."""
    environment = (
        f"/subscriptions/{azure.subscription}/resourceGroups/{wanted.group}/providers/Microsoft.App"
        f"/managedEnvironments/{wanted.environment}"
    )
    try:
        azure.get(environment, _APPS, doing="look for the environment")
        return  # it is there and takes no more room
    except (AzureNotFound, AzureDenied):
        pass
    where = f"/subscriptions/{azure.subscription}/providers/Microsoft.App/locations/{wanted.location}/usages"
    try:
        usages = azure.listed(where, _APPS, doing="look at the limits of the region")
    except AzureError:
        return  # a limit that cannot be read is no reason to stop
    for usage in usages:
        name = str((usage.get("name") or {}).get("value", ""))
        used, limit = usage.get("currentValue"), usage.get("limit")
        if not (isinstance(used, int | float) and isinstance(limit, int | float)):
            continue
        if name == "ManagedEnvironmentCount" and used >= limit:
            yield Problem(
                f"The subscription has all of its {limit:g} Container Apps environments in {wanted.location}.",
                "have Azure raise the limit (`az containerapp list-usages`), or choose another location.",
            )
