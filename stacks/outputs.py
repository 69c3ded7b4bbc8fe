"""What a stack exports: typed, versioned, without secrets. ``document`` and ``parse`` are inverses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hybrid.errors import SettingsError
from stacks.identity import StackIdentity

VERSION = 1


@dataclass(frozen=True)
class StackOutputs:
    """Who the stack is to Dagster+ and what it serves; other stacks and CI read it by ``StackReference``."""

    stack: str
    environment: str
    platform: str
    organization: str
    deployment: str
    url: str
    agent_label: str
    locations: tuple[str, ...]

    @classmethod
    def of(cls, who: StackIdentity, locations: Sequence[str]) -> StackOutputs:
        return cls(
            stack=who.stack,
            environment=who.settings.environment,
            platform=who.settings.agent.kind,
            organization=who.endpoint.organization,
            deployment=who.endpoint.deployment,
            url=who.page,
            agent_label=who.agent_label,
            locations=tuple(locations),
        )

    def document(self) -> dict[str, Any]:
        """The outputs by name, as Pulumi stores them."""
        return {"version": VERSION, **asdict(self), "locations": list(self.locations)}

    def export(self) -> None:
        """Hand the outputs to Pulumi; only inside a program."""
        import pulumi

        for name, value in self.document().items():
            pulumi.export(name, value)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> StackOutputs:
        """Outputs as they were exported. Raises ``SettingsError`` for another version or a missing output."""
        version = document.get("version")
        if version != VERSION:
            raise SettingsError(
                f"The stack's outputs are of version {version!r}; this release reads version {VERSION}.",
                next_step="run `hybrid up` of that stack with this release.",
            )
        fields = cls.__dataclass_fields__
        missing = [name for name in fields if name not in document]
        if missing:
            raise SettingsError(
                f"The stack's outputs lack {', '.join(missing)}.", next_step="run `hybrid up` of that stack once."
            )
        values = {name: document[name] for name in fields}
        return cls(**{**values, "locations": tuple(values["locations"])})
