"""The Dagster instance of the emulated deployment: Dagster's own parts over our folder, runs launched by agents."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dagster import DagsterInstance
from dagster._core.instance import InstanceRef, InstanceType
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.scheduler import DagsterDaemonScheduler
from dagster._core.storage.root import LocalArtifactStorage

from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.storage import Storages

START_TIMEOUT_SECONDS: Final = 1_200
CANCEL_TIMEOUT_SECONDS: Final = 1_200
"""A run that an agent took and never began, or never ended, is ended then; as in the example of (``docs``)
https://docs.dagster.io/deployment/dagster-plus/deploying-code/full-deployments/full-deployment-settings-reference."""

_SETTINGS: Final = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},  # the UI would ask a newcomer for an address before it shows anything
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": START_TIMEOUT_SECONDS,
        "cancel_timeout_seconds": CANCEL_TIMEOUT_SECONDS,
    },
}


def make_instance(storages: Storages, logs: UploadedComputeLogs, launcher: AgentRunLauncher) -> DagsterInstance:
    """An instance whose runs go to the agents as soon as they are launched: there is no queue (``invented``)."""
    return DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(storages.folder)),
        run_storage=storages.runs,
        event_storage=storages.events,
        schedule_storage=storages.schedules,
        run_coordinator=DefaultRunCoordinator(),
        compute_log_manager=logs,
        run_launcher=launcher,
        scheduler=DagsterDaemonScheduler(),
        settings=_SETTINGS,
        ref=_placeholder_ref(storages.folder),
    )


def _placeholder_ref(folder: Path) -> InstanceRef:
    """Dagster's host code puts the instance's reference into what it asks of code servers; ``RelayClient`` drops it.

    Nobody may open an instance from it: the storages are this process's alone.
    """
    return InstanceRef.from_dir(str(folder))
