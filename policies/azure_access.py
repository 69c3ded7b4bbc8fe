"""Rules about who reaches what in Azure: nothing of a stack is for everybody, nobody holds a key, nobody may do all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.networks import is_the_internet
from policies.rule import ResourceRule
from policies.subjects import Subject, Unknown, listed, mapping, texts

ACCOUNT: Final = "azure-native:storage:StorageAccount"
REGISTRY: Final = "azure-native:containerregistry:Registry"
_CONTAINER: Final = "azure-native:storage:BlobContainer"
_ENVIRONMENT: Final = "azure-native:app:ManagedEnvironment"
_GROUP: Final = "azure-native:network:NetworkSecurityGroup"
_GROUP_RULE: Final = "azure-native:network:SecurityRule"
_ASSIGNMENT: Final = "azure-native:authorization:RoleAssignment"
_ROLE: Final = "azure-native:authorization:RoleDefinition"
_FEDERATED: Final = "azure-native:managedidentity:FederatedIdentityCredential"

_EVERYWHERE: Final = frozenset({"*", "any", "internet"})

BROAD_ROLES: Final[Mapping[str, str]] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
"""By the ids that they have in every directory:
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""

_ABOVE_GROUPS: Final = re.compile(
    r"/?|/subscriptions/[^/]+/?|/providers/microsoft\.management/managementgroups/.*", re.I
)
_STAR: Final = re.compile(r"\*|\*/\*|\*/(write|delete|action)|microsoft\.authorization/(\*|.+/(write|\*))", re.I)
_WHOLE_SUBJECT: Final = re.compile(r"(?:repo:[^/*?:]+/|project_path:|[a-z_]+:)[^*?:]+:[^*?]+", re.DOTALL)


def _open(subject: Subject) -> Iterator[str]:
    said = subject.properties
    match subject.kind:
        case kind if kind == ACCOUNT:
            if not _is(said.get("allowBlobPublicAccess"), False):
                yield f"{subject} does not forbid containers that everybody may read (allowBlobPublicAccess)."
        case kind if kind == _CONTAINER:
            yield from (
                f"{subject} can be read by everybody (publicAccess {access})."
                for access in texts(said.get("publicAccess"))
                if access.lower() in {"blob", "container"}
            )
        case kind if kind == REGISTRY:
            if said.get("anonymousPullEnabled") is True:
                yield f"{subject} gives its images to everybody (anonymousPullEnabled)."
        case kind if kind == _ENVIRONMENT:
            network = said.get("vnetConfiguration")
            if not isinstance(network, Unknown) and not _is(mapping(network).get("internal"), True):
                yield f"{subject} has an address in the internet (vnetConfiguration.internal is not true)."
        case kind if kind in {_GROUP, _GROUP_RULE}:
            yield from _ways_in(subject)


def _ways_in(subject: Subject) -> Iterator[str]:
    said = subject.properties
    for rule in listed(said.get("securityRules")) if subject.kind == _GROUP else (said,):
        told = mapping(rule)
        if any(str(told.get(key)).lower() != value for key, value in (("direction", "inbound"), ("access", "allow"))):
            continue
        sources = [*texts(told.get("sourceAddressPrefix")), *texts(told.get("sourceAddressPrefixes"))]
        for source in sources:
            if source.lower() in _EVERYWHERE or is_the_internet(source):
                yield f"{subject} lets everybody in ({source})."


def _by_key(subject: Subject) -> Iterator[str]:
    said = subject.properties
    if subject.kind == ACCOUNT and not _is(said.get("allowSharedKeyAccess"), False):
        yield f"{subject} can be reached by its account keys (allowSharedKeyAccess is not false)."
    if subject.kind == REGISTRY and said.get("adminUserEnabled") is True:
        yield f"{subject} has a user with a password that may do all (adminUserEnabled)."


