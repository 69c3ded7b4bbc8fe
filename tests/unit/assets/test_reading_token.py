"""The agent token of a copy: whose it is, what it may, and that it does not stay."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import pytest

from hybrid.assets.reading_token import reading_token
from hybrid.errors import SettingsError
from hybrid.plus import AgentGrants, AgentToken, PlusForbidden, PlusUnreachable
from hybrid.redaction import Token

pytestmark = pytest.mark.unit

USER = Token(f"user:acme:{secrets.token_hex(16)}")


@dataclass
class Tokens:
    """An organization's agent tokens."""

    refuses: bool = False
    cannot_revoke: bool = False
    cannot_narrow: bool = False
    kept: list[AgentToken] = field(default_factory=list)
    did: list[object] = field(default_factory=list)

    def agent_tokens(self):
        if self.refuses:
            raise PlusForbidden("The API token's role may not do this.", next_step="ask an admin")
        return self.kept

    def create_agent_token(self, description):
        self.did.append(("create", description))
        return AgentToken(7, description, False, token=Token(f"agent:acme:{secrets.token_hex(16)}"))

    def set_agent_grants(self, token_id, grants):
        if self.cannot_narrow:
            raise PlusUnreachable("gone")
        self.did.append(("grant", token_id, grants))
        return AgentToken(token_id, None, False, grants=grants)

    def revoke_agent_token(self, token_id):
        if self.cannot_revoke:
            raise PlusUnreachable("Dagster+ is away.")
        self.did.append(("revoke", token_id))
        return True


def reading(plus, environment=None, api_token=USER, notes=None):
    heard = notes if notes is not None else []
    return reading_token(
        plus, environment or {}, api_token=api_token, deployment="prod", description="copy prod", note=heard.append
    )


def test_a_made_token_serves_the_one_deployment_and_is_revoked_at_the_end() -> None:
    plus = Tokens()
    with reading(plus) as token:
        assert token.reveal().startswith("agent:")
        assert plus.did[-1] == ("grant", 7, AgentGrants(deployments={"prod"})), "and not the whole organization"
    assert plus.did[-1] == ("revoke", 7)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_it_is_revoked_however_the_copy_ends(error: type[BaseException]) -> None:
    plus = Tokens()
    with pytest.raises(error), reading(plus):
        raise error
    assert plus.did[-1] == ("revoke", 7)


def test_it_is_revoked_when_it_could_not_be_narrowed() -> None:
    plus = Tokens(cannot_narrow=True)
    with pytest.raises(PlusUnreachable), reading(plus):
        raise AssertionError("a token for the whole organization is not used")
    assert plus.did[-1] == ("revoke", 7)


def test_what_a_killed_copy_has_left_is_revoked_first_and_nothing_else() -> None:
    plus = Tokens(
        kept=[AgentToken(3, "copy prod", False), AgentToken(4, "copy prod", True), AgentToken(5, "agent", False)]
    )
    with reading(plus):
        assert plus.did[0] == ("revoke", 3)
    assert [did for did in plus.did if did[0] == "revoke"] == [("revoke", 3), ("revoke", 7)]


def test_a_token_that_cannot_be_revoked_is_named_so_that_somebody_does() -> None:
    notes: list[str] = []
    with reading(Tokens(cannot_revoke=True), notes=notes) as token:
        pass
    assert "Agent token 7" in notes[0]
    assert token.reveal() not in notes[0]


def test_a_given_token_is_used_and_left_alone() -> None:
    plus = Tokens()
    given = f"agent:acme:{secrets.token_hex(16)}"
    with reading(plus, {"DAGSTER_CLOUD_AGENT_TOKEN": given}) as token:
        assert token.reveal() == given
    assert plus.did == []
    with (
        pytest.raises(SettingsError, match="DAGSTER_CLOUD_AGENT_TOKEN"),
        reading(plus, {"DAGSTER_CLOUD_AGENT_TOKEN": "a b"}),
    ):
        pass


def test_an_api_token_that_is_an_agents_is_used_itself() -> None:
    plus = Tokens()
    agent = Token(f"agent:acme:{secrets.token_hex(16)}")
    with reading(plus, api_token=agent) as token:
        assert token is agent
    assert plus.did == []


def test_a_role_that_may_not_make_tokens_is_told_what_else_there_is() -> None:
    with pytest.raises(PlusForbidden) as refused, reading(Tokens(refuses=True)):
        pass
    assert "set DAGSTER_CLOUD_AGENT_TOKEN" in (refused.value.next_step or "")
