"""What the page ``/hybrid`` shows, gathered as plain data: whole, or the first of each kind that match some words.

No value of a token or a secret is in it, because none is read for it; what agents and code say is redacted.

Rests on: ``invented``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hybrid.emulator.api.context import Context
from hybrid.emulator.api.heartbeats import plain
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.rights import shortage
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import AgentRecord, Deployment, Grant, LocationRecord, Organization, TokenRecord
from hybrid.redaction import redact

State = dict[str, Any]
T = TypeVar("T")
_SHOWN_CHARACTERS: Final = 300  # of a text in a view; a name may have any length
_SHOWN_ERROR: Final = 20_000
_LOAD_ORDER: Final = {"FAILED": 0, "LOADING": 1, "LOADED": 2}  # trouble first


@dataclass(frozen=True)
class View:
    """How much is wanted: of each list the first ``limit`` that have ``words`` in one of their texts.

    Without a limit everything is given as it is; with one, long texts are cut too.
    """

    limit: int | None = None
    words: str = ""

    def matches(self, *texts: object) -> bool:
        wanted = self.words.casefold()
        return not wanted or any(wanted in str(text).casefold() for text in texts if text is not None)

    def first(self, found: Sequence[T]) -> Sequence[T]:
        return found if self.limit is None else found[: self.limit]

    def text(self, text: str | None, most: int = _SHOWN_CHARACTERS) -> str | None:
        if text is None or self.limit is None or len(text) <= most:
            return text
        return f"{text[:most]}… ({len(text)} characters)"


class Gathering:
    """One look at the organization by ``caller``; None is whoever sits at this machine, who may see everything."""

    def __init__(
        self, organization: Organization, runtime: RuntimeLoader, meter: Meter, view: View, caller: TokenRecord | None
    ) -> None:
        self._organization = organization
        self._runtime = runtime
        self._meter = meter
        self._view = view
        self._caller = caller
        self._now = organization.agents.now()
        self._counts: dict[str, dict[str, int]] = {}

    def state(self) -> State:
        """Times in seconds since the epoch. ``dagster`` is ``loading`` or ``loaded``.

        ``counts`` says of each list how many there are (``all``), and how many match and are shown. ``agents`` and
        ``locations`` are limited in each deployment. ``withheld`` names the lists that the caller may not see.
        """
        organization = self._organization
        deployments = self._deployments()
        shown = {found["name"] for found in deployments}
        records = [found for found in organization.deployments.all() if found.name in shown]
        withheld = [] if self._administers() else ["tokens", "users"]
        return {
            "organization": organization.name,
            "deployment": organization.deployment.name,
            "time": self._now,
            "dagster": "loaded" if self._runtime.loaded else "loading",
            "deployments": deployments,
            "agents": [self._agent(*found) for record in records for found in self._view.first(self._agents(record))],
            "locations": [
                self._location(found) for record in records for found in self._view.first(self._locations(record))
            ],
            "tokens": [] if withheld else self._tokens(),
            "users": [] if withheld else self._users(),
            "secrets": self._secrets(),
            "pending_requests": organization.requests.pending(),
            "unknown": self._listed("unknown", self._meter.unknown(), lambda it: (it["operation"], it["field"])),
            "operations": self._listed("operations", self._meter.operations(), lambda it: (it["name"],)),
            "withheld": withheld,
            "counts": self._counts,
        }

    # -- deployments, and what is in them -----------------------------------------------------------------------------

    def _deployments(self) -> list[State]:
        visible = [found for found in self._organization.deployments.all() if self._sees(found)]
        wanted = [
            found
            for found in visible
            if self._view.matches(*_texts(found)) or self._agents(found) or self._locations(found)
        ]
        shown = self._view.first(wanted)
        self._counts["deployments"] = {"all": len(visible), "matching": len(wanted), "shown": len(shown)}
        return [self._deployment(found) for found in shown]

    def _deployment(self, found: Deployment) -> State:
        everywhere = self._organization.agents_shown(found)
        locations = self._organization.locations.all(found.name)
        parent = self._organization.deployments.parent(found)
        git = found.git or {}
        return {
            "id": found.id,
            "name": found.name,
            "type": found.type,
            "agent_type": found.agent_type,
            "agent_type_since": found.agent_type_since,
            "parent": parent.name if parent else None,
            "repository": self._view.text(_said(git.get("repoName"))),
            "branch": self._view.text(_said(git.get("branchName"))),
            "path": "/" if found.id == self._organization.deployment.id else f"/{found.name}/",
            "agents": len(everywhere),
            "agents_running": sum(status == "RUNNING" for _, status in everywhere),
            "agents_matching": len(self._agents(found)),
            "locations": len(locations),
            "locations_failed": sum(record.load_state == "FAILED" for record in locations),
            "locations_matching": len(self._locations(found)),
        }

    def _agents(self, deployment: Deployment) -> Sequence[tuple[AgentRecord, str]]:
        """Those that match: all of a deployment whose own name does."""
        shown = self._organization.agents_shown(deployment)
        if self._view.matches(*_texts(deployment)):
            return shown
        said = [(found, found[0].report) for found in shown]
        return [found for found, report in said if self._view.matches(report.label, report.id, report.type)]

    def _locations(self, deployment: Deployment) -> Sequence[LocationRecord]:
        records = self._organization.locations.all(deployment.name)
        if not self._view.matches(*_texts(deployment)):
            records = tuple(
                it for it in records if self._view.matches(it.name, it.document.get("image"), it.agent_queue)
            )
        return sorted(records, key=lambda it: _LOAD_ORDER[it.load_state])

    def _agent(self, record: AgentRecord, status: str) -> State:
        said, view = record.report, self._view
        servers = sorted(said.code_servers, key=lambda server: server["error"] is None)
        return {
            "deployment": record.deployment,
            "id": view.text(said.id),
            "label": view.text(said.label),
            "type": view.text(said.type),
            "version": view.text(_said(said.metadata.get("version"))),
            "status": status,
            "heard_at": record.heard_at,
            "code_servers": [
                {
                    "location_name": view.text(server["location_name"]),
                    "status": server["status"],
                    "error": self._redacted(server["error"]),
                }
                for server in view.first(servers)
            ],
            "code_servers_count": len(servers),
            "run_workers": list(view.first(said.run_workers)),
            "errors": [
                {"timestamp": met["timestamp"], "error": self._redacted(met["error"])} for met in said.errors[-3:]
            ]
            if view.limit is not None
            else [{**met, "error": self._redacted(met["error"])} for met in said.errors],
        }

    def _location(self, record: LocationRecord) -> State:
        return {
            "deployment": record.deployment,
            "name": self._view.text(record.name),
            "image": self._view.text(_said(record.document.get("image"))),
            "agent_queue": self._view.text(record.agent_queue),
            "load_state": record.load_state,
            "updated": record.metadata_timestamp,
            "uploaded": record.uploaded_timestamp,
            "error": self._error(record),
        }

    def _error(self, record: LocationRecord) -> State | None:
        if record.error is None:
            return None
        runtime = self._runtime.loaded
        if runtime is None:
            return {"message": "Dagster is loading; the error is shown as soon as it can be read.", "stack": []}
        return self._redacted(plain(runtime.read_error(record.error)))

    def _redacted(self, error: Mapping[str, Any] | None) -> State | None:
        """An error as it may be shown, its causes too."""
        if error is None:
            return None
        stack = "".join(error["stack"])
        cut = self._view.limit is not None and len(stack) > _SHOWN_ERROR
        return {
            "message": self._view.text(redact(error["message"]), _SHOWN_ERROR),
            "stack": [self._view.text(redact(stack), _SHOWN_ERROR)] if cut else [redact(it) for it in error["stack"]],
            "cause": self._redacted(error.get("cause")),
        }

    # -- who may do what ----------------------------------------------------------------------------------------------

    def _tokens(self) -> list[State]:
        organization = self._organization
        records = [*organization.tokens.all("agent"), *organization.tokens.all("user")]

        def told(token: TokenRecord) -> State:
            user = organization.users.get(token.user_id)
            return {
                "id": token.id,
                "kind": token.kind,
                "description": self._view.text(token.description),
                "user": self._view.text(user.email) if user else None,
                "created_at": token.created_at,
                "revoked_at": token.revoked_at,
                "grants": self._grants(token.grants),
            }

        return [told(it) for it in self._listed("tokens", records, lambda it: (it.description, it.kind))]

    def _users(self) -> list[State]:
        users = self._listed("users", self._organization.users.all(), lambda user: (user.email, user.name))
        return [
            {
                "id": user.id,
                "email": self._view.text(user.email),
                "name": self._view.text(user.name),
                "created_at": user.created_at,
                "grants": self._grants(user.grants),
            }
            for user in users
        ]

    def _grants(self, grants: Iterable[Grant]) -> list[State]:
        numbered = self._organization.deployments.numbered
        told = []
        for grant in grants:
            deployment = numbered(grant.deployment_id) if grant.deployment_id is not None else None
            told.append(
                {"role": grant.role, "scope": grant.scope, "deployment": deployment.name if deployment else None}
            )
        return told

    def _secrets(self) -> list[State]:
        secrets = [
            secret
            for deployment in self._organization.deployments.full()
            if self._sees(deployment)
            for secret in self._organization.secrets.all(deployment)
        ]
        return [
            {
                "deployment": secret.deployment,
                "name": self._view.text(secret.name),
                "scopes": {
                    "full": secret.scopes.full,
                    "all_branches": secret.scopes.all_branches,
                    "branch": secret.scopes.branch,
                    "local": secret.scopes.local,
                },
                "locations": [self._view.text(name) for name in self._view.first(secret.locations)],
                "updated_at": secret.updated_at,
            }
            for secret in self._listed("secrets", secrets, lambda it: (it.name, it.deployment, *it.locations))
        ]

    def _administers(self) -> bool:
        if self._caller is None:
            return True
        context = Context(headers={}, caller=self._caller, deployment=self._organization.deployment)
        return shortage(context, "ADMIN", organization=True) is None

    def _sees(self, deployment: Deployment) -> bool:
        return self._caller is None or self._caller.serves(deployment)

    def _listed(self, name: str, found: Sequence[T], texts: Callable[[T], Iterable[object]]) -> list[T]:
        """The first of those that match, counted."""
        matching = [each for each in found if self._view.matches(*texts(each))]
        shown = list(self._view.first(matching))
        self._counts[name] = {"all": len(found), "matching": len(matching), "shown": len(shown)}
        return shown


def _texts(deployment: Deployment) -> tuple[object, ...]:
    git = deployment.git or {}
    return deployment.name, git.get("repoName"), git.get("branchName")


def _said(value: object) -> str | None:
    """A text, whatever a client put where one belongs."""
    return value if value is None or isinstance(value, str) else str(value)
