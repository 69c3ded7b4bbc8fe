"""The agent token that Serverless storage is read with: a given one, or one made for a copy and revoked after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from hybrid.errors import HybridError
from hybrid.plus import AgentGrants, AgentToken, PlusError, PlusForbidden, is_agent_token
from hybrid.plus.credentials import checked
from hybrid.redaction import Token

VARIABLE: Final = "DAGSTER_CLOUD_AGENT_TOKEN"
_BY_HAND: Final = "Dagster+ > Organization Settings > Tokens"


class Tokens(Protocol):
    """What is asked of Dagster+: see ``hybrid.plus.PlusClient``."""

    def agent_tokens(self) -> list[AgentToken]: ...
    def create_agent_token(self, description: str) -> AgentToken: ...
    def set_agent_grants(self, token_id: int, grants: AgentGrants) -> AgentToken: ...
    def revoke_agent_token(self, token_id: int) -> bool: ...


@contextmanager
def reading_token(
    plus: Tokens,
    environment: Mapping[str, str],
    *,
    api_token: Token,
    deployment: str,
    description: str,
    note: Callable[[str], None],
) -> Iterator[Token]:
    """An agent's token that serves ``deployment``: ``DAGSTER_CLOUD_AGENT_TOKEN``, the API token when it is an agent's,
    or one that is made here, narrowed to the deployment, and revoked at the end however that comes.

    A copy that was killed leaves its token behind: those with the same ``description`` are revoked first. ``note``
    hears of a token that could not be revoked. Raises the errors of ``hybrid.plus``, ``SettingsError`` for a given
    token that cannot be one.
    """
    if given := environment.get(VARIABLE):
        yield checked(Token(given), VARIABLE)
        return
    if is_agent_token(api_token):
        yield api_token
        return
    made: list[int] = []
    try:
        yield _made(plus, deployment, description, made)
    finally:
        for number in made:
            _revoke(plus, number, note)


def _made(plus: Tokens, deployment: str, description: str, made: list[int]) -> Token:
    try:
        for left in plus.agent_tokens():
            if left.description == description and not left.revoked:
                plus.revoke_agent_token(left.id)
        created = plus.create_agent_token(description)
        made.append(created.id)
        plus.set_agent_grants(created.id, AgentGrants(deployments={deployment}))
    except PlusForbidden as error:
        error.next_step = (
            f"set {VARIABLE} to an agent's token that serves '{deployment}' ({_BY_HAND}), or use an API token of an "
            "Organization Admin, with which one is made and revoked after."
        )
        raise
    if created.token is None:
        raise PlusError(
            "Dagster+ made an agent token and did not show it.",
            next_step=f"set {VARIABLE} to an agent's token that serves '{deployment}' ({_BY_HAND}).",
        )
    return created.token


def _revoke(plus: Tokens, number: int, note: Callable[[str], None]) -> None:
    try:
        plus.revoke_agent_token(number)
    except HybridError as error:
        note(f"Agent token {number} was made for this copy and could not be revoked ({error.what}): {_BY_HAND}.")
