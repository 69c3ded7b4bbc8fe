"""What a stack's settings give to the code of all locations, and ask of it, for the gate. Pure."""

from __future__ import annotations

from hybrid.delivery.dependencies import ASSET_VALUES
from hybrid.delivery.gate.given import GivenByStack
from stacks.identity import StackIdentity
from stacks.platform_facts import facts_of
from stacks.stored_values import ATTRIBUTE_VARIABLE, stored_value_variables

BUCKET_VARIABLE = "HYBRID_BUCKET"
"""By which code finds the bucket."""
PREFIX_VARIABLE = "HYBRID_ASSETS_PREFIX"
"""By which code finds its part of the bucket."""

_FOR_STORED_VALUES = {
    ASSET_VALUES: "by it code stores and loads asset values, as `hybrid:assetValues.ioManager` is true; "
    "`hybrid assets library` makes it"
}
_FOR_IO_MANAGERS = {
    "adls2_pickle_io_manager": {
        "dagster-azure": "by it code stores and loads asset values in the stack's storage account, as "
        "`hybrid:assetValues.ioManager` is true"
    }
}
"""What an IO manager of ``asset_values.io_manager`` needs that ``ASSET_VALUES`` does not bring."""


def given_by(who: StackIdentity) -> GivenByStack:
    """Packages alone where the agent's launcher takes what comes twice."""
    spec = who.settings.agent
    packages = {**spec.packages, **_for_stored_values(who)}
    if not spec.refuses_repetition:
        return GivenByStack(packages=packages)
    bucket = (BUCKET_VARIABLE, PREFIX_VARIABLE) if spec.makes_bucket else ()
    return GivenByStack(
        packages=packages,
        tags=facts_of(who).tags,
        variables=tuple(sorted({*bucket, *spec.variable_names})),
        secrets=spec.secret_names,
    )


def _for_stored_values(who: StackIdentity) -> dict[str, str]:
    if not who.settings.asset_values.io_manager:
        return {}
    chosen = stored_value_variables(who).get(ATTRIBUTE_VARIABLE, "")
    return {**_FOR_STORED_VALUES, **_FOR_IO_MANAGERS.get(chosen, {})}
