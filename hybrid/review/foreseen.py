"""What a preview says, taken from the engine's events while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hybrid.engine.events import UNKNOWN, AgentRestarts, Event, StepEnded
from hybrid.redaction import redact
from hybrid.review.document import IamChange, ImageReview, Operation, Restart, Step
from hybrid.review.iam import attached_policy, policy_change
from hybrid.review.rights import rights_change

_OPERATIONS: Final[Mapping[str, Operation]] = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
    "keep": "keep",
    "import": "import",
    "discard": "discard",
}
_MOST_REASONS: Final = 100
_POLICIES: Final = ("policy", "assumeRolePolicy")
"""The inputs of pulumi_aws in which a policy stands as JSON."""
_OF_OTHER_POLICIES: Final = frozenset({"LifecyclePolicy"})
"""Types whose `policy` grants nothing to anybody: that of ECR says which images are removed."""


@dataclass
class Foreseen:
    """Listens to one preview. Looking at what stands is not among the steps."""

    steps: list[Step] = field(default_factory=list)
    images: list[ImageReview] = field(default_factory=list)
    iam: list[IamChange] = field(default_factory=list)
    documents: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    """By location, what Dagster+ would be told; None: only the update itself will know all of it."""
    _restarts: AgentRestarts = field(default_factory=AgentRestarts)

    def __call__(self, event: Event) -> None:
        self._restarts.take(event)
        if not isinstance(event, StepEnded) or event.failed:
            return
        if event.resource.kind == "CodeLocation" and event.operation not in ("refresh", "delete", "discard", "clear"):
            self._document(event)
        operation = _OPERATIONS.get(event.operation)
        if operation is None:
            return
        reasons = tuple(redact(reason) for reason in event.reasons[:_MOST_REASONS])
        step = Step(resource=str(event.resource), operation=operation, because=reasons)
        self.steps.append(step)
        if event.resource.kind == "LocationImage":
            self._image(event, step)
        self._rights(event)

    @property
    def restarts(self) -> tuple[Restart, ...]:
        return tuple(
            Restart(resource=each["resource"], because=tuple(each["because"])) for each in self._restarts.documents()
        )

    def _document(self, event: StepEnded) -> None:
        inputs = (event.new or {}).get("inputs") or {}
        name, document = inputs.get("name"), inputs.get("document")
        if isinstance(name, str):
            self.documents[name] = document if isinstance(document, Mapping) and not _has_unknown(document) else None

    def _image(self, event: StepEnded, step: Step) -> None:
        new = event.new or {}
        gone = step.operation in ("delete", "discard", "keep")
        present = (new.get("outputs") or {}).get("reference") not in (None, "", UNKNOWN)
        repository = ((event.old if gone else new) or {}).get("inputs", {}).get("repository")
        self.images.append(
            ImageReview(
                location=event.resource.name.removesuffix("-image"),
                operation="remove" if gone else "present" if present else "build",
                because=step.because,
                repository=redact(str(repository)) if repository else None,
            )
        )

    def _rights(self, event: StepEnded) -> None:
        old, new = ((each or {}).get("inputs") or {} for each in (event.old, event.new))
        if event.operation == "keep":
            return  # it leaves the state and goes on to grant what it grants
        if event.operation in ("delete", "discard"):
            new = {}
        if ("::aws:" in event.urn or "$aws:" in event.urn) and event.resource.kind not in _OF_OTHER_POLICIES:
            self._policies(event, old, new)
        type_ = event.urn.split("::")[2].rpartition("$")[2] if event.urn.count("::") > 2 else ""
        change = rights_change(str(event.resource), type_, old, new, unknown=UNKNOWN)
        if change is not None:
            self.iam.append(change)

    def _policies(self, event: StepEnded, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        name = str(event.resource)
        changes = [policy_change(name, old.get(key), new.get(key), unknown=UNKNOWN) for key in _POLICIES]
        if event.resource.kind.endswith("PolicyAttachment"):
            changes.append(attached_policy(name, old.get("policyArn"), new.get("policyArn"), unknown=UNKNOWN))
        for change in changes:
            if change is not None:
                self.iam.append(change)


def _has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unknown(item) for item in value)
    return bool(value == UNKNOWN)
