"""Where a stack's stored values are to lie, for the command line, which knows stacks by this room alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.identity import StackIdentity
    from stacks.stored_values import StoredValuesPlace


def stored_values_place(who: StackIdentity) -> StoredValuesPlace | None:
    """See ``stacks.stored_values``; None: the stack has no place of its own for them."""
    from stacks import stored_values

    return stored_values.stored_values_place(who)


def stored_values_writer(who: StackIdentity) -> tuple[str, str] | None:
    """The ARN of the role that a copy on Serverless takes, and the external id that it says; None: there is none."""
    from stacks import stored_values

    return stored_values.stored_values_writer(who)
