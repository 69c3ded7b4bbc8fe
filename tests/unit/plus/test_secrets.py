"""A token goes into a request's header and nowhere else.

Tokens are planted where a server, a proxy or a user's code could put them, and looked for on every path of this
package that prints, raises, logs or pickles. Frames' local variables are not searched: who prints those prints memory.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
import secrets
import traceback

import httpx
import pytest

from hybrid.plus import (
    Endpoint,
    Patience,
    PlusClient,
    PlusError,
    PlusRejected,
    PlusUnreachable,
    api_token,
)
from hybrid.plus import errors as error_tree
from hybrid.redaction import MASK, RedactingFilter, Token, register

pytestmark = pytest.mark.unit


def spellings(secret: str) -> dict[str, str]:
    return {
        "alone": secret,
        "json": json.dumps({"token": secret}),
        "json in json": json.dumps(json.dumps({"api_token": secret})),
        "repr": repr({"Dagster-Cloud-Api-Token": secret}),
        "address": f"https://me:{secret}@acme.dagster.cloud/prod",
        "query": str(httpx.URL("https://acme.dagster.cloud", params={"t": secret})),
        "lines": f"first\n{secret}\nlast",
        "lines in repr": repr(f"first\n{secret}\nlast"),
        "raw headers": repr([(b"Dagster-Cloud-Api-Token", secret.encode())]),
        "bearer": f"Authorization: Bearer {secret}",
    }


SHAPES = {
    "agent": lambda: f"agent:acme:{secrets.token_hex(16)}",
    "user": lambda: f"user:acme:{secrets.token_hex(16)}",
    "four parts": lambda: f"user:acme:pub1:{secrets.token_hex(16)}",
}
PATHS = {
    "status text": lambda text: httpx.Response(503, text=text),
    "json message": lambda text: httpx.Response(401, json={"message": text}),
    "forbidden": lambda text: httpx.Response(403, json={"error": text}),
    "graphql errors": lambda text: httpx.Response(200, json={"errors": [{"message": text}]}),
    "schema errors": lambda text: httpx.Response(400, json={"errors": [{"message": f"Unknown type {text}"}]}),
    "redirect": lambda text: httpx.Response(302, headers={"Location": text.replace("\n", " ")}),
    "maintenance": lambda text: httpx.Response(200, json={"maintenance": {"message": text}}),
    "not the api": lambda text: httpx.Response(200, text=f"x {text}"),
    "cut off": lambda text: httpx.Response(200, text="x" * 280 + text),
    "union": lambda text: httpx.Response(200, json={"data": {"agents": [{"id": text}]}}),
    "read error": lambda text: httpx.ReadError(text),
    "connect error": lambda text: httpx.ConnectError(text),
    "protocol error": lambda text: httpx.LocalProtocolError(f"Illegal header value {text!r}"),
}


def leaks(error: BaseException, secret: str) -> list[str]:
    """Where the secret's own part (behind the last colon) shows."""
    shown = {
        "str": str(error),
        "repr": repr(error),
        "args": repr(error.args),
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
        "pickle": repr(pickle.dumps(error)),
        "chain": repr((error.__cause__, error.__suppress_context__ or error.__context__)),
    }
    return [name for name, text in shown.items() if secret.rsplit(":", 1)[-1][:12] in text]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_token_in_what_comes_back_is_in_no_error(plus, connect, path, shape):
    secret = SHAPES[shape]()
    client = connect(patience=Patience.none())
    for name, text in spellings(secret).items():
        plus.expects("HybridAgents", reply=PATHS[path](text))
        with pytest.raises(PlusError) as raised:
            client.agents()
        assert leaks(raised.value, secret) == [], f"{name} through {path}"


@pytest.mark.parametrize("path", PATHS)
def test_the_clients_own_token_is_in_no_error_even_without_a_shape(plus, clock, path):
    bare = Token(secrets.token_hex(16))
    plus.token = bare
    client = PlusClient(
        Endpoint.of("acme", "prod"), bare, patience=Patience.none(), sleep=clock.sleep, http=httpx.MockTransport(plus)
    )
    for text in spellings(bare.reveal()).values():
        plus.expects("HybridAgents", reply=PATHS[path](text))
        with pytest.raises(PlusError) as raised:
            client.agents()
        assert leaks(raised.value, bare.reveal()) == []


def test_what_is_told_while_waiting_holds_no_token(plus, client, token, waits):
    plus.expects("HybridAgents", reply=httpx.Response(503, text=token.reveal()))
    plus.expects("HybridAgents")
    client.agents()
    assert token.reveal() not in repr(waits)


def test_nothing_that_is_logged_holds_the_token(plus, client, token):
    """With every logger at DEBUG, httpx's and httpcore's included, and no filter to help."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        plus.expects("HybridAgents", "HybridCreateAgentToken")
        client.agents()
        client.create_agent_token("hybrid/local")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "HybridAgents: HTTP 200" in heard.getvalue(), "the test would prove nothing if nothing were logged"
    assert token.reveal() not in heard.getvalue()
    assert plus.issued not in heard.getvalue()


def test_an_error_that_is_logged_with_its_traceback_holds_no_token(plus, connect, token):
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.addFilter(RedactingFilter())
    log = logging.getLogger("a.user.of.the.client")
    log.addHandler(handler)
    plus.expects("HybridAgents", reply=httpx.ReadError(token.reveal()))
    try:
        connect(patience=Patience.none()).agents()
    except PlusUnreachable:
        log.exception("asked with %s and %r", token.reveal(), {"token": token.reveal()})
    log.removeHandler(handler)
    assert "Traceback" in heard.getvalue()
    assert heard.getvalue().count(MASK) >= 2
    assert token.reveal() not in heard.getvalue()


def test_client_and_transport_show_and_pickle_no_token(plus, client, token):
    plus.expects("HybridPlan")
    client.plan()
    for thing in (client, client._transport, token):
        assert token.reveal() not in f"{thing} {thing!r}"
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)


def test_run_events_and_failures_are_redacted_where_they_enter(plus, client):
    plus.expects("HybridRunEvents", "HybridRunEvents.second")
    events = list(client.run_events("run-1"))
    assert any(MASK in event.message for event in events), "user code printed a token"
    assert plus.issued not in repr(events)


@pytest.mark.parametrize("name", [name for name in vars(error_tree) if name.startswith("Plus")])
def test_every_kind_of_error_redacts_each_of_its_parts_and_survives_pickling(name):
    secret = SHAPES["agent"]()
    error = getattr(error_tree, name)(f"what {secret}", why=f"why {secret}", next_step=f"next {secret}").after(3)
    assert leaks(error, secret) == []
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again)) == (type(error), str(error))
    assert "Tried 3 times." in str(again)


def test_the_list_of_a_refusal_is_redacted():
    secret = SHAPES["user"]()
    assert secret not in repr(PlusRejected("x", errors=[f"bad value {secret}"]).errors)


def test_a_registered_secret_in_a_user_error_is_redacted(plus, client):
    register("hunter2hunter2")
    plus.expects("HybridPlan", reply=httpx.Response(200, json={"errors": [{"message": "p=hunter2hunter2"}]}))
    with pytest.raises(PlusRejected) as refused:
        client.plan()
    assert "hunter2" not in str(refused.value)


def test_a_malformed_token_of_the_environment_is_redacted_everywhere_from_then_on():
    broken = f"user:acme:{secrets.token_hex(16)} "
    with pytest.raises(Exception, match="blanks") as refused:
        api_token({"DAGSTER_CLOUD_API_TOKEN": broken}, None)
    assert broken.strip() not in "".join(traceback.format_exception(refused.value))
