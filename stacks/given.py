"""What a stack's settings give to the code of all locations, and ask of it, for the gate. Pure."""

from __future__ import annotations

from agent.ecs_launcher import PROXY_VARIABLES
from hybrid.delivery.dependencies import ASSET_VALUES
from hybrid.delivery.gate.given import GivenByStack
from stacks.settings import Settings

BUCKET_VARIABLE = "HYBRID_BUCKET"
"""By which code finds the bucket."""
PREFIX_VARIABLE = "HYBRID_ASSETS_PREFIX"
"""By which code finds its part of the bucket."""

_FOR_THE_BUCKET = {"dagster-aws": "by it runs write the output of steps, as `hybrid:agent.computeLogs` is `bucket`"}
_FOR_STORED_VALUES = {
    ASSET_VALUES: "by it code stores and loads asset values, as `hybrid:assetValues.ioManager` is true; "
    "`hybrid assets library` makes it"
}


def given_by(settings: Settings) -> GivenByStack:
    """Packages alone where the agent is not on ECS: other launchers take what comes twice."""
    spec = settings.agent
    stored = _FOR_STORED_VALUES if settings.asset_values.io_manager else {}
    if spec.kind != "ecs":
        return GivenByStack(packages=stored)
    proxied = PROXY_VARIABLES if spec.proxy else ()
    return GivenByStack(
        packages={**(_FOR_THE_BUCKET if spec.compute_logs == "bucket" else {}), **stored},
        tags=tuple(sorted(settings.aws.tags)) if settings.aws else (),
        variables=tuple(sorted({BUCKET_VARIABLE, PREFIX_VARIABLE, *spec.environment, *proxied})),
        secrets=tuple(sorted(spec.secrets)),
    )
