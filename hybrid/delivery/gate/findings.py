"""What the gate found: plain values, and one error for all that stops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hybrid.errors import SettingsError
from hybrid.redaction import redact

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or likely to be."""

    location: str
    severity: Severity
    where: str | None
    """``file, line 3`` as far as known."""
    what: str
    """One sentence; a traceback may follow on further lines."""
    next_step: str

    def sentence(self) -> str:
        """The finding as text: where and what, then what to do."""
        where = f"{self.where}: " if self.where else ""
        return redact(f"{where}{self.what}\n  Next: {self.next_step}")

    def document(self) -> dict[str, str | None]:
        """The finding as JSON, redacted."""
        return {
            "severity": self.severity,
            "where": self.where,
            "what": redact(self.what),
            "next_step": redact(self.next_step),
        }


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def warnings_of(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "warning"]


def errors_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: finding.severity != "error")


def refusal(name: str, findings: Sequence[Finding]) -> SettingsError | None:
    """One error with all that stops the location ``name``; None when nothing does."""
    stopping = errors_of(findings)
    if not stopping:
        return None
    count = "One thing is" if len(stopping) == 1 else f"{len(stopping)} things are"
    return SettingsError(
        f"{count} wrong with the code location {name}:",
        why="\n\n".join(finding.sentence() for finding in stopping),
        next_step="mend the location; `hybrid locations check` looks again without building anything.",
    )
