"""The mutations of Dagster's own schema: which role each takes, and which of Dagster's permissions guards it.

Rests on: ``docs`` (user roles and permissions): launchers launch, re-execute, terminate and delete runs and launch and
cancel backfills; editors start and stop schedules and sensors, wipe assets, add partitions, reload locations.
``client`` for the permission of each (dagster_graphql/schema/roots/mutation.py) and for what agents' tokens may:
``dagster-cloud job launch`` sends ``launchRun`` with the token that CI has, and whoever deploys a location may have it
reloaded; re-executing and terminating is sent by ``dg api run`` alone, which takes a user's token. ``invented``: that
what docs do not name takes EDITOR, but for what changes nothing.
"""

from __future__ import annotations

from typing import Final

from hybrid.emulator.organization.grants import Role

_CHANGE_NOTHING: Final = ("logTelemetry", "setNuxSeen")
_OF_LAUNCHERS: Final = (
    *("launchRun", "launchMultipleRuns", "launchPipelineExecution"),
    *("launchRunReexecution", "launchPipelineReexecution"),
    *("terminateRun", "terminateRuns", "terminatePipelineExecution"),
    *("deleteRun", "deletePipelineRun"),
    *("launchPartitionBackfill", "resumePartitionBackfill", "reexecutePartitionBackfill", "cancelPartitionBackfill"),
)
_OF_EDITORS: Final = (
    *("startSchedule", "stopRunningSchedule", "resetSchedule", "scheduleDryRun"),
    *("startSensor", "stopSensor", "resetSensor", "setSensorCursor", "sensorDryRun"),
    *("wipeAssets", "reportRunlessAssetEvents", "reportAssetCheckEvaluations"),
    *("addDynamicPartition", "deleteDynamicPartitions"),
    *("reloadRepositoryLocation", "reloadWorkspace", "shutdownRepositoryLocation"),
    *("setAutoMaterializePaused", "setConcurrencyLimit", "deleteConcurrencyLimit"),
    *("freeConcurrencySlots", "freeConcurrencySlotsForRun"),
    *("setAppManagedComponent", "deleteAppManagedComponent", "refreshComponentState"),
)

ROLE_BY_MUTATION: Final[dict[str, Role]] = {
    **dict.fromkeys(_CHANGE_NOTHING, "VIEWER"),
    **dict.fromkeys(_OF_LAUNCHERS, "LAUNCHER"),
    **dict.fromkeys(_OF_EDITORS, "EDITOR"),
}
AGENTS_MUTATIONS: Final = frozenset({"launchRun", "reloadRepositoryLocation", "reloadWorkspace", *_CHANGE_NOTHING})

PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "launch_pipeline_execution": ("launchRun", "launchMultipleRuns", "launchPipelineExecution"),
    "launch_pipeline_reexecution": ("launchRunReexecution", "launchPipelineReexecution"),
    "start_schedule": ("startSchedule", "resetSchedule"),
    "stop_running_schedule": ("stopRunningSchedule",),
    "schedule_dry_run": ("scheduleDryRun",),
    "edit_sensor": ("startSensor", "stopSensor", "resetSensor"),
    "sensor_dry_run": ("sensorDryRun",),
    "update_sensor_cursor": ("setSensorCursor",),
    "terminate_pipeline_execution": ("terminateRun", "terminateRuns", "terminatePipelineExecution"),
    "delete_pipeline_run": ("deleteRun", "deletePipelineRun"),
    "reload_repository_location": ("reloadRepositoryLocation", "shutdownRepositoryLocation"),
    "reload_workspace": ("reloadWorkspace",),
    "wipe_assets": ("wipeAssets",),
    "report_runless_asset_events": ("reportRunlessAssetEvents", "reportAssetCheckEvaluations"),
    "launch_partition_backfill": ("launchPartitionBackfill", "resumePartitionBackfill", "reexecutePartitionBackfill"),
    "cancel_partition_backfill": ("cancelPartitionBackfill",),
    "edit_dynamic_partitions": ("addDynamicPartition", "deleteDynamicPartitions"),
    "toggle_auto_materialize": ("setAutoMaterializePaused",),
    "edit_concurrency_limit": (
        *("setConcurrencyLimit", "deleteConcurrencyLimit"),
        *("freeConcurrencySlots", "freeConcurrencySlotsForRun"),
    ),
    "edit_app_managed_components": (),  # Dagster's own schema refuses these to everybody
    "refresh_component_state": ("refreshComponentState",),
}
