"""An inspection: what Dagster+ and a repository told at one moment, and what follows from it. It can be saved, and read
again by what plans and rehearses."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import SettingsError
from hybrid.redaction import redact
from hybrid.switch.finding import Finding, Weight
from hybrid.switch.organization import OrganizationState
from hybrid.switch.repository import RepositoryState

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA: Final = 1
"""Of the saved form; one that is not this is not read."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a saved inspection; a deployment with hundreds of locations comes to a few megabytes."""

_ORDER: Final = {Weight.MUST: 0, Weight.SHOULD: 1, Weight.KNOW: 2}


@dataclass(frozen=True)
class Inspection:
    """``organization`` is None when only the repository was looked at (--offline). ``taken_at`` in UTC, ISO 8601."""

    taken_at: str
    organization: OrganizationState | None
    repository: RepositoryState | None
    findings: list[Finding]
    schema: int = SCHEMA

    @property
    def fingerprint(self) -> str | None:
        """Of the organization's state; see ``OrganizationState.fingerprint``. None: it was not asked."""
        return self.organization.fingerprint() if self.organization else None

    @property
    def age_base(self) -> datetime:
        """``taken_at`` as a moment."""
        return datetime.fromisoformat(self.taken_at)

    def of_weight(self, weight: Weight) -> list[Finding]:
        return [finding for finding in self.findings if finding.weight is weight]

    def of_location(self, name: str | None) -> list[Finding]:
        """A location's findings; with None those of no location."""
        return [finding for finding in self.findings if finding.location == name]

    def document(self) -> dict[str, Any]:
        """As JSON can say it, the fingerprint beside it. ``parse`` of it is this inspection again."""
        found: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return {"schema": found.pop("schema"), "fingerprint": self.fingerprint, **found}

    @classmethod
    def parse(cls, document: object) -> Inspection:
        """Raises ``SettingsError`` for what no inspection of this schema is, and for one that somebody edited: its
        fingerprint would let a plan pass that was made for another state."""
        from pydantic import ValidationError

        if not isinstance(document, dict) or "schema" not in document or "taken_at" not in document:
            raise _not_one("it has no `schema` and `taken_at`.")
        if document["schema"] != SCHEMA:
            raise _not_one(f"its schema is {str(document['schema'])[:20]}, not {SCHEMA}.")
        claimed = document.get("fingerprint")
        try:
            found = _adapter().validate_python({k: v for k, v in document.items() if k != "fingerprint"})
            datetime.fromisoformat(found.taken_at)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise _not_one(f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}.") from None
        except ValueError:
            raise _not_one("`taken_at` is no moment.") from None
        if found.fingerprint != claimed:
            raise _not_one("its fingerprint is not that of what it holds: it was edited, or cut off.")
        return found

    @classmethod
    def read(cls, path: Path) -> Inspection:
        """A saved one. Raises ``SettingsError``."""
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read.", why=error.strerror, next_step="`hybrid switch inspect STACK --save FILE`."
            ) from None
        if len(content) > MOST_BYTES:
            raise _not_one(f"it is larger than {MOST_BYTES // 1024**2} MiB.")
        try:
            return cls.parse(json.loads(content))
        except (ValueError, RecursionError):
            raise _not_one("it is not JSON.") from None


def now() -> str:
    """The moment in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def inspected(
    organization: OrganizationState | None, repository: RepositoryState | None, *, taken_at: str | None = None
) -> Inspection:
    """The inspection with what follows from both sides; the weightiest findings first."""
    from hybrid.switch.organization_findings import findings_of_organization
    from hybrid.switch.repository_findings import findings_of_repository

    found = [*findings_of_organization(organization, repository), *findings_of_repository(organization, repository)]
    found.sort(key=lambda each: (_ORDER[each.weight], each.kind.value, each.location or "", each.where))
    return _redacted(Inspection(taken_at or now(), organization, repository, found))


@functools.cache
def _adapter() -> TypeAdapter[Inspection]:
    from pydantic import TypeAdapter  # not at the top: commands that only print help need not load it

    return TypeAdapter(Inspection)


def _redacted(inspection: Inspection) -> Inspection:
    """Whatever was written where nobody expects it: in a branch's name, a path, an error. It comes before the
    fingerprint, which has to be that of what is saved."""
    return _adapter().validate_python(_without_secrets(_adapter().dump_python(inspection, mode="json")))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {redact(key): _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def _not_one(why: str) -> SettingsError:
    return SettingsError(
        "This is no saved inspection.", why=why, next_step="make one: `hybrid switch inspect STACK --save FILE`."
    )
