"""A running embedded Dagster+ for the contracts that are kept over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient

from tests.contracts.served import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One a module: what a module does to its organization stays there."""
    running = Served(tmp_path_factory.mktemp("served"))
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[DagsterPlusGraphQLClient]:
    """The generated client that `dg api` uses, with a user's token."""
    opened = DagsterPlusGraphQLClient(
        url=served.url, api_token=served.user_token, organization="local", deployment="prod"
    )
    yield opened
    opened.http_client.close()
