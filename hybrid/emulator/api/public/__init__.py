"""Dagster+'s public API: the resolvers of ``sdl/public/`` and ``sdl/newer.graphql``, by subject."""

from __future__ import annotations

from hybrid.emulator.api.public import (
    agents,
    alert_policies,
    atlan,
    branches,
    definitions_state,
    deployments,
    insights,
    issues,
    locations,
    secrets,
    serverless,
    settings,
    tokens,
    user_tokens,
    users,
)
from hybrid.emulator.api.schema import Api, public_sdl, sdl
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization


def public_api(of: Organization, runtime: RuntimeLoader) -> Api:
    """The public API of an organization."""
    return Api(
        [*public_sdl(), sdl("newer")],
        [
            deployments.resolvers(of),
            agents.resolvers(of),
            tokens.resolvers(of),
            users.resolvers(of),
            user_tokens.resolvers(of),
            locations.resolvers(of, runtime),
            alert_policies.resolvers(of),
            branches.resolvers(of),
            issues.resolvers(of, runtime),
            secrets.resolvers(of),
            settings.resolvers(of),
            serverless.resolvers(of),
            definitions_state.resolvers(of),
            atlan.resolvers(of),
            insights.resolvers(of, runtime),
        ],
    )
