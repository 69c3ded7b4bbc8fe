"""Rules about what Azure keeps, how it travels, and what can be brought back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from policies.azure_access import ACCOUNT
from policies.rule import ResourceRule, StackRule
from policies.subjects import Subject, Unknown, mapping

_VAULT: Final = "azure-native:keyvault:Vault"
_KEY: Final = "azure-native:keyvault:Key"
_BLOBS: Final = "azure-native:storage:BlobServiceProperties"
_OLD_TLS: Final = ("TLS1_0", "TLS1_1")


def _not_brought_back(subject: Subject) -> Iterator[str]:
    said = mapping(subject.properties.get("properties"))
    if said.get("enableSoftDelete") is False:
        yield f"{subject} forgets what is deleted in it at once (enableSoftDelete)."
    roles = said.get("enableRbacAuthorization")
    if subject.properties.get("properties") and roles is not True and not isinstance(roles, Unknown):
        yield f"{subject} has access policies of its own beside Azure's roles (enableRbacAuthorization is not true)."


def _in_the_clear(subject: Subject) -> Iterator[str]:
    said = subject.properties
    if said.get("enableHttpsTrafficOnly") is False:
        yield f"{subject} can be reached by plain HTTP (enableHttpsTrafficOnly)."
    if said.get("minimumTlsVersion") in _OLD_TLS:
        yield f"{subject} takes {said['minimumTlsVersion']}, which is broken (minimumTlsVersion)."


def _purged(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for vault in (each for each in stack if each.kind == _VAULT):
        has_keys = any(each.kind == _KEY and _is_of(each, vault, "vaultName") for each in stack)
        said = mapping(vault.properties.get("properties")).get("enablePurgeProtection")
        if has_keys and said is not True and not isinstance(said, Unknown):
            yield vault, f"{vault} has keys and can be purged with them (enablePurgeProtection is not true)."


def _unrecoverable(stack: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    yield from (
        (account, f"{account} does not keep what is deleted or overwritten.")
        for account in stack
        if account.kind == ACCOUNT and not any(_keeps(each) and _is_of(each, account, "accountName") for each in stack)
    )


def _keeps(subject: Subject) -> bool:
    if subject.kind != _BLOBS:
        return False
    policy = subject.properties.get("deleteRetentionPolicy")
    enabled = mapping(policy).get("enabled")
    return isinstance(policy, Unknown) or enabled is True or isinstance(enabled, Unknown)


_NAMES: Final[dict[str, Callable[[Subject], object]]] = {
    _VAULT: lambda subject: subject.properties.get("vaultName"),
    ACCOUNT: lambda subject: subject.properties.get("accountName"),
}


def _is_of(part: Subject, whole: Subject, key: str) -> bool:
    """By what the program made the one from, and where it wrote the name twice, by the name."""
    if whole.urn in part.refers_to.get(key, frozenset()):
        return True
    name = part.properties.get(key)
    return isinstance(name, str) and name == _NAMES[whole.kind](whole)


VAULTS: Final = ResourceRule(
    name="azure-vaults",
    level="mandatory",
    reason="A secret that is gone stops the agent, and rights in two places are read in one.",
    todo="leave enableSoftDelete out or true, and set enableRbacAuthorization; infra.azure_vault.AzureVault does.",
    looks_at="Key vaults: that what is deleted can be brought back, and that Azure's roles alone say who may.",
    judges={_VAULT: ("properties",)},
    check=_not_brought_back,
)

TRANSIT: Final = ResourceRule(
    name="azure-in-transit",
    level="mandatory",
    reason="What travels in the clear, or as good as that, is read and changed on its way.",
    todo="leave enableHttpsTrafficOnly out or true, and let minimumTlsVersion be TLS1_2.",
    looks_at="Storage accounts: that plain HTTP is off, and that TLS 1.0 and 1.1 are not asked for.",
    judges={ACCOUNT: ("enableHttpsTrafficOnly", "minimumTlsVersion")},
    check=_in_the_clear,
)

PURGE: Final = StackRule(
    name="azure-key-purge",
    level="mandatory",
    reason="Data under a key that is purged is lost, and whoever may delete a vault may purge it.",
    todo="set enablePurgeProtection on the vault; it cannot be unset, and its name is taken for the retention's time.",
    looks_at="Vaults for which the stack makes keys. A vault with secrets alone passes: a token is made anew.",
    check=_purged,
)

RECOVERY: Final = StackRule(
    name="azure-blob-recovery",
    level="mandatory",
    reason="An asset that a wrong run overwrites or deletes can only be brought back from what is kept of it.",
    todo="give it BlobServiceProperties with a deleteRetentionPolicy, as infra.azure_storage.AzureStorage has.",
    looks_at="Every storage account: that BlobServiceProperties of the same stack name it, with a "
    "deleteRetentionPolicy that is enabled.",
    check=_unrecoverable,
)
