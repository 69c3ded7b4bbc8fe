"""The interface that a resource of this provider implements, and what the server gives to each call."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol

from hybrid.errors import HybridError
from hybrid.provider.definition import Definition, Failure
from hybrid.provider.difference import Change, changes
from hybrid.provider.properties import Properties


class Report(Protocol):
    """Says something to the person at the engine, redacted."""

    def status(self, text: str) -> None:
        """Progress: shown beside the resource while it is worked on, then gone."""

    def info(self, text: str) -> None:
        """A line that stays."""

    def warning(self, text: str) -> None:
        """A line that stays and is counted."""


@dataclass(frozen=True)
class Call:
    """What surrounds one operation: whom to report to, and whether it shall stop."""

    report: Report
    cancelled: threading.Event

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a cancellation. Raises ``CancelledError`` when the update is being stopped."""
        if self.cancelled.wait(seconds):
            raise CancelledError

    def check(self) -> None:
        """Raise ``CancelledError`` when the update is being stopped."""
        if self.cancelled.is_set():
            raise CancelledError


class CancelledError(HybridError):
    """The person, or the end of the engine, stopped the update."""

    def __init__(self) -> None:
        super().__init__("Stopped before it was done.", next_step="run the same command again; it goes on from here.")


class PartialError(HybridError):
    """Something was made but is not finished: the engine keeps ``id`` and ``outputs`` and updates it next time."""

    def __init__(self, cause: HybridError, *, id: str, outputs: Properties) -> None:
        super().__init__(cause.what, why=cause.why, next_step=cause.next_step)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True)
class Existing:
    """A resource that is there. ``inputs`` are those that differ from what state says (drift), by name."""

    id: str
    outputs: Properties = field(repr=False)
    inputs: Properties = field(default_factory=dict, repr=False)


class Resource(ABC):
    """One resource type. Inputs arrive complete, valid and in plain; outputs go back in plain.

    What the definition says is secret is marked by the server. Errors are ``HybridError``; anything else is a fault
    of ours and is shown as one.
    """

    definition: Definition
    import_refusal: str | None = None
    """Why it cannot be imported into state; None when ``read`` can do it from the id alone."""

    def check(self, inputs: Properties) -> list[Failure]:
        """What the definition cannot say about ``inputs``; may hold unknown values."""
        return []

    def completed(self, inputs: Properties, old_inputs: Properties, call: Call) -> Properties:
        """``inputs`` with what this resource finds out itself before a difference is made, such as the hashes of files.

        Called in previews, too, with inputs that are valid and may hold secrets and unknown values. ``old_inputs`` are
        those of the state, or empty. Names beyond the definition's inputs must be among its outputs.
        """
        return inputs

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        """What differs between state and program. Inputs may hold secrets and unknown values."""
        return changes(self.definition, old_inputs, inputs)

    def foreseen(self, inputs: Properties) -> Properties:
        """The outputs that are known before the update, for previews. Only called when all inputs are known."""
        return {}

    @abstractmethod
    def create(self, inputs: Properties, call: Call) -> Existing:
        """Make it, or adopt what is there already: an earlier update may have been killed before it was recorded."""

    @abstractmethod
    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        """What is there, or None when it is gone. ``inputs`` is empty for an import, which ``import_refusal`` stops."""

    @abstractmethod
    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        """Bring what is there to ``inputs``."""

    @abstractmethod
    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Take it away; what is gone already is no error."""
