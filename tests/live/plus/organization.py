"""The real organization that the questions go to, and the door through which nothing but questions passes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from hybrid.errors import SettingsError
from hybrid.plus.credentials import VARIABLE, api_token
from hybrid.plus.endpoint import Endpoint
from hybrid.redaction import Token

URL: Final = "HYBRID_LIVE_URL"
ORGANIZATION: Final = "HYBRID_LIVE_ORGANIZATION"
DEPLOYMENT: Final = "HYBRID_LIVE_DEPLOYMENT"
TOKEN_FILE: Final = "HYBRID_LIVE_TOKEN_FILE"
AGENT_TOKEN_FILE: Final = "HYBRID_LIVE_AGENT_TOKEN_FILE"
READ_PATHS: Final = {"/gen_io_storage_url": "GET"}
"""REST paths that may be asked, with the value that their argument ``method`` has to have: a URL for reading."""


class NotAQuestionError(Exception):
    """Something was to be sent that could change the organization. It was not sent."""


@dataclass(frozen=True)
class Settings:
    """Where the questions go. ``agent_token`` is needed by the questions about agents' tokens only."""

    endpoint: Endpoint
    token: Token
    agent_token: Token | None


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """From the environment. Raises ``SettingsError`` that says what is missing."""
    organization = environ.get(ORGANIZATION)
    if not organization:
        raise SettingsError(
            f"The live tests need the organization's name: {ORGANIZATION} is not set.",
            next_step=f"export {ORGANIZATION}=… and {VARIABLE}=… (a user token); they only read.",
        )
    token = api_token(environ, _file(environ, TOKEN_FILE))
    agents = _file(environ, AGENT_TOKEN_FILE)
    endpoint = Endpoint.of(organization, environ.get(DEPLOYMENT) or "prod", url=environ.get(URL) or None)
    return Settings(endpoint, token, api_token({}, agents) if agents else None)


class Reader:
    """Asks GraphQL queries and the few REST paths that only read. Everything else raises ``NotAQuestionError``.

    What is refused is refused by what it is, not by its name: a document passes if each of its operations is a query.
    """

    def __init__(self, endpoint: Endpoint, token: Token, transport: httpx.BaseTransport | None = None) -> None:
        self._endpoint = endpoint
        self._client = httpx.Client(
            headers={
                "Dagster-Cloud-Api-Token": token.reveal(),
                "Dagster-Cloud-Organization": endpoint.organization,
                "Dagster-Cloud-Deployment": endpoint.deployment,
                "Dagster-Cloud-Scope": "deployment",
            },
            follow_redirects=False,  # a redirect would carry the token to wherever it leads
            timeout=60,
            transport=transport,
        )

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer's ``data``. Fails the test when there is none."""
        answer = self.answer(query, variables)
        assert answer.status_code == 200, f"HTTP {answer.status_code}: {answer.text[:300]}"
        body: dict[str, Any] = answer.json()
        assert not body.get("errors"), f"refused: {body['errors'][0].get('message')}"
        data: dict[str, Any] = body["data"]
        return data

    def answer(self, query: str, variables: Mapping[str, Any] | None = None) -> httpx.Response:
        """The answer as it came."""
        _must_be_a_query(query)
        body = {"query": query, "variables": dict(variables or {})}
        return self._client.post(self._endpoint.deployment_graphql, json=body)

    def get(self, path: str, arguments: Mapping[str, str]) -> httpx.Response:
        """A REST path of ``READ_PATHS``, at the agents' address."""
        if path not in READ_PATHS or arguments.get("method") != READ_PATHS[path]:
            raise NotAQuestionError(f"GET {path} with {sorted(arguments.items())} is not known to change nothing.")
        return self._client.get(f"{self._endpoint.agent_url}{path}", params=dict(arguments))

    def close(self) -> None:
        self._client.close()


def _must_be_a_query(text: str) -> None:
    try:
        definitions = parse(text).definitions
    except GraphQLError as error:
        raise NotAQuestionError(f"It is no GraphQL document: {error.message}") from None
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    if not operations or any(node.operation is not OperationType.QUERY for node in operations):
        raise NotAQuestionError("The live tests send queries only; this document is, or holds, something else.")


def _file(environ: Mapping[str, str], variable: str) -> Path | None:
    return Path(environ[variable]) if environ.get(variable) else None
