"""What a forge (GitHub, GitLab) can answer with instead of an answer. The command line ends with 10 (docs/cli.md)."""

from __future__ import annotations

from hybrid.errors import HybridError


class ForgeError(HybridError):
    """The forge refused, or could not be reached."""

    exit_code = 10


class ForgeUnauthorized(ForgeError):
    """The token is not taken, or may not do this. ``permission`` is what it needs, in the forge's own word, such as
    ``pull-requests: write``; None: the token itself is wrong."""

    def __init__(
        self, what: str, *, why: str | None = None, next_step: str | None = None, permission: str | None = None
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.permission = permission


class ForgeNotFound(ForgeError):
    """There is no such thing there, or the token may not see it; forges do not say which."""


class ForgeUnreachable(ForgeError):
    """No answer came, or the forge says that it is out of order (5xx). ``was_sent``: what was asked may have had its
    effect."""

    def __init__(
        self, what: str, *, why: str | None = None, next_step: str | None = None, was_sent: bool = False
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.was_sent = was_sent


class ForgeRejected(ForgeError):
    """The forge understood and will not: a text that is too long, a value that it does not take."""


class ForgeRateLimited(ForgeError):
    """The token's share of requests is used up for longer than is waited. ``seconds``: until there is more, if the
    forge says."""

    def __init__(
        self, what: str, *, why: str | None = None, next_step: str | None = None, seconds: float | None = None
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.seconds = seconds
