"""Who code is in a cluster, and by which logins its images are pulled: from settings and names alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_spec import KubernetesAgentSpec
from stacks.kubernetes_settings import KubernetesSettings


def code_account(names: KubernetesNames, settings: KubernetesSettings) -> str:
    """The service account of code that has none of its own."""
    return settings.code_account.name or names.code


def made_accounts(names: KubernetesNames, settings: KubernetesSettings) -> dict[str, Mapping[str, str]]:
    """The service accounts of code that the stack makes: annotations by name."""
    made: dict[str, Mapping[str, str]] = {
        names.location_account(location): account.annotations
        for location, account in settings.location_accounts.items()
    }
    if settings.code_account.name is None:
        made[names.code] = settings.code_account.annotations
    return made


def pull_secrets(names: KubernetesNames, settings: KubernetesSettings, spec: KubernetesAgentSpec) -> tuple[str, ...]:
    """Names of the Secrets by which nodes pull images, of agent and code alike."""
    made = (names.registry_secret,) if settings.registry_login else ()
    return (*made, *spec.image_pull_secrets)
