"""What of this team's stacks may break a rule of the policy pack, and why. The team's own file: reviewed like code,
and read by the pack of this checkout. docs/policies.md tells the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Allowed:
    """One exception."""

    rule: str
    """The rule's name, such as ``image-by-digest``."""
    resource: str
    """Type and name of the resources, as a finding says them: ``aws:s3/bucket:Bucket::storage-bucket``. ``*`` and
    ``?`` match as in names of files, ``[`` begins a set of characters. The type has to be said."""
    because: str
    """Why it is right here; it is for whoever reads this in a year."""
    stack: str = "*"
    """The stacks that it is for, with the same wildcards. Default: all."""


EXCEPTIONS: Final[tuple[Allowed, ...]] = ()
