"""What a stack has in the stand-in beside container apps and jobs: kept as it was put, with what Azure adds to it, and
refused where Azure is known to refuse it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.standins.azure.answer import Answer, absent, error
from tests.standins.azure.rights import BUILT_IN, Rights, Role

TENANT: Final = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
_GROUPS: Final = "Microsoft.Resources/subscriptions/resourceGroups"
_ROLES: Final = "Microsoft.Authorization/roleDefinitions"
_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments"
_IDENTITIES: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"
_ENVIRONMENTS: Final = "Microsoft.App/managedEnvironments"
_VAULTS: Final = "Microsoft.KeyVault/vaults"
_WORKSPACES: Final = "Microsoft.OperationalInsights/workspaces"
_KINDS: Final = {
    kind.lower(): kind
    for kind in (
        _GROUPS,
        _ROLES,
        _ASSIGNMENTS,
        _IDENTITIES,
        _ENVIRONMENTS,
        _VAULTS,
        f"{_VAULTS}/secrets",
        _WORKSPACES,
        "Microsoft.Network/virtualNetworks",
        "Microsoft.Network/virtualNetworks/subnets",
        "Microsoft.Network/publicIPAddresses",
        "Microsoft.Network/natGateways",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.Storage/storageAccounts",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Storage/storageAccounts/blobServices/containers",
    )
}
_NAMES: Final = {
    # https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
    _VAULTS: r"[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]",
    f"{_VAULTS}/secrets": r"[0-9A-Za-z-]{1,127}",
    "Microsoft.ContainerRegistry/registries": r"[0-9a-zA-Z]{5,50}",
    "Microsoft.Storage/storageAccounts": r"[0-9a-z]{3,24}",
}
_OF_ITSELF: Final = ("microsoft.storage/storageaccounts/blobservices",)
"""What is there with its parent, made by nobody."""


@dataclass(frozen=True)
class Address:
    """What a path names."""

    id: str
    kind: str
    name: str
    parent: str
    """The id of what has to be there for it."""

    @classmethod
    def read(cls, path: str) -> Address | None:
        """None: a path of another form, or of a kind that the stand-in has not."""
        path = path.rstrip("/")
        group = re.fullmatch(r"(?i)/subscriptions/[^/]+/resourceGroups/([^/]+)", path)
        if group:
            return cls(path, _GROUPS, group[1], "")
        before, _, after = path.rpartition("/providers/")
        parts = after.split("/")
        if not before or len(parts) < 3 or len(parts) % 2 == 0:
            return None
        kind = _KINDS.get("/".join([parts[0], *parts[1::2]]).lower())
        if kind is None:
            return None
        parent = before if len(parts) == 3 else path.rsplit("/", 2)[0]
        if kind == _ROLES:  # wherever one is put, it is the subscription's
            path = f"{'/'.join(before.split('/')[:3])}/providers/{_ROLES}/{parts[-1]}"
        return cls(path, kind, parts[-1], parent)


@dataclass
class Stored:
    """One thing."""

    address: Address
    body: dict[str, Any]
    secret: str = ""
    """The value of a secret, which is never shown."""
    version: int = 1

    @property
    def shown(self) -> dict[str, Any]:
        at = self.address
        return {**self.body, "id": at.id, "name": at.name, "type": at.kind}


@dataclass
class Resources:
    """By id, whose case is nobody's matter. ``in_environment`` names the apps and jobs of an environment's id."""

    rights: Rights
    in_environment: Callable[[str], list[str]]
    things: dict[str, Stored] = field(default_factory=dict)

    def get(self, id_: str) -> Stored | None:
        return self.things.get(id_.lower())

    def of_kind(self, kind: str) -> list[Stored]:
        return [each for each in self.things.values() if each.address.kind.lower() == kind.lower()]

    def seed(self, path: str, body: dict[str, Any] | None = None) -> None:
        """There is one, whoever made it."""
        address = Address.read(path)
        assert address is not None, path
        self.things[address.id.lower()] = Stored(address, self._completed(address, body or {}))

    def client_of(self, identity: str) -> str:
        """The client id of an identity's id; empty: there is none."""
        found = self.get(identity)
        return str(found.body["properties"]["clientId"]) if found else ""

    def secret_at(self, uri: str) -> Stored | None:
        """The secret of an address in Key Vault, of whatever version."""
        for each in self.of_kind(f"{_VAULTS}/secrets"):
            if uri.lower().startswith(str(each.body["properties"]["secretUri"]).lower()):
                return each
        return None

    def handle(self, who: str, method: str, path: str, body: Any) -> Answer | None:
        """None: not a thing of these, or nothing that can be done with it."""
        address = Address.read(path)
        if method == "POST" and path.lower().endswith("/sharedkeys"):
            return self._shared_keys(who, path.rpartition("/")[0])
        if address is None or method not in ("GET", "HEAD", "PUT", "DELETE"):
            return None
        verb = {"PUT": "write", "DELETE": "delete"}.get(method, "read")
        refusal = self.refused(who, f"{address.kind}/{verb}", path)
        if refusal:
            return refusal
        match method:
            case "PUT":
                return self._put(address, body or {})
            case "DELETE":
                return self._delete(address)
        found = self.get(address.id)
        if found is None and address.kind.lower() in _OF_ITSELF and self.get(address.parent):
            found = Stored(address, {"properties": {}})
        return absent(path) if found is None else Answer(200, found.shown)

    def refused(self, who: str, action: str, on: str) -> Answer | None:
        """The refusal, if ``who`` may not."""
        if self.rights.allows(who, action, on):
            return None
        message = f"The client '{who}' does not have authorization to perform action '{action}' over scope '{on}'"
        return error(403, "AuthorizationFailed", message)

    # changes

    def _put(self, address: Address, body: dict[str, Any]) -> Answer:
        wrong = list(self._complaints(address, body))
        if wrong:
            return error(400, "InvalidRequest", "; ".join(wrong))
        if address.parent and address.kind != _ROLES and not self._is_there(address.parent):
            return error(404, "ParentResourceNotFound", f"{address.id} needs {address.parent}, which is not there")
        before = self.get(address.id)
        stored = Stored(address, {})
        if address.kind == f"{_VAULTS}/secrets":
            value = str((body.get("properties") or {}).get("value") or "")
            old = (before.version, before.secret) if before else (0, "")
            stored.secret, stored.version = value or old[1], old[0] + (value not in ("", old[1]))
        stored.body = self._completed(address, body, stored.version)
        self.things[address.id.lower()] = stored
        self._learn_roles()
        return Answer(200 if before else 201, stored.shown)

    def _delete(self, address: Address) -> Answer:
        if self.get(address.id) is None:
            return Answer(204)
        held = self._holders(address)
        if held:
            return error(409, "ResourceInUse", f"{address.id} is used by {', '.join(held)}")
        below = address.id.lower()
        for id_ in [each for each in self.things if each == below or each.startswith(f"{below}/")]:
            del self.things[id_]
        self._learn_roles()
        return Answer(200)

    def _is_there(self, id_: str) -> bool:
        address = Address.read(id_)
        of_itself = address is not None and address.kind.lower() in _OF_ITSELF and self.get(address.parent)
        return self.get(id_) is not None or bool(of_itself) or re.fullmatch(r"/subscriptions/[^/]+", id_) is not None

    def _holders(self, address: Address) -> list[str]:
        """What Azure does not let go the ground under."""
        if address.kind == _ENVIRONMENTS:
            return self.in_environment(address.id)
        if address.kind.lower().startswith("microsoft.network/virtualnetworks"):
            uses = [
                (each, str((each.body["properties"].get("vnetConfiguration") or {}).get("infrastructureSubnetId")))
                for each in self.of_kind(_ENVIRONMENTS)
            ]
            return [each.address.id for each, subnet in uses if subnet.lower().startswith(address.id.lower())]
        return []

    def _complaints(self, address: Address, body: Mapping[str, Any]) -> Iterator[str]:
        if not isinstance(body.get("tags") or {}, Mapping):
            yield "tags are names and values"
        for tag in body.get("tags") or {}:
            if set(tag) & set("<>%&\\?/"):
                yield f"{tag!r} is no name of a tag"
        for key in set(body) - {"location", "tags", "sku", "kind", "identity", "properties", "zones"}:
            yield f"the stand-in knows no {key} of a {address.kind}"
        said = body.get("properties") or {}
        if address.kind == _ASSIGNMENTS:
            if not any(each.body["properties"]["principalId"] == said.get("principalId") for each in self._identities):
                yield f"there is no principal {said.get('principalId')}"
            if self._role(str(said.get("roleDefinitionId"))) is None:
                yield f"there is no role {said.get('roleDefinitionId')}"
        form = _NAMES.get(address.kind)
        if form and not re.fullmatch(form, address.name):
            yield f"{address.name!r} is no name of a {address.kind}"

    # what Azure adds

    def _completed(self, address: Address, body: Mapping[str, Any], version: int = 1) -> dict[str, Any]:
        given = dict(body.get("properties") or {})
        added: dict[str, Any] = {"provisioningState": "Succeeded"}
        name = address.name
        match address.kind:
            case "Microsoft.ManagedIdentity/userAssignedIdentities":
                added = {each: _guid(address.id, each) for each in ("principalId", "clientId")} | {"tenantId": TENANT}
            case "Microsoft.OperationalInsights/workspaces":
                added["customerId"] = _guid(address.id, "customer")
            case "Microsoft.KeyVault/vaults":
                added["vaultUri"] = f"https://{name}.vault.azure.net/"
            case "Microsoft.KeyVault/vaults/secrets":
                given.pop("value", None)
                uri = f"https://{address.parent.rpartition('/')[2]}.vault.azure.net/secrets/{name}"
                added = {"secretUri": uri, "secretUriWithVersion": f"{uri}/{version:032x}"}
            case "Microsoft.ContainerRegistry/registries":
                added["loginServer"] = f"{name.lower()}.azurecr.io"
            case "Microsoft.App/managedEnvironments":
                added["defaultDomain"] = "happy-hill-01234567.westeurope.azurecontainerapps.io"
                log = (given.get("appLogsConfiguration") or {}).get("logAnalyticsConfiguration")
                if log:
                    shown = {"customerId": log.get("customerId")}
                    given["appLogsConfiguration"] = {
                        **given["appLogsConfiguration"],
                        "logAnalyticsConfiguration": shown,
                    }
        return {**body, "properties": {**given, **added}}

    # roles

    @property
    def _identities(self) -> list[Stored]:
        return self.of_kind(_IDENTITIES)

    def _role(self, id_: str) -> Role | None:
        guid = id_.rpartition("/")[2]
        for each in self.of_kind(_ROLES):
            if each.address.name == guid:
                permissions = each.body["properties"].get("permissions") or ()
                return Role(tuple(action for one in permissions for action in one.get("actions") or ()))
        return BUILT_IN.get(guid)

    def _learn_roles(self) -> None:
        known = [each.body["properties"] for each in self._identities]
        clients = {each["principalId"]: each["clientId"] for each in known}
        self.rights.assigned.clear()
        for each in self.of_kind(_ASSIGNMENTS):
            said = each.body["properties"]
            role, client = self._role(said["roleDefinitionId"]), clients.get(said["principalId"])
            if role is not None and client is not None:
                self.rights.assigned[each.address.id] = (client, role.at(each.address.parent))

    def _shared_keys(self, who: str, workspace: str) -> Answer:
        if self.get(workspace) is None:
            return absent(workspace)
        refusal = self.refused(who, f"{_WORKSPACES}/sharedKeys/action", workspace)
        return refusal or Answer(200, {"primarySharedKey": _guid(workspace, "key"), "secondarySharedKey": ""})


def _guid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(part.lower() for part in parts)))
