"""What stops a pipeline, beside the errors of what it drives."""

from __future__ import annotations

from hybrid.errors import HybridError, StackBusyError


class SupersededError(HybridError):
    """A newer commit is at work on the same branch deployment, so this run ends and overwrites nothing."""

    exit_code = StackBusyError.exit_code
