"""The settings for Atlan, set and read by the installed `dagster-cloud` itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from dagster_cloud_cli import gql
from dagster_cloud_cli.entrypoint import app
from typer.testing import CliRunner

from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.atlan import AtlanError, AtlanSettings
from tests.unit.emulator.serving import Served, served

TOKEN, DOMAIN = "atlan-token-that-nobody-may-see", "acme.atlan.com"


@pytest.fixture
def running(organization: Organization, tmp_path: Path, standin: ModuleType) -> Iterator[Served]:
    with served(organization, tmp_path, standin) as found:
        yield found


def run(running: Served, *words: str, token: str | None = None) -> tuple[int, str]:
    """The real command; its exit code and what it said, exceptions included."""
    whole = ["integration", "atlan", *words, "--url", running.url, "--api-token", token or running.api_token]
    result = CliRunner().invoke(app, whole)
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_settings_are_set_read_and_deleted(running: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    code, said = run(running, "get-settings")
    assert (code, "No Atlan integration settings" in said) == (1, True), "there are none yet"
    code, said = run(running, "set-settings", TOKEN, DOMAIN)
    assert (code, said.strip()) == (0, "Atlan settings successfully set for organization: local")
    assert running.organization.atlan.get() == AtlanSettings(TOKEN, DOMAIN), "both are kept as they were given"
    code, said = run(running, "get-settings")
    assert (code, said.splitlines()[-2:]) == (0, ["Token: (kept, and never shown)", f"Domain: {DOMAIN}"])
    code, said = run(running, "delete-settings")
    assert (code, said.strip()) == (0, "Atlan settings successfully deleted for organization: local")
    assert running.organization.atlan.get() is None
    assert TOKEN not in caplog.text, "no log has the token"


def test_the_check_says_what_it_did_not_check(running: Served) -> None:
    code, said = run(running, "preflight-check")
    assert (code, "No Atlan integration settings" in said) == (1, True)
    run(running, "set-settings", TOKEN, DOMAIN)
    code, said = run(running, "preflight-check")
    assert "Error code: ATLAN_NOT_CONTACTED" in said, "whether Atlan takes the token is not known"
    assert "contacts no Atlan" in said
    assert TOKEN not in said, "and the token is not shown here either"


@pytest.mark.parametrize(
    ("token", "domain"),
    [
        (TOKEN, "https://acme.atlan.com"),
        (TOKEN, "acme"),
        (TOKEN, "-acme.atlan.com"),
        (TOKEN, "a" * 64 + ".com"),
        (TOKEN, "acme.atlan.com\n"),
        (TOKEN, ""),
        ("", DOMAIN),
        (TOKEN + "\n", DOMAIN),
        (TOKEN + "x" * 8_192, DOMAIN),
    ],
)
def test_settings_that_cannot_be_are_refused_without_the_token(running: Served, token: str, domain: str) -> None:
    variables = {"atlanIntegrationSettings": {"token": token, "domain": domain}}
    answer = running.ask(gql.SET_ATLAN_INTEGRATION_SETTINGS_MUTATION, **variables)
    found = answer["data"]["setAtlanIntegrationSettings"]
    assert found["__typename"] == "PythonError", "the client reads it as a refusal"
    assert TOKEN not in str(answer), "what is refused is not repeated"
    assert running.organization.atlan.get() is None, "and nothing is kept"


@pytest.mark.parametrize(
    "words", [("get-settings",), ("delete-settings",), ("preflight-check",), ("set-settings", "t", DOMAIN)]
)
def test_only_administrators_of_the_organization_may(running: Served, words: tuple[str, ...]) -> None:
    organization = running.organization
    organization.atlan.put(AtlanSettings(TOKEN, DOMAIN))
    editor = organization.users.add("editor@example.com", [("ADMIN", "DEPLOYMENT", organization.deployment.id)])
    secret = organization.tokens.create("user", "test", user_id=editor.id)[1].reveal()
    for token in (secret, running.agent_token):
        code, said = run(running, *words, token=token)
        assert (code, "Unauthorized" in said) == (1, True), f"refused, and said so: {said}"
        assert TOKEN not in said
    assert organization.atlan.get() == AtlanSettings(TOKEN, DOMAIN), "nothing was changed"


def test_settings_are_there_after_a_restart_and_the_token_in_no_words_of_theirs(tmp_path: Path) -> None:
    first = Organization(tmp_path)
    first.atlan.put(AtlanSettings("former", "former.atlan.com"))
    first.atlan.put(AtlanSettings(TOKEN, DOMAIN))
    first.close()
    second = Organization(tmp_path)
    found = second.atlan.get()
    second.close()
    assert found == AtlanSettings(TOKEN, DOMAIN), "the last ones are kept"
    assert TOKEN not in repr(found), "nor does a traceback show it"
    with pytest.raises(AtlanError) as refused:
        second.atlan.put(AtlanSettings(TOKEN, "not a domain"))
    assert TOKEN not in refused.value.sentence()
