"""What can go wrong between us and Dagster+, as few kinds as a caller can act on.

Every text in these errors may hold what a server, a proxy or a user's code said, so every text is redacted when the
error is made; str, repr, pickle and traceback show nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hybrid.errors import DagsterPlusError
from hybrid.redaction import redact

Reason = Literal["refused", "dns", "tls", "timeout", "closed", "busy", "other"]


class PlusError(DagsterPlusError):
    """The root of this tree."""

    def __init__(self, what: str, *, why: str | None = None, next_step: str | None = None) -> None:
        super().__init__(
            redact(what),
            why=redact(why) if why else None,
            next_step=redact(next_step) if next_step else None,
        )

    def after(self, tries: int) -> PlusError:
        """The same error, saying how often the call was tried."""
        if tries > 1:
            self.why = "\n".join(filter(None, (self.why, f"Tried {tries} times.")))
            self.args = (self.sentence(),)
        return self


class PlusUnreachable(PlusError):
    """No usable answer came: nobody listens, no such host, no trust, no time, or the service is overloaded.

    ``reason`` tells them apart; "refused" means that the host is there and nothing listens on the port.
    """

    def __init__(
        self, what: str, *, why: str | None = None, next_step: str | None = None, reason: Reason = "other"
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.reason = reason


class PlusAnswerLost(PlusUnreachable):
    """The request was sent and no answer of Dagster+ came back: it may have had its effect, or have it later."""


class PlusUnauthorized(PlusError):
    """The token is not accepted (HTTP 401)."""


class PlusForbidden(PlusUnauthorized):
    """The token is good, but its role may not do this (HTTP 403, or a typed ``UnauthorizedError``)."""


class PlusNotFound(PlusError):
    """The organization, deployment, location, job, run or token is not there."""


class PlusRejected(PlusError):
    """Dagster+ understood and said no; ``errors`` holds its own words, one fault each."""

    def __init__(
        self, what: str, *, why: str | None = None, next_step: str | None = None, errors: Sequence[str] = ()
    ) -> None:
        self.errors = [redact(error) for error in errors]
        super().__init__(what, why=why or "\n".join(self.errors) or None, next_step=next_step)


class PlusMaintenance(PlusError):
    """Dagster+ announced maintenance and it lasted longer than the caller's patience."""


class PlusProtocolError(PlusError):
    """What answered does not speak Dagster+'s API: a wrong address, a proxy's page, a schema that moved on."""


class PlusCancelled(PlusError):
    """The caller's cancel event was set while a call waited to be tried again."""
