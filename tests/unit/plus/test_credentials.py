"""Where the API token comes from, and that a wrong one is told without being shown."""

from __future__ import annotations

import secrets

import pytest

from hybrid.errors import SettingsError
from hybrid.plus import Endpoint, PlusClient, api_token, is_agent_token
from hybrid.redaction import Token

pytestmark = pytest.mark.unit

VARIABLE = "DAGSTER_CLOUD_API_TOKEN"


@pytest.fixture
def value() -> str:
    return f"user:acme:{secrets.token_hex(16)}"


@pytest.fixture
def token_file(tmp_path, value):
    path = tmp_path / "api-token"
    path.write_text(f"{value}\n")
    path.chmod(0o600)
    return path


def test_the_environment_gives_the_token(value):
    assert api_token({VARIABLE: value}, None).reveal() == value


def test_a_named_file_goes_before_the_environment(token_file, value):
    assert api_token({VARIABLE: "another-token"}, token_file).reveal() == value


def test_without_a_token_the_message_says_how_to_get_one():
    with pytest.raises(SettingsError, match=f"{VARIABLE} is not set") as missing:
        api_token({}, None)
    assert "Organization Settings > Tokens" in missing.value.next_step


@pytest.mark.parametrize(
    ("spoil", "phrase"),
    [
        (lambda value: "", "is empty"),
        (lambda value: "  ", "is empty"),
        (lambda value: f"{value}\n", "more than one line"),
        (lambda value: f"{value}\n{value}", "more than one line"),
        (lambda value: f" {value}", "blanks"),
        (lambda value: value.replace(":", ": "), "blanks"),
        (lambda value: f'"{value}"', "in quotes"),
        (lambda value: f"{value}'", "in quotes"),
        (lambda value: f"{value}é", "characters that no token has"),
        (lambda value: f"{value}\x00", "characters that no token has"),
    ],
)
def test_a_malformed_token_is_refused_by_what_is_wrong_with_it(value, spoil, phrase):
    with pytest.raises(SettingsError, match=phrase) as refused:
        api_token({VARIABLE: spoil(value)}, None)
    assert value.split(":")[2] not in str(refused.value)
    assert VARIABLE in str(refused.value)
    assert "copy the token again" in refused.value.next_step


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused_with_the_fix(token_file, value, mode):
    token_file.chmod(mode)
    with pytest.raises(SettingsError, match=f"mode {mode:04o}") as refused:
        api_token({}, token_file)
    assert f"chmod 600 {token_file}" in refused.value.next_step
    assert value not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="nowhere cannot be read: No such file"):
        api_token({}, tmp_path / "nowhere")


def test_a_file_that_is_not_text_is_refused(token_file):
    token_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not text"):
        api_token({}, token_file)


def test_an_agent_token_is_taken_and_known_for_one():
    token = api_token({VARIABLE: f"agent:acme:{secrets.token_hex(16)}"}, None)
    assert is_agent_token(token)
    assert not is_agent_token(Token(f"user:acme:{secrets.token_hex(16)}"))


def test_a_client_refuses_a_token_that_would_break_the_header():
    with pytest.raises(SettingsError, match="more than one line"):
        PlusClient(Endpoint.of("acme", "prod"), Token("abcdefgh\nX-Evil: 1"))
