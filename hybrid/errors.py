"""The errors that people read: what happened, why, and what to do next.

Every error that can reach a terminal is a ``HybridError``. Anything else that escapes is a fault of ours and keeps
its traceback.
"""

from __future__ import annotations


class HybridError(Exception):
    """An error with its next step.

    ``what`` is one sentence; ``why`` may be several lines (a tool's own words, already redacted); ``next_step`` says
    what the reader does now. ``exit_code`` is what the command line ends with (see docs/cli.md).
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str | None = None, next_step: str | None = None) -> None:
        self.what = what
        self.why = why
        self.next_step = next_step
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole error as text, one part a line."""
        parts = [self.what]
        if self.why:
            parts.append(self.why)
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return "\n".join(parts)


class UsageError(HybridError):
    """The call itself is wrong: an argument, an option, a name that does not exist."""

    exit_code = 2


class SettingsError(HybridError):
    """The stack file, a location's files or an environment variable say something that cannot be."""

    exit_code = 3


class ToolchainError(HybridError):
    """A tool is missing and could not be had."""

    exit_code = 4


class EngineError(HybridError):
    """Pulumi's engine ended with errors."""

    exit_code = 5


class PolicyRefusedError(EngineError):
    """A resource breaks a mandatory rule of the policy pack."""

    exit_code = 11


class StackBusyError(EngineError):
    """Another update of the same stack is running."""

    exit_code = 6


class StoppedError(EngineError):
    """The person stopped it with Ctrl-C."""

    exit_code = 130


class NotReadyError(HybridError):
    """What was stood up does not (yet) do its work: agent not RUNNING, locations not loaded."""

    exit_code = 7


class DagsterPlusError(HybridError):
    """Dagster+ was reached and refused, or could not be reached."""

    exit_code = 8


class RunFailedError(HybridError):
    """A run that was launched ended in FAILURE or CANCELED."""

    exit_code = 9


class ValuesNotCopiedError(HybridError):
    """Stored values are not all where they are to be: some failed, are missing or differ, or nobody has copied them."""

    exit_code = 14
