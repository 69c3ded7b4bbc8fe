"""The agent's own container app, as Azure shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hybrid.azure.session import Azure

_FAILED: Final = frozenset({"Failed", "ActivationFailed"})


@dataclass(frozen=True)
class Revision:
    """One version of the app. States are Azure's words."""

    name: str
    running: str
    """Running, Processing, ActivationFailed, …"""
    health: str
    replicas: int
    error: str
    """Why it could not be made; empty: it could."""
    active: bool

    @property
    def has_failed(self) -> bool:
        """Whether it will not come up by itself."""
        return self.running in _FAILED or bool(self.error)


@dataclass(frozen=True)
class AgentApp:
    """The app, and its latest revision, which is None while there is none yet."""

    name: str
    state: str
    image: str
    settings: str
    """The agent's dagster.yaml, as its app has it; empty: none of ours."""
    latest: Revision | None


def agent_app(azure: Azure, group: str, name: str, settings_variable: str) -> AgentApp | None:
    """None: it is not there. Raises ``AzureError``."""
    from hybrid.azure.errors import AzureNotFound

    try:
        with azure.doing(f"look at the container app {name}"):
            app = azure.container_apps.container_apps.get(group, name)
            revisions = list(azure.container_apps.container_apps_revisions.list_revisions(group, name))
    except AzureNotFound:
        return None
    containers = (app.template.containers if app.template else None) or []
    variables = {each.name: each.value for each in (containers[0].env or ())} if containers else {}
    latest = next((each for each in revisions if each.name == app.latest_revision_name), None)
    return AgentApp(
        name=str(app.name),
        state=str(app.running_status or app.provisioning_state or ""),
        image=str(containers[0].image) if containers else "",
        settings=str(variables.get(settings_variable) or ""),
        latest=None if latest is None else _revision(latest),
    )


def _revision(found: Any) -> Revision:
    return Revision(
        name=str(found.name),
        running=str(found.running_state or ""),
        health=str(found.health_state or ""),
        replicas=int(found.replicas or 0),
        error=str(found.provisioning_error or ""),
        active=bool(found.active),
    )
