"""What ``--json`` answers. Keys are added, never taken away, as long as ``schema`` is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hybrid.assets.plan import BYTES_A_SECOND, VALUES_A_SECOND, AssetPlan, Plan, Way

if TYPE_CHECKING:
    from asset_values.copier import Outcome
    from asset_values.manifest import Manifest
    from asset_values.row import Counts, Row
    from asset_values.verifier import Verification
    from hybrid.assets.verification import Since

SCHEMA: Final = 1


def plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "organization": plan.organization,
        "deployment": plan.deployment,
        "source": plan.source,
        "destination": plan.destination,
        "selection": plan.selection,
        "values": {way.value: plan.count(way) for way in Way},
        "bytes": plan.bytes,
        "estimated_seconds": round(plan.seconds, 1),
        "assumed": {
            "values_a_second": min(plan.rate or VALUES_A_SECOND, VALUES_A_SECOND),
            "bytes_a_second": BYTES_A_SECOND,
        },
        "assets": [_asset_document(asset) for asset in plan.assets],
        "never_stored": list(plan.never_stored),
        "unclaimed_at_source": plan.unclaimed,
        "warnings": list(plan.warnings),
    }


def _asset_document(asset: AssetPlan) -> dict[str, Any]:
    return {
        "asset": asset.asset,
        "location": asset.location,
        "way": asset.way.value,
        "because": asset.because,
        "io_manager": asset.manager,
        "bytes": asset.bytes,
        "partitions_defined": asset.partitions,
        "partitions_without_value": asset.missing,
        "values_outside_definition": asset.outside,
        "older_partitions_not_looked_for": asset.cut,
        "absent_at_source": sum(1 for value in asset.values if value.absent),
        "values": [
            {
                "partition": value.partition,
                "source_key": value.source_key,
                "destination_key": value.destination_key,
                "stored": value.hint,
                "bytes": value.size,
                "absent": value.absent,
            }
            for value in asset.values
        ],
    }


def outcome_document(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """What a copy came to; ``failures`` are the first, as many as the outcome has."""
    return {
        "schema": SCHEMA,
        "source": plan.source,
        "destination": plan.destination,
        "values": _values(outcome.counts),
        "bytes": sum(outcome.counts.bytes.values()),
        "failed": outcome.counts.failures,
        "failures": [_failure(row) for row in outcome.failures],
        "stopped": outcome.stopped,
        "given_up": outcome.given_up,
        "seconds": round(outcome.seconds, 2),
        "bytes_moved": outcome.bytes,
        "left": [_left(asset) for asset in plan.rest],
        "kept": [_left(asset) for asset in plan.by(Way.KEPT)],
    }


def _left(asset: AssetPlan) -> dict[str, Any]:
    return {"asset": asset.asset, "way": asset.way.value, "values": len(asset.values), "because": asset.because}


def status_document(manifest: Manifest, *, failed: bool) -> dict[str, Any]:
    """What the manifest says; with ``failed`` every failure."""
    counts = manifest.counts()
    document = {
        "schema": SCHEMA,
        "organization": manifest.identity.organization,
        "deployment": manifest.identity.deployment,
        "source": manifest.identity.source,
        "destination": manifest.identity.destination,
        "values": _values(counts),
        "bytes": sum(counts.bytes.values()),
        "failed": counts.failures,
    }
    return {**document, "failures": [_failure(row) for row in manifest.failures()]} if failed else document


def _values(counts: Counts) -> dict[str, int]:
    return {state.value: number for state, number in counts.values.items()}


def _failure(row: Row) -> dict[str, Any]:
    return {
        "asset": row.item.asset,
        "partition": row.item.partition,
        "source_key": row.item.source_key,
        "destination_key": row.item.destination_key,
        "state": row.state.value,
        "reason": row.reason,
    }


def verification_document(found: Verification, since: Since) -> dict[str, Any]:
    """What was found at the destination, and what was stored since."""
    return {
        "schema": SCHEMA,
        "values": {kind.value: number for kind, number in found.counts.items()},
        "by_size_only": found.by_size_only,
        "bytes": found.bytes,
        "seconds": round(found.seconds, 2),
        "stopped": found.stopped,
        "findings": [
            {
                "asset": finding.row.item.asset,
                "partition": finding.row.item.partition,
                "destination_key": finding.row.item.destination_key,
                "found": finding.found.value,
                "reason": finding.reason,
            }
            for finding in found.findings
        ],
        "stale": list(since.stale),
        "new": list(since.new),
    }
