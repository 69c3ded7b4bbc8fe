"""The Dagster instance of the emulated deployment: Dagster's own parts over our folder, runs launched by agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from dagster import DagsterInstance
from dagster._core.instance import InstanceRef, InstanceType
from dagster._core.scheduler import DagsterDaemonScheduler
from dagster._core.storage.root import LocalArtifactStorage

from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.run_queue import RunQueue
from hybrid.emulator.runtime.settings import instance_settings
from hybrid.emulator.runtime.storage import Storages

MONITORING_SECONDS: Final = 5
"""How often running runs are held against what agents say of their workers: agents say it every 30 s."""

FREED_SLOTS_SECONDS: Final = 30
"""Slots that a run held when its worker was killed are free this long after its end (``invented``)."""

NO_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType({})

_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},  # the UI would ask a newcomer for an address before it shows anything
    "run_monitoring": {
        "poll_interval_seconds": MONITORING_SECONDS,
        "free_slots_after_run_end_seconds": FREED_SLOTS_SECONDS,
    },
}


def make_instance(
    storages: Storages,
    logs: UploadedComputeLogs,
    launcher: AgentRunLauncher,
    settings: Mapping[str, Any] = NO_SETTINGS,
) -> DagsterInstance:
    """An instance whose runs wait in a queue and then go to the agents.

    ``settings`` is the deployment's settings document; ``apply_settings`` changes them later. Default: none, which
    is Dagster+'s defaults.
    """
    return DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(storages.folder)),
        run_storage=storages.runs,
        event_storage=storages.events,
        schedule_storage=storages.schedules,
        run_coordinator=RunQueue(),
        compute_log_manager=logs,
        run_launcher=launcher,
        scheduler=DagsterDaemonScheduler(),
        settings=_instance_settings(settings),
        ref=_placeholder_ref(storages.folder),
    )


def apply_settings(instance: DagsterInstance, document: Mapping[str, Any]) -> None:
    """Let a living instance follow ``document``, the deployment's new settings.

    Dagster asks its settings anew each time, but for which daemons it needs: ``Daemons.follow`` has to come after.
    """
    instance._settings = settings = _instance_settings(document)
    instance._run_monitoring_enabled = settings["run_monitoring"]["enabled"]


def _instance_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    given = instance_settings(document)
    merged = {key: {**_DEFAULTS.get(key, {}), **(value or {})} for key, value in given.items()}
    return {**_DEFAULTS, **merged}


def _placeholder_ref(folder: Path) -> InstanceRef:
    """Dagster's host code puts the instance's reference into what it asks of code servers; ``RelayClient`` drops it.

    Nobody may open an instance from it: the storages are this process's alone.
    """
    return InstanceRef.from_dir(str(folder))
