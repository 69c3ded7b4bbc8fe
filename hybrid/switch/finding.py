"""What was found that the switch has to do something about: values that inspection makes and the plan works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
