"""Errors that are found only when an output is known, which is after the program has been read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pulumi

from hybrid.errors import HybridError

Given = TypeVar("Given")
Found = TypeVar("Found")


def told(check: Callable[[Given], Found]) -> Callable[[Given], Found]:
    """``check`` for use in ``Output.apply``: an error of ours ends the program with its sentence and no traceback, as
    one that is raised while the program is read does (stacks/__main__.py)."""

    def checked(given: Given) -> Found:
        try:
            return check(given)
        except HybridError as error:
            raise pulumi.RunError(str(error)) from None

    return checked
