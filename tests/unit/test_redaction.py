"""What is known to be secret, and what looks like it, is replaced in any text; and how a token travels.

It cannot prove that a secret of no known shape, which nobody registered, is found.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import secrets
import urllib.parse

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hybrid import redaction
from hybrid.redaction import MASK, RedactingFilter, Token, looks_secret, redact, register

pytestmark = pytest.mark.unit

HEX = "".join(f"{number:02x}" for number in range(160, 176))  # assembled, so that no scanner takes it for a token
SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789:_-.+/=%", min_size=6, max_size=60)
ONE_REGISTRY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_registered", set())
    monkeypatch.setattr(redaction, "_known", None)


@ONE_REGISTRY
@given(before=st.text(), secret=SECRETS, after=st.text())
@example(before="redacted", secret="dacted", after="")
@example(before="[redacted]", secret="abcabc", after="abc")
def test_a_registered_secret_never_survives_whatever_stands_around_it(before, secret, after):
    register(secret)
    if secret not in MASK:
        assert secret not in redact(before + secret + after).replace(MASK, "\0")


@ONE_REGISTRY
@given(st.lists(st.sampled_from([
    f"agent:acme:{HEX}", "user:", "agent:", f"secret={HEX}", "token: ", HEX, "password=", MASK, "AKIAABCDEFGHIJKLMNOP",
    "https://", "@", "\n", '"', "\\", ",", "redacted", "[", "]", "é", " ", "registered-secret",
]) | st.text(max_size=5)).map("".join))  # fmt: skip
def test_redacting_twice_is_redacting_once(text):
    register("registered-secret")
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        f"agent:acme:{HEX}",
        f"user:acme:{HEX}",
        f"service_user:acme:{HEX}",
        f"user:acme:pub-1:{HEX}",
        f"the token agent:acme-inc.eu:{HEX}.",
        repr(f"line\nagent:acme:{HEX}"),
        json.dumps(f"line\nuser:acme:{HEX}"),
        f"?t={urllib.parse.quote(f'agent:acme:{HEX}', safe='')}&u=1",
        f"https://user:{HEX}@github.com/acme/data",
        f"https://{HEX}@github.com/acme/data",
        f'{{"api_token": "{HEX}"}}',
        json.dumps(json.dumps({"agent_token": HEX})),
        f"DAGSTER_CLOUD_API_TOKEN={HEX}",
        f"Dagster-Cloud-Api-Token: {HEX}",
        repr({"Dagster-Cloud-Api-Token": HEX}),
        repr([("Dagster-Cloud-Api-Token", HEX)]),
        repr([(b"Dagster-Cloud-Api-Token", HEX.encode())]),
        f"Authorization: Bearer {HEX}",
        f"authorization: Basic {HEX}==",
        f"aws_secret_access_key = {HEX}",
        f"AWS_SESSION_TOKEN={HEX}",
    ],
)
def test_what_has_the_shape_of_a_secret_is_replaced_without_being_registered(text):
    assert HEX not in redact(text)
    assert MASK in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "AKIAABCDEFGHIJKLMNOP",
        "ASIAABCDEFGHIJKLMNOP",
    ],
)
def test_keys_of_aws_are_replaced(text):
    assert redact(f"x{text} y") == f"x{MASK} y"


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + HEX,
        "ghs_" + HEX,
        "github_pat_" + HEX,
        "glpat-" + HEX[:20],
        "glcbt-" + HEX,
        "pul-" + (HEX * 2)[:40],
    ],
)
def test_tokens_of_forges_and_of_pulumi_cloud_are_replaced(text):
    assert redact(f"x{text} y") == f"x{MASK} y"


@pytest.mark.parametrize(
    "text",
    [
        "glue-catalog-database-of-the-warehouse",
        "The API token's role may not do this (HybridPutLocation, deployment 'prod').",
        "make a new user token of this organization and set DAGSTER_CLOUD_API_TOKEN",
        "agent: local, user: me",
        "https://acme.dagster.cloud/prod",
        "code location 'hello' is loaded from registry.example/hello@sha256:12",
        'File "token.py", line 3, in tokenize_everything',
        "tokenId: 12",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "show",
    [str, repr, json.dumps, lambda value: urllib.parse.quote(value, safe=""), lambda value: repr(repr(value))[2:-2]],
    ids=["as it is", "repr", "json", "in an address", "repr of repr"],
)
def test_a_registered_secret_is_known_in_the_spellings_that_programs_print(show):
    register("pass wörd/with:+signs")
    assert "signs" not in redact(f"<{show('pass wörd/with:+signs')}>")


def test_a_secret_of_several_lines_is_known_line_by_line():
    key = "-----BEGIN KEY-----\n" + "\n".join(secrets.token_urlsafe(32) for _ in range(3)) + "\n-----END KEY-----"
    register(key)
    logged = "\n".join(f"agent-1 | {line}" for line in key.splitlines())
    assert [line for line in key.splitlines()[1:-1] if line in redact(logged)] == []


def test_a_secret_that_looks_like_a_part_of_the_mask_does_not_eat_the_mask():
    register("ted]ted]")
    once = redact("ted]ted]ted]")
    assert once == f"{MASK}ted]" == redact(once)


def test_the_longer_of_two_secrets_goes_first():
    register("abcdef")
    register("abcdef-and-more")
    assert redact("abcdef-and-more abcdef") == f"{MASK} {MASK}"


def test_a_value_too_short_to_tell_from_a_word_is_left_alone():
    register("prod")
    assert redact("production prod") == "production prod"


def test_a_token_shows_itself_only_when_asked_by_name():
    token = Token(HEX)
    shown = f"{token} {token!r} {token!s:>40} {[token]} {token:>40} " + "%s %r" % (token, {"t": token})  # noqa: UP031
    assert HEX not in shown
    assert token.reveal() == HEX
    assert HEX not in redact(f"bare {HEX}"), "making a token registers it"


def test_a_token_is_copied_but_not_pickled():
    token = Token(HEX)
    assert copy.deepcopy([token]) == [token]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(token)


@pytest.fixture
def heard():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    log = logging.getLogger("test_redaction")
    log.addHandler(handler)
    yield log, stream
    log.removeHandler(handler)


def test_a_log_line_is_redacted_with_its_arguments_traceback_and_stack(heard):
    log, stream = heard
    try:
        raise ValueError(f"agent:acme:{HEX}") from KeyError(f"user:acme:{HEX}")
    except ValueError:
        log.exception("with %s", {"api_token": HEX}, stack_info=True)
    log.warning("%s", f"agent:acme:{HEX}")
    assert HEX not in stream.getvalue()
    assert "Traceback" in stream.getvalue()
    assert stream.getvalue().count(MASK) == 4


def test_a_stack_that_was_logged_is_redacted():
    record = logging.makeLogRecord({"msg": "here", "stack_info": f'File "x", line 1\n    call("agent:acme:{HEX}")'})
    assert RedactingFilter().filter(record)
    assert HEX not in record.stack_info


def test_a_log_call_whose_arguments_do_not_fit_neither_fails_nor_leaks(heard, capsys):
    log, stream = heard
    wrong_format = "%d and %s"
    log.warning(wrong_format, f"agent:acme:{HEX}")
    assert HEX not in stream.getvalue() + capsys.readouterr().err
    assert "%d and %s" in stream.getvalue()


def test_a_plain_value_that_dagster_plus_was_asked_for_stays_a_plain_value() -> None:
    Token("of the stack, plainly")
    assert redact("of the stack, plainly") == MASK, "it is shown nowhere"
    assert not looks_secret("GREETING", "of the stack, plainly"), "else the stack file is refused after a look"
    assert looks_secret("GREETING", "agent:acme:0123456789abcdef0123456789abcdef")
