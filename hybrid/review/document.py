"""A review as a value, and as the JSON document of ``hybrid review --json`` (docs/review-json.md is made from it).

Keys are added, never renamed or removed; ``version`` counts what would break a reader. A document that somebody else
wrote is hostile: ``parse`` bounds and checks it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hybrid.errors import SettingsError, UsageError

VERSION: Final = 1
LARGEST_BYTES: Final = 32 * 1024 * 1024
"""Of a document that is read. One of 500 changed resources has about 1 MB."""

Operation = Literal["create", "update", "replace", "delete", "keep", "import", "discard", "read"]
"""``keep``: it leaves the state and stays where it is. ``discard``: it leaves the state, and was gone already."""

PartName = Literal["preview", "dagster_plus", "images", "build_files", "costs", "policies", "iam", "base"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Missing(Model):
    """A part that could not be looked at."""

    part: PartName
    """Which."""
    why: str
    """Why, in one sentence or a tool's own words; redacted."""
    next_step: str | None = None
    """What to do so that it is there the next time."""


class Step(Model):
    """One resource that would not stay as it is."""

    resource: str
    """Its type and name, such as `TaskDefinition agent-task`."""
    operation: Operation
    """What would be done."""
    because: tuple[str, ...] = ()
    """Paths of the properties that differ; of an image the files of its context."""


class Restart(Model):
    """What starts the agent anew, and so redeploys every code location."""

    resource: str
    """The resource whose step does it."""
    because: tuple[str, ...] = ()
    """What of it changed."""


class ImageReview(Model):
    """The image of one code location."""

    location: str
    """The code location."""
    operation: Literal["build", "present", "remove"]
    """`build`: it would be built and pushed. `present`: another one, which its registry has already. `remove`: the
    stack lets go of it; the image stays in its registry."""
    because: tuple[str, ...] = ()
    """Files that changed, or `bases`, `arguments`, `platforms`; empty for one that is new."""
    repository: str | None = None
    """Where it would go."""


class KeyChange(Model):
    """One key of what Dagster+ is told of a location."""

    path: str
    """Such as `container_context.ecs.env_vars.STAGE`."""
    old: Any = None
    """What Dagster+ has; null: nothing."""
    new: Any = None
    """What it would have; null: nothing. Values of variables whose names tell of a secret are masked."""


class LocationReview(Model):
    """One code location: what Dagster+ has of it against what it would have."""

    name: str
    """The code location."""
    standing: Literal["added", "changed", "same", "removed", "untouched"]
    """`untouched`: Dagster+ has it and the stack does not declare it; nothing is done to it."""
    changes: tuple[KeyChange, ...] = ()
    """What differs, for `added` and `changed`."""


class BuildFileDiff(Model):
    """One rendered build file of the stack's environment."""

    path: str
    """Such as `.build/prod/hello/container_context.yaml`."""
    diff: str
    """A unified diff, base to head."""


class PolicyFinding(Model):
    """One rule of the policy pack that a resource breaks."""

    policy: str
    """The rule's name."""
    level: Literal["mandatory", "advisory"]
    """`mandatory`: a deploy would refuse it."""
    resource: str
    """The resource, as in `Step`; empty for a rule about the whole stack."""
    message: str
    """What is wrong, why it matters, and how to allow it."""


class Statement(Model):
    """One action that a policy grants or denies."""

    effect: Literal["Allow", "Deny"]
    """What it says."""
    action: str
    """Such as `s3:GetObject`, or `not s3:GetObject` of a NotAction."""
    resource: str
    """On what: an ARN or `*`; empty in a policy that lies on the resource itself."""
    principal: str | None = None
    """To whom, in a policy that says it."""
    condition: str | None = None
    """Only if, as compact JSON."""


class IamChange(Model):
    """What one policy would grant more or less than now."""

    resource: str
    """The resource that holds the policy, as in `Step`."""
    added: tuple[Statement, ...] = ()
    """What would be granted (or denied) and is not now."""
    removed: tuple[Statement, ...] = ()
    """What is granted (or denied) now and would not be."""
    unknown: str | None = None
    """Why it could not be told, if so."""


class CostLine(Model):
    """One line of the estimate that changes."""

    what: str
    """What costs."""
    before: float
    """Dollars a month at the base."""
    after: float
    """Dollars a month at the head."""


