"""Environment variables on the new platform: where those of Dagster+ go, and what there is for those of Serverless."""

from __future__ import annotations

from typing import Final

from hybrid.delivery.render import dumped
from hybrid.switch.finding import Finding
from hybrid.switch.fixes.fix import Choice, Fix, Wishes
from hybrid.switch.serverless_words import VARIABLE

INSTEAD: Final = {
    "DAGSTER_CLOUD_SERVERLESS_REGION": "ASSET_VALUES_REGION, which the stack sets where values are in a "
    "bucket of S3, or what the platform says (AWS_REGION on ECS)",
    "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_BUCKET": "ASSET_VALUES_BUCKET, in Azure ASSET_VALUES_ACCOUNT and "
    "ASSET_VALUES_CONTAINER, which the stack sets",
    "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_PREFIX": "ASSET_VALUES_PREFIX, which the stack sets",
    "SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL": "nothing: stored values are reached with the role of the code",
    "DAGSTER_DEFAULT_IO_MANAGER_MODULE": "the same, which the stack sets when `hybrid:assetValues.ioManager` is on",
    "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE": "the same, which the stack sets when `hybrid:assetValues.ioManager` is on",
    "S3_PEX_DISABLED": "nothing: there are no Python executables, code is in the image",
    "LOCAL_PEX_FILES_DIR": "nothing: there are no Python executables, code is in /opt/dagster/app",
    "VENVS_ROOT": "nothing: there are no Python executables, packages are in the image",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "boto3's own search for credentials: on ECS the variable is there "
    "too and leads to the task's role, elsewhere it is not",
}
"""What to read in place of each variable that Serverless alone sets (``hybrid.switch.serverless_words``)."""


def fix_serverless_variable(finding: Finding) -> Fix:
    """The fact ``variable`` is its name. No code is edited: what it does with the value is not seen."""
    name = finding.facts.get("variable", "")
    instead = INSTEAD.get(name, "nothing that is known: it is set by Serverless alone")
    return Fix(
        finding,
        f"{name or 'a variable of Serverless'}: {instead.partition(':')[0].partition(',')[0]}",
        by_hand=(f"{finding.where} reads {name or 'it'}; use {instead}.",),
    )


def fix_secret(finding: Finding, wishes: Wishes) -> Fix:
    """By name and scope where it goes; its value is never asked for. Facts: ``name``, ``scopes``."""
    name = finding.facts.get("name", "")
    if VARIABLE.fullmatch(name):
        after = (f"Remove {name} from Dagster+: on Hybrid it would point code at what is not there.",)
        return Fix(finding, f"{name}, which Serverless sets itself, is removed with the switch", afterwards=after)
    scopes = finding.facts.get("scopes", "")
    of = f" ({scopes})" if scopes else ""
    stays = Choice(
        "dagster_plus",
        f"{name} stays an environment variable of Dagster+{of}; code on Hybrid gets it as on Serverless.",
        "Nothing. Whoever may edit variables in Dagster+ reads and changes it, and its value stays with Dagster Labs.",
    )
    store = wishes.secret_store
    if store is None:
        return Fix(finding, f"{name} stays in Dagster+", choices=(stays,))
    moves = Choice(
        store.choice,
        f"{name} moves to {store.title} and reaches the code's containers {store.way}.",
        store.costs,
        dumped(dict(store.context(name))).rstrip(),
    )
    if not wishes.moves_secrets:
        return Fix(finding, f"{name} stays in Dagster+", choices=(stays, moves))
    if "branch" in scopes or "local" in scopes:
        note = "Its scopes beyond full deployments have no word in container_context.yaml: keep those in Dagster+."
    else:
        note = "It is in both places until it is removed from Dagster+."
    after = (f"Remove {name} from Dagster+ when the code has loaded with the new one.",)
    by_hand = (
        store.command(name),
        f"Put into the container_context.yaml of each location that needs it:\n{moves.paste}",
    )
    return Fix(
        finding, f"{name} moves to {store.title}", choices=(moves,), by_hand=by_hand, afterwards=after, notes=(note,)
    )
