"""A Dagster+ that answers only what a test says it will be asked, from the exchanges kept beside this file.

The exchanges are held against the public schema by tests/contracts/test_plus_operations.py.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid import redaction
from hybrid.plus import Endpoint, Patience, PlusClient, Wait
from hybrid.redaction import Token

EXCHANGES = Path(__file__).parent / "exchanges"
PLACEHOLDER = "@TOKEN@"  # an exchange has this where Dagster+ would send a secret; none lies in the repository

Reply = httpx.Response | Exception


@dataclass
class StrictPlus:
    """Expects requests in the order in which they were named; any other request fails the test."""

    token: Token
    organization: str = "acme"
    deployment: str = "prod"
    issued: str = field(default_factory=lambda: f"agent:acme:{secrets.token_hex(16)}")
    expected: list[tuple[str, dict[str, Any], Reply | None]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def expects(self, *cases: str, reply: Reply | None = None) -> None:
        """``cases`` are exchanges by file name; ``reply`` stands in for the kept answer, for what is not GraphQL."""
        for case in cases:
            text = (EXCHANGES / f"{case}.json").read_text().replace(PLACEHOLDER, self.issued)
            self.expected.append((case.split(".")[0], json.loads(text), reply))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = json.loads(request.content)
        assert self.expected, f"nobody said that {body['operationName']} would be asked"
        operation, exchange, reply = self.expected.pop(0)
        assert body["operationName"] == operation, "the requests come in the order that the test names"
        assert body["variables"] == exchange["variables"], f"{operation} carries what it is about and nothing else"
        assert body["query"].split("(")[0].split()[1] == operation, "the document is the one it says it is"
        self._check_address(request, exchange["scope"])
        if isinstance(reply, Exception):
            raise reply
        return reply or httpx.Response(200, json={"data": exchange["data"]})

    def _check_address(self, request: httpx.Request, scope: str) -> None:
        headers = request.headers
        path = f"/{self.deployment}/graphql" if scope == "deployment" else "/graphql"
        assert str(request.url) == f"https://{self.organization}.dagster.cloud{path}"
        assert request.method == "POST"
        assert headers["Dagster-Cloud-Api-Token"] == self.token.reveal()
        assert headers["Dagster-Cloud-Organization"] == self.organization
        assert headers["Dagster-Cloud-Scope"] == scope
        assert headers.get("Dagster-Cloud-Deployment") == (self.deployment if scope == "deployment" else None)
        assert headers["Dagster-Cloud-Version"]
        assert "authorization" not in headers, "Dagster+ takes its own header, no Bearer"


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1_763_722_800.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is not known to the next one."""
    monkeypatch.setattr(redaction, "_registered", set())
    monkeypatch.setattr(redaction, "_known", None)


@pytest.fixture
def token(_forget_secrets: None) -> Token:
    return Token(f"user:acme:{secrets.token_hex(16)}")


@pytest.fixture
def plus(token: Token) -> Iterator[StrictPlus]:
    strict = StrictPlus(token)
    yield strict
    assert not strict.expected, f"was never asked: {[operation for operation, _, _ in strict.expected]}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waits() -> list[Wait]:
    return []


@pytest.fixture
def connect(plus: StrictPlus, token: Token, clock: Clock, waits: list[Wait]) -> Iterator[Callable[..., PlusClient]]:
    opened: list[PlusClient] = []

    def connect(**options: Any) -> PlusClient:
        options = {"patience": Patience(), "sleep": clock.sleep, "now": clock.time, "on_wait": waits.append} | options
        client = PlusClient(Endpoint.of("acme", "prod"), token, http=httpx.MockTransport(plus), **options)
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Callable[..., PlusClient]) -> PlusClient:
    return connect()