class Costs(Model):
    """What the stack costs a month, as `hybrid costs` tells it, before and after; runs, data and requests on top."""

    before: float | None
    """Dollars; null: it did not stand, or cannot be told."""
    after: float | None
    """Dollars; null: it would not stand, or cannot be told."""
    prices_as_of: str
    """The date of the price table."""
    lines: tuple[CostLine, ...] = ()
    """What makes the difference, the largest first."""


class StackReview(Model):
    """One stack that the change touches."""

    stack: str
    """Its name."""
    environment: str
    """The environment in the team's own sense; empty when its file cannot be read."""
    platform: str
    """`local`, `docker` or `ecs`; empty when its file cannot be read."""
    deployment: str
    """The deployment in Dagster+, as `organization/deployment`; empty when its file cannot be read."""
    touched_by: tuple[str, ...]
    """Why it is reviewed: changed files, at most ten, or `asked for`."""
    standing: Literal["new", "present", "removed", "failed"]
    """`new`: it does not stand yet. `removed`: its file is deleted by this change. `failed`: the preview failed."""
    steps: tuple[Step, ...] = ()
    """What would be done, in order; empty when nothing would change."""
    restarts: tuple[Restart, ...] = ()
    """What starts the agent anew; empty when it goes on."""
    images: tuple[ImageReview, ...] = ()
    """Images that would be built, or let go."""
    locations: tuple[LocationReview, ...] = ()
    """Dagster+ against what it would have."""
    build_files: tuple[BuildFileDiff, ...] = ()
    """Rendered build files that differ."""
    policies: tuple[PolicyFinding, ...] = ()
    """Findings of the policy pack."""
    iam: tuple[IamChange, ...] = ()
    """What policies grant more or less."""
    costs: Costs | None = None
    """Prices before and after; null for a stack that there are none for."""
    missing: tuple[Missing, ...] = ()
    """Parts that could not be looked at. A review with any is not whole."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def operations(self) -> dict[str, int]:
        """How many resources by operation."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.operation] = found.get(step.operation, 0) + 1
        return found

    @property
    def changes(self) -> bool:
        """Whether a deploy would do anything that this review knows of."""
        return bool(self.steps) or self.standing in {"new", "removed"}


class Commit(Model):
    """One end of what is reviewed."""

    reference: str
    """As it was asked for, such as `origin/main`."""
    sha: str
    """The commit."""


class Review(Model):
    """What a change would do to every stack that it touches."""

    version: Literal[1] = VERSION
    """Of this shape."""
    base: Commit
    """Where the branch left."""
    head: Commit
    """What is reviewed."""
    uncommitted: bool = False
    """Whether the working tree has changes that no commit has; they are reviewed too."""
    offline: bool = False
    """Whether it was made without credentials: from the program alone, against the base's program or an exported
    state."""
    made_at: str
    """When, in UTC, ISO 8601."""
    stacks: tuple[StackReview, ...] = ()
    """Those that the change touches, in the pipeline's order, then by name."""
    untouched: tuple[str, ...] = ()
    """Stacks that it does not touch."""
    changed_files: int = 0
    """How many files the change has."""
    missing: tuple[Missing, ...] = Field(default=())
    """What could not be looked at for any stack."""

    @property
    def is_whole(self) -> bool:
        return not self.missing and not any(stack.missing for stack in self.stacks)

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return self.model_dump(mode="json")


def parse(text: str | bytes) -> Review:
    """The review that a JSON text says. Raises ``SettingsError``: too large, no JSON, or of another shape."""
    if len(text) > LARGEST_BYTES:
        raise SettingsError(
            f"The review is larger than {LARGEST_BYTES // 1024 // 1024} MB.",
            next_step="give a document that `hybrid review --json` wrote.",
        )
    try:
        return Review.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            "This is not a review that `hybrid review --json` of this version wrote.",
            why=f"{where or 'the document'}: {first['msg']}",
            next_step="make it anew with the same version of this repository.",
        ) from None


def review_in(file: Path) -> Review:
    """The review that a file holds. Raises ``UsageError`` when it cannot be read, ``SettingsError`` as ``parse``."""
    try:
        with file.open("rb") as opened:
            return parse(opened.read(LARGEST_BYTES + 1))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read.", why=error.strerror, next_step="name a file that `hybrid review --json` made."
        ) from None
