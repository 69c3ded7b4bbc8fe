"""An error of somebody's code, as Dagster+ tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid.redaction import redact


@dataclass(frozen=True)
class Failure:
    """Message and traceback (frames as text, innermost last) with those of its causes below; redacted."""

    message: str
    stack: str
    cause: str = ""
    """The message of the innermost cause; empty: it has none."""

    @classmethod
    def of(cls, error: Mapping[str, Any] | None) -> Failure | None:
        """From a ``PythonError``; None from none."""
        if error is None:
            return None
        parts = ["".join(error.get("stack") or ())]
        for link in error.get("errorChain") or ():
            cause = link["error"]
            heading = "Caused by:" if link.get("isExplicitLink") else "While handling:"
            parts += [heading, cause["message"], "".join(cause.get("stack") or ())]
        chain = [link["error"]["message"] for link in error.get("errorChain") or ()]
        stack = redact("\n".join(part.rstrip() for part in parts if part.strip()))
        return cls(redact(error["message"]).strip(), stack, redact(chain[-1]).strip() if chain else "")

    @property
    def reason(self) -> str:
        """One line: what went wrong first, where Dagster's own message only says that something did."""
        return ((self.cause or self.message).splitlines() or ["no words"])[0]

    def __str__(self) -> str:
        return f"{self.message}\n{self.stack}".strip()
