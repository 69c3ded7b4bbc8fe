"""What was found that the switch has to do something about: values that inspection makes and the plan works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Weight(StrEnum):
    """How much it matters."""

    MUST = "must"
    """Without a change it does not run on Hybrid, or something is lost."""
    SHOULD = "should"
    """It runs, but not as it did."""
    KNOW = "know"
    """Nothing has to be done; whoever switches should know it."""


class FindingKind(StrEnum):
    """What kind of thing it is; the words are what reports show and ``--json`` has."""

    PEX_BUILD = "pex_build"
    DOCKER_HOOKS = "docker_hooks"
    BASE_IMAGE = "base_image"
    EXECUTABLE_PATH = "executable_path"
    LEGACY_FILE = "legacy_file"
    SERVERLESS_WORKFLOW = "serverless_workflow"
    DEFAULT_IO_MANAGER = "default_io_manager"
    SERVERLESS_VARIABLE = "serverless_variable"
    NON_ISOLATED_RUNS = "non_isolated_runs"
    SECRET = "secret"  # noqa: S105 - a kind of finding
    STORED_VALUES = "stored_values"
    NO_IMAGE = "no_image"
    RELEASES = "releases"
    UNKNOWN_LOCATION = "unknown_location"
    """A location that Dagster+ has and no folder of the repository is."""
    NOT_LOADED = "not_loaded"
    """A location that does not load now, before anything is changed."""
    SERVERLESS_LIBRARY = "serverless_library"
    """An import of ``dagster_cloud.serverless``, or its extra among the requirements."""
    UNREADABLE = "unreadable"
    """A file of the repository that could not be read, so that nothing is known of it."""
    INSTIGATORS = "instigators"
    """Schedules and sensors that are on: they are paused and turned on again."""
    AGENT_TYPE = "agent_type"
    ALERT_POLICY = "alert_policy"
    BRANCH_DEPLOYMENTS = "branch_deployments"
    RUNS_IN_FLIGHT = "runs_in_flight"
    RIGHTS = "rights"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. ``where`` is a file of the repository, with its line where there is one (``a/b.yaml:12``), or what of
    the organization it is (``secret STRIPE_KEY``). ``facts`` are what a fix needs to know (never a secret's value)."""

    kind: FindingKind
    weight: Weight
    where: str
    what: str
    why: str
    location: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


FACTS: Final[dict[FindingKind, tuple[str, ...]]] = {
    FindingKind.PEX_BUILD: ("folder", "certainty", "python_version", "requirements"),
    FindingKind.DOCKER_HOOKS: ("folder", "pre", "post", "requirements"),
    FindingKind.BASE_IMAGE: ("image", "tag", "provider"),
    FindingKind.EXECUTABLE_PATH: ("folder", "executable_path"),
    FindingKind.LEGACY_FILE: ("folder", "file"),
    FindingKind.SERVERLESS_WORKFLOW: ("file", "provider", "lines", "builds"),
    FindingKind.DEFAULT_IO_MANAGER: ("folder", "certainty", "assets"),
    FindingKind.SERVERLESS_VARIABLE: ("folder", "file", "line", "variable"),
    FindingKind.SERVERLESS_LIBRARY: ("folder", "file", "line"),
    FindingKind.NON_ISOLATED_RUNS: ("setting", "runs", "locations", "folder", "file", "line"),
    FindingKind.SECRET: ("name", "scopes", "locations"),
    FindingKind.STORED_VALUES: ("assets", "locations"),
    FindingKind.NO_IMAGE: ("folder", "image", "dockerfile"),
    FindingKind.RELEASES: ("folder", "requirements", "distribution"),
    FindingKind.UNKNOWN_LOCATION: ("image",),
    FindingKind.NOT_LOADED: ("error",),
    FindingKind.UNREADABLE: ("file",),
    FindingKind.INSTIGATORS: ("schedules", "sensors"),
    FindingKind.AGENT_TYPE: ("agent_type",),
    FindingKind.ALERT_POLICY: ("name", "event_types"),
    FindingKind.BRANCH_DEPLOYMENTS: ("count", "open"),
    FindingKind.RUNS_IN_FLIGHT: ("runs", "queued", "backfills"),
    FindingKind.RIGHTS: ("right",),
}
"""The facts that a finding of each kind may have; one that is not known is left out. ``folder`` and ``file`` are paths
relative to the repository, ``.`` its root; ``line`` from 1; lists are joined by ", "; ``certainty`` is ``known`` when
Dagster+ says it, else ``likely`` or ``unknown``, by the files alone."""


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