def _too_much(subject: Subject) -> Iterator[str]:
    said = subject.properties
    if subject.kind == _ASSIGNMENT:
        role = str(said.get("roleDefinitionId") or "").rstrip("/").rpartition("/")[2].lower()
        if role in BROAD_ROLES:
            yield f"{subject} gives the role {BROAD_ROLES[role]}."
        yield from (f"{subject} reaches beyond a resource group ({scope})." for scope in _above(said.get("scope")))
        return
    for permission in listed(said.get("permissions")):
        for key in ("actions", "dataActions"):
            for action in texts(mapping(permission).get(key)):
                if _STAR.fullmatch(action):
                    yield f"{subject} allows {action}."
    yield from (f"{subject} can be given beyond a group ({scope})." for scope in _above(said.get("assignableScopes")))


def _above(scopes: Any) -> Iterator[str]:
    """Those that are a subscription, a group of them, or everything."""
    yield from (scope for scope in texts(scopes) if _ABOVE_GROUPS.fullmatch(scope))


def _for_every_job(subject: Subject) -> Iterator[str]:
    said = subject.properties
    for told in texts(said.get("subject")):
        if not _WHOLE_SUBJECT.fullmatch(told):
            yield f"{subject} trusts jobs that it does not name whole (subject {told})."


def _is(value: Any, wanted: bool) -> bool:
    """What is not known yet is not judged."""
    return value is wanted or isinstance(value, Unknown)


PUBLIC_ACCESS: Final = ResourceRule(
    name="azure-public-access",
    level="mandatory",
    reason="What everybody can reach is tried by everybody, and nothing of an agent or of its data is for everybody.",
    todo="make it with the components of infra/azure_*.py, which close it, or name who may come in.",
    looks_at="Storage accounts: that they forbid public containers (`allowBlobPublicAccess: false`; some versions of "
    "Azure's API allow them when nothing is said). Containers with public access, registries with anonymous pulls, "
    "Container Apps environments that are not internal, and ways in from `*`, `Internet` or networks wider than /8 "
    "(IPv4) or /16 (IPv6) in network security groups. `ingress.external` of an app in an internal environment passes: "
    "it is for the network alone.",
    judges={
        ACCOUNT: ("allowBlobPublicAccess",),
        _CONTAINER: ("publicAccess",),
        REGISTRY: ("anonymousPullEnabled",),
        _ENVIRONMENT: ("vnetConfiguration",),
        _GROUP: ("securityRules",),
        _GROUP_RULE: ("sourceAddressPrefix", "sourceAddressPrefixes"),
    },
    check=_open,
)

KEYS: Final = ResourceRule(
    name="azure-account-keys",
    level="mandatory",
    reason="Whoever has such a key is whoever they like, and nobody can take it away from one of them alone.",
    todo="let identities have roles on it (`allowSharedKeyAccess: false`, `adminUserEnabled: false`).",
    looks_at="Storage accounts: that they do not take account keys, which they do unless told. Registries: that they "
    "have no admin user.",
    judges={ACCOUNT: ("allowSharedKeyAccess",), REGISTRY: ("adminUserEnabled",)},
    check=_by_key,
)

ROLES: Final = ResourceRule(
    name="azure-broad-roles",
    level="mandatory",
    reason="A stack that gives somebody all rights gives them to whoever gets at that identity, and beyond the stack.",
    todo="name the actions in a role of the stack's own, as agent/azure_roles.py does, on the resource that they are "
    "for.",
    looks_at="Role assignments: that they give none of Owner, Contributor, User Access Administrator and Role Based "
    "Access Control Administrator, and none on a whole subscription or above. Roles that a stack defines: no `*`, "
    "nothing like `*/write`, no writing of `Microsoft.Authorization`, and not for whole subscriptions.",
    judges={_ASSIGNMENT: ("roleDefinitionId", "scope"), _ROLE: ("permissions", "assignableScopes")},
    check=_too_much,
)

TRUST: Final = ResourceRule(
    name="azure-federated-subject",
    level="mandatory",
    reason="GitHub and GitLab sign for all of their customers, and the subject alone says whose job it is.",
    todo="write the whole subject, such as `repo:acme/data:pull_request`.",
    looks_at="Federated credentials of identities: that their subject has no wildcard and names a repository.",
    judges={_FEDERATED: ("subject",)},
    check=_for_every_job,
)
