"""The public API asked in this process: no server, no Dagster, the resolvers as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from unittest.mock import Mock

from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast

from hybrid.emulator.api.context import Context
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.public import public_api
from hybrid.emulator.organization import Deployment, Organization, TokenRecord
from hybrid.emulator.organization.grants import Role

Named = (OperationDefinitionNode, FragmentDefinitionNode)


class Asking:
    """Asks as the administrator, in the first deployment, unless told otherwise. ``runtime`` is a mock."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.runtime = Mock(name="runtime")
        self.runtime.when_loaded.side_effect = lambda act: act(self.runtime.get())
        self.runtime.documents().validate_document.return_value = []
        self.runtime.documents().deploy_metadata.return_value = "{}"
        self.api = public_api(organization, self.runtime)
        self.administrator = self._caller(organization.users.administrator.id)

    def user(self, role: Role, deployment: Deployment | None = None) -> TokenRecord:
        """The token of a new user with ``role`` there, or in the first deployment."""
        place = deployment or self.organization.deployment
        email = f"{role}-{place.id}@example.com".lower()
        user = self.organization.users.add(email, [(role, "DEPLOYMENT", place.id)])
        return self._caller(user.id)

    def agent(self) -> TokenRecord:
        """The token of a new agent that serves the whole organization."""
        return self.organization.tokens.create("agent", "for a test")[0]

    def __call__(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        deployment: Deployment | None = None,
        caller: TokenRecord | None = None,
    ) -> Any:
        """The only root field of the answer; an answer with errors fails the test."""
        answer = self.whole(query, variables, deployment=deployment, caller=caller)
        assert not answer.errors, answer.errors
        assert answer.data is not None
        [field] = answer.data.values()
        return field

    def whole(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        deployment: Deployment | None = None,
        caller: TokenRecord | None = None,
    ) -> Any:
        operation = parsed(query, None)
        problems = self.api.problems(operation)
        assert not problems, [problem.message for problem in problems]
        context = Context(
            headers={},
            caller=caller or self.administrator,
            deployment=deployment or self.organization.deployment,
        )
        return self.api.execute(operation, variables, context)

    def _caller(self, user: int) -> TokenRecord:
        return self.organization.tokens.create("user", "for a test", user_id=user)[0]


def sent_by_dg_api(file: str, name: str) -> str:
    """The operation ``name`` of the installed ``dagster_rest_resources``, with the fragments that it uses."""
    text = (files("dagster_rest_resources") / "queries" / f"{file}.graphql").read_text(encoding="utf-8")
    nodes = {node.name.value: node for node in parse(text).definitions if isinstance(node, Named) and node.name}
    used = [name]
    for known in used:
        used += [
            spread
            for spread in re.findall(r"\.\.\.\s*(\w+)", print_ast(nodes[known]))
            if spread in nodes and spread not in used
        ]
    return "\n".join(print_ast(nodes[known]) for known in used)
