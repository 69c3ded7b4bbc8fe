"""Dagster+'s public API: the resolvers of ``sdl/public/`` and ``sdl/newer.graphql``, by subject."""

from __future__ import annotations

from hybrid.emulator.api.public import agents, locations, organization, tokens
from hybrid.emulator.api.schema import Api, public_sdl, sdl
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization


def public_api(of: Organization, runtime: RuntimeLoader) -> Api:
    """The public API of an organization."""
    return Api(
        [*public_sdl(), sdl("newer")],
        [
            organization.resolvers(of),
            agents.resolvers(of),
            tokens.resolvers(of),
            locations.resolvers(of, runtime),
        ],
    )
