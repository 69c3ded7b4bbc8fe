"""Which resources a stack has, as a file that a review without credentials may read: names and types, nothing else.

Of what Pulumi keeps neither inputs nor outputs, ids, configuration or keys are taken, so that no secret can be in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hybrid.engine.recorded_changes import Standing
from hybrid.errors import SettingsError
from hybrid.redaction import redact
from hybrid.workspace import checked_stack_name

LARGEST_BYTES: Final = 8 * 1024 * 1024
"""Of a file that is read. One of 100 resources has 20 KB."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ExportedResource(_Model):
    """One resource that stands."""

    urn: str = Field(pattern=r"^urn:pulumi:.+::.+::.+::.+$", max_length=2000)
    """Stack, project, types and name, as Pulumi's."""
    retained: bool = False
    """Whether the thing stays when the resource goes."""


class ExportedState(_Model):
    """What `hybrid review export` writes: ``DIR/STACK.json``."""

    version: Literal[1] = 1
    stack: str
    exported_at: str
    """When, in UTC, ISO 8601."""
    resources: tuple[ExportedResource, ...] = ()

    @classmethod
    def of(cls, stack: str, exported: Mapping[str, Any] | None) -> ExportedState:
        """From what ``pulumi stack export`` says; None: there is no such stack yet. Components and Pulumi's own are
        left out, and what is only read, or is being replaced."""
        deployment = (exported or {}).get("deployment") or {}
        return cls(
            stack=checked_stack_name(stack),
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            resources=tuple(
                ExportedResource(urn=redact(str(each["urn"])), retained=bool(each.get("retainOnDelete")))
                for each in deployment.get("resources") or ()
                if _is_told(each)
            ),
        )

    @classmethod
    def read(cls, folder: Path, stack: str) -> ExportedState:
        """``folder``/``stack``.json, which a stranger may have written.

        Raises ``SettingsError``: not there, too large, of another shape or of another stack.
        """
        file = folder / f"{checked_stack_name(stack)}.json"
        try:
            with file.open("rb") as opened:
                content = opened.read(LARGEST_BYTES + 1)
        except OSError as error:
            raise _unreadable(stack, error.strerror) from None
        if len(content) > LARGEST_BYTES:
            raise _unreadable(stack, f"It has more than {LARGEST_BYTES // 1024**2} MB.")
        try:
            found = cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _unreadable(stack, redact(f"{where or 'the document'}: {first['msg']}")) from None
        if found.stack != stack or any(not each.urn.startswith(f"urn:pulumi:{stack}::") for each in found.resources):
            raise _unreadable(stack, "It is the state of another stack.")
        return found

    @property
    def standing(self) -> Standing:
        return Standing({each.urn: each.retained for each in self.resources})

    def text(self) -> str:
        """What is written."""
        return self.model_dump_json(indent=1) + "\n"


def _is_told(resource: Mapping[str, Any]) -> bool:
    goes = resource.get("delete") or resource.get("external")
    return bool(resource.get("custom")) and not goes and not str(resource.get("type", "")).startswith("pulumi:")


def _unreadable(stack: str, why: str | None) -> SettingsError:
    return SettingsError(
        f"There is no exported state of the stack '{stack}' that can be read.",
        why=why,
        next_step=f"`hybrid review export {stack} --to DIR`, by somebody who may read its state.",
    )
