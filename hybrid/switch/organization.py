"""What Dagster+ tells of a deployment that is to be switched, as values that can be saved. No secret is among them: the
values of variables are never asked for, and what looks secret in a document is masked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from hybrid.redaction import MASK, looks_secret, redact

ISOLATION_TAG: Final = "dagster/isolation"
"""With the value ``disabled`` a run is executed in the code server's process (dagster_cloud/util: the agent's source
does so with every launcher)."""


@dataclass(frozen=True, slots=True)
class FoundDeployment:
    """``type`` is PRODUCTION, DEV or BRANCH; ``agent_type`` HYBRID or SERVERLESS."""

    name: str
    type: str
    agent_type: str


@dataclass(frozen=True, slots=True)
class FoundBranch:
    """A branch deployment of the deployment. ``pull_request`` is OPEN, CLOSED, MERGED or None."""

    name: str
    branch: str | None
    agent_type: str
    pull_request: str | None


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """``kind`` is the class of its launcher ("EcsUserCodeLauncher"). ``last_heartbeat`` in seconds since the epoch.
    Queues are not among what Dagster+ tells of an agent."""

    label: str | None
    status: str
    kind: str | None
    version: str | None
    last_heartbeat: float


@dataclass(frozen=True, slots=True)
class FoundInstigator:
    """A schedule or sensor: ``is_on`` as it stands, ``on_by_default`` as the code says, ``was_set`` whether somebody
    has turned it on or off."""

    location: str
    repository: str
    name: str
    kind: str
    is_on: bool
    on_by_default: bool
    was_set: bool


@dataclass(frozen=True, slots=True)
class FoundLocation:
    """``document`` is what it was told to run, values that look secret masked. ``error`` is the first line of why it
    does not load. What it defines is None when nothing of it is loaded, or the token may not see it."""

    name: str
    document: dict[str, Any]
    status: str
    error: str | None
    assets: int | None
    has_own_io_manager: bool | None
    """Whether a resource ``io_manager`` of its own takes the place of the default one."""

    @property
    def is_pex(self) -> bool:
        """Whether Serverless runs it from Python executables, not from an image of its own."""
        return bool(self.document.get("pex_metadata")) or bool(self.document.get("pex_bundle"))

    @property
    def image(self) -> str | None:
        """The image that its document names."""
        return self.document.get("image")

    @property
    def python_version(self) -> str | None:
        """Of a Python executable, as far as its document says it."""
        metadata = self.document.get("pex_metadata")
        return metadata.get("python_version") if isinstance(metadata, Mapping) else None


@dataclass(frozen=True, slots=True)
class FoundVariable:
    """A variable without its value. No ``locations``: it is for all."""

    name: str
    scopes: list[str]
    """In words: full deployments, all branch deployments, branch deployment X, local."""
    locations: list[str]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """``is_isolated`` is false when it carries the tag that has it run in the code server."""

    id: str
    job: str
    status: str
    location: str | None
    is_isolated: bool


@dataclass(frozen=True, slots=True)
class FoundBackfill:
    """A backfill that may still launch runs. ``of``: what it is a backfill of."""

    id: str
    of: str
    partitions: int | None


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """An alert policy; where it sends to is left out."""

    name: str
    event_types: list[str]
    enabled: bool


@dataclass(frozen=True, slots=True)
class FoundServerless:
    """See ``hybrid.plus.inspection.ServerlessState``."""

    status: str
    registry: str | None
    allows_base_images: bool | None
    error: str | None


@dataclass(frozen=True, slots=True)
class FoundRights:
    """What the token may do. None: Dagster+ does not say. ``may_switch`` is concluded from its seeing agent tokens,
    which takes the same role, Organization Admin."""

    is_agent_token: bool
    may_switch: bool | None
    may_edit_locations: bool | None
    may_launch_runs: bool | None
    may_see_variables: bool


@dataclass(frozen=True)
class OrganizationState:
    """One deployment, and what of its organization matters to it. None: the token may not see it, and ``unanswered``
    has Dagster+'s words."""

    organization: str
    url: str
    deployment: FoundDeployment
    plan: str | None
    deployments: list[FoundDeployment] | None
    branches: list[FoundBranch] | None
    agents: list[FoundAgent] | None
    serverless: FoundServerless | None
    locations: list[FoundLocation]
    instigators: list[FoundInstigator] | None
    variables: list[FoundVariable] | None
    automates_assets: bool | None
    """Whether Dagster's daemon materializes assets by their conditions, without a sensor."""
    runs: list[FoundRun] | None
    backfills: list[FoundBackfill] | None
    non_isolated_runs: bool | None
    """Whether the deployment lets people launch runs that are not isolated."""
    recent_non_isolated: list[FoundRun] | None
    settings: dict[str, Any] | None
    policies: list[FoundPolicy] | None
    rights: FoundRights
    unanswered: dict[str, str] = field(default_factory=dict)

    @property
    def has_queues(self) -> bool | None:
        """Whether its plan has agent queues: Dagster+ Pro, which the API calls ENTERPRISE
        (https://docs.dagster.io/deployment/dagster-plus/hybrid/multiple). None: not known."""
        return None if self.plan in {None, "UNKNOWN"} else self.plan in {"ENTERPRISE", "PARTNER"}

    def location(self, name: str) -> FoundLocation | None:
        return next((each for each in self.locations if each.name == name), None)

    def on(self) -> list[FoundInstigator]:
        """The schedules and sensors that are on."""
        return [each for each in self.instigators or () if each.is_on]

    def matters(self) -> dict[str, Any]:
        """What a plan rests on, in an order that does not depend on Dagster+'s: its agent type, locations' documents,
        variables by name and scope, what is on, settings. Not: agents, runs, whether a location loads, which change
        by themselves; nor other deployments, which may be switched one after the other."""
        return {
            "organization": self.organization,
            "deployment": self.deployment.name,
            "agent_type": self.deployment.agent_type,
            "locations": {each.name: each.document for each in self.locations},
            "variables": _ordered(self.variables),
            "on": sorted([each.location, each.repository, each.kind, each.name] for each in self.on()),
            "automates_assets": self.automates_assets,
            "settings": self.settings,
            "non_isolated_runs": self.non_isolated_runs,
        }

    def fingerprint(self) -> str:
        """SHA-256 of what matters, in hexadecimal: the same for the same state, whoever asks and whenever."""
        text = json.dumps(self.matters(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _ordered(variables: list[FoundVariable] | None) -> list[Any] | None:
    if variables is None:
        return None
    described = [asdict(each) | {"locations": sorted(each.locations)} for each in variables]
    return sorted(described, key=lambda each: json.dumps(each, sort_keys=True))


def masked(value: Any, name: str = "") -> Any:
    """``value`` with what looks secret in it replaced: texts ``NAME=value``, pairs of ``name`` and ``value``, values
    under a telling name, and anything in the shape of a token."""
    if isinstance(value, Mapping):
        own = value.get("name")
        return {
            str(key): masked(item, own if key == "value" and isinstance(own, str) else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(item, name) for item in value]
    if not isinstance(value, str):
        return value
    variable, equals, held = value.partition("=")
    if equals and variable.isidentifier():
        return f"{variable}={MASK}" if looks_secret(variable, held) else redact(value)
    # what a variable is called, and where a secret manager keeps it, are no secrets
    return MASK if name not in _POINTERS and looks_secret(name, value) else redact(value)


_POINTERS: Final = frozenset({"name", "valueFrom"})
