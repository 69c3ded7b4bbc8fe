"""What an agent made in a Container Apps environment, as Azure shows it.

The launcher takes no tags of ours. What tells its things apart is the environment that they are in, which is the
stack's own, and the tags that it gives itself (``_dagster_tags`` of dagster_cloud/workspace/aca/launcher.py and
``launch_run`` of dagster_azure/container_apps/launcher.py, 1.13.27).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hybrid.azure.session import Azure

MANAGED_BY: Final = ("managed-by", "dagster-cloud-agent")
"""The tag of code servers."""
RUN_TAG: Final = "dagster-run-id"
"""The tag of jobs; there is none that says whose."""
_MARGIN: Final = timedelta(hours=1)
"""What Azure may take to start and end a job, and clocks may differ."""
_GOES_ON: Final = frozenset({"Running", "Processing", "Unknown"})


@dataclass(frozen=True)
class CodeServer:
    """A container app that the launcher made."""

    name: str
    location: str
    """Of its name what Azure's tags can hold: for people."""
    location_hash: str
    """``hybrid.aws.tags.location_hash`` of deployment and location: the launchers have one for all platforms."""
    agent_id: str
    state: str
    """Azure's word: Running, Stopped, Deleting, …"""
    image: str


@dataclass(frozen=True)
class RunJob:
    """A job that the launcher made for one run. It stays when the run is over."""

    name: str
    run_id: str
    job: str
    """The name of Dagster's job."""
    image: str
    over_by: datetime | None = None
    """When its run has ended at the latest: Azure ends it then. None: not known."""

    def may_run(self, now: datetime) -> bool:
        """Whether its run may go on, without asking Azure how each job goes: there are as many as there were runs."""
        return self.over_by is None or now < self.over_by


@dataclass(frozen=True)
class Made:
    """All that is of the launcher, in one environment."""

    servers: tuple[CodeServer, ...]
    jobs: tuple[RunJob, ...]
    agent_stands: bool
    """Whether the agent's own app is there."""


def made_in(azure: Azure, group: str, environment_id: str, agent_app: str) -> Made:
    """Look into the resource group; a group that is gone has nothing. Raises ``AzureError``."""
    from hybrid.azure.errors import AzureNotFound

    try:
        with azure.doing(f"list the container apps of {group}"):
            apps = list(azure.container_apps.container_apps.list_by_resource_group(group))
        with azure.doing(f"list the jobs of {group}"):
            jobs = list(azure.container_apps.jobs.list_by_resource_group(group))
    except AzureNotFound:
        return Made((), (), agent_stands=False)
    inside = [app for app in apps if _is_in(app.managed_environment_id or app.environment_id, environment_id)]
    return Made(
        servers=tuple(_server(app) for app in inside if _tags(app).get(MANAGED_BY[0]) == MANAGED_BY[1]),
        jobs=tuple(_job(job) for job in jobs if _is_in(job.environment_id, environment_id) and RUN_TAG in _tags(job)),
        agent_stands=any(app.name == agent_app for app in inside),
    )


def is_running(azure: Azure, group: str, job: str) -> bool:
    """Whether an execution of the job goes on; one that is gone does not. Raises ``AzureError``."""
    from hybrid.azure.errors import AzureNotFound

    try:
        with azure.doing(f"ask how the job {job} goes"):
            executions = list(azure.container_apps.jobs_executions.list(group, job))
    except AzureNotFound:
        return False
    return any(str(execution.status) in _GOES_ON for execution in executions)


def remove_server(azure: Azure, group: str, name: str) -> None:
    """Ask Azure to delete a container app; that it is gone shows in ``made_in``. Raises ``AzureError``."""
    with azure.doing(f"delete the container app {name}"):
        azure.container_apps.container_apps.begin_delete(group, name, polling=False)


def stop_job(azure: Azure, group: str, name: str) -> None:
    """Ask Azure to end a job's executions. Raises ``AzureError``."""
    with azure.doing(f"stop the job {name}"):
        azure.container_apps.jobs.begin_stop_multiple_executions(group, name, polling=False)


def remove_job(azure: Azure, group: str, name: str) -> None:
    """Ask Azure to delete a job, and with it what its executions printed on the job's page. Raises ``AzureError``."""
    with azure.doing(f"delete the job {name}"):
        azure.container_apps.jobs.begin_delete(group, name, polling=False)


def _is_in(found: Any, environment_id: str) -> bool:
    """Azure writes ids in letters of its own choice."""
    return str(found or "").lower() == environment_id.lower()


def _tags(thing: Any) -> Mapping[str, str]:
    return thing.tags or {}


def _server(app: Any) -> CodeServer:
    tags = _tags(app)
    return CodeServer(
        name=str(app.name),
        location=tags.get("dagster-location", ""),
        location_hash=tags.get("dagster-location-hash", ""),
        agent_id=tags.get("dagster-agent-id", ""),
        state=str(app.running_status or app.provisioning_state or ""),
        image=_image(app),
    )


def _image(thing: Any) -> str:
    containers = thing.template.containers if thing.template else None
    return str(containers[0].image) if containers else ""


def _job(job: Any) -> RunJob:
    tags = _tags(job)
    return RunJob(
        name=str(job.name),
        run_id=tags.get(RUN_TAG, ""),
        job=tags.get("dagster-job-name", ""),
        image=_image(job),
        over_by=_over_by(job),
    )


def _over_by(job: Any) -> datetime | None:
    """The launcher starts a job right after it made it, and without another try: ``launch_run`` of
    dagster_azure/container_apps/launcher.py, 1.13.27."""
    made = job.system_data.created_at if job.system_data else None
    seconds = job.configuration.replica_timeout if job.configuration else None
    tries = 1 + int((job.configuration.replica_retry_limit if job.configuration else None) or 0)
    return made + _MARGIN + timedelta(seconds=int(seconds) * tries) if made and seconds else None
