"""Dagster's Docker launcher, whose containers belong to a stack and are swept when their runs are over.

What it adds to the stock one, and why:

- the stack's label on every container: the stock one labels code servers by agent and runs not at all, so that nobody
  could tell whose they are when the agent is gone;
- it looks after code servers of its own stack only: the stock one takes those of every agent that its organization does
  not know for orphans, which are another organization's on the same engine;
- the stack's volume in every container, also where a location says `volumes` of its own, which replace the agent's;
- containers of finished runs are removed after a while: otherwise each run leaves one for ever.

It lies in the agent's image as a module of its own and imports nothing of this project. Rests on dagster-cloud and
dagster-docker 1.13.27 / 0.29.27; tests/contracts/test_docker_launcher.py holds it against the installed release.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import docker.errors  # type: ignore[import-untyped]
from dagster import DagsterInstance, Field, IntSource, StringSource
from dagster._core.storage.dagster_run import DagsterRun, RunsFilter
from dagster._serdes import ConfigurableClassData
from dagster._vendored.dateutil.parser import parse
from dagster_cloud.workspace.docker import CloudDockerRunLauncher, DagsterDockerContainer
from dagster_cloud.workspace.docker import DockerUserCodeLauncher as StockLauncher
from dagster_cloud.workspace.docker.utils import docker_client_from_env
from dagster_docker.container_context import DockerContainerContext
from docker.models.containers import Container  # type: ignore[import-untyped]

STACK_LABEL = "io.dagster-hybrid.stack"
DEPLOYMENT_LABEL = "io.dagster-hybrid.deployment"
LOCATION_LABEL = "io.dagster-hybrid.location"
RUN_LABEL = "io.dagster-hybrid.run"
_ENDED = ("created", "dead", "exited")
_AT_ONCE = 200  # containers looked at in one pass; their runs go into one question to Dagster+
_log = logging.getLogger("dagster_cloud.user_code_launcher")


class StackContainers:
    """What the containers of one stack have in common. ``storage``: ``volume`` and the ``folder`` where it lies."""

    def __init__(self, stack: str, storage: Mapping[str, str] | None) -> None:
        self.stack = stack
        self._storage = storage

    def joined(self, context: DockerContainerContext, labels: Mapping[str, str]) -> DockerContainerContext:
        """``context`` with the stack's volume and label, and ``labels``. What it says of its own stays."""
        kwargs = dict(context.container_kwargs)
        kwargs["labels"] = {**_named(kwargs.get("labels")), STACK_LABEL: self.stack, **labels}
        if self._storage:
            ours = {"bind": self._storage["folder"], "mode": "rw"}
            kwargs["volumes"] = _with_volume(kwargs.get("volumes"), self._storage["volume"], ours)
        return context._replace(container_kwargs=kwargs)


class StackRunLauncher(CloudDockerRunLauncher):
    """Starts a run's container with the stack's label."""

    def __init__(self, containers: StackContainers, **configured: Any) -> None:
        self._containers = containers
        super().__init__(**configured)

    def get_container_context(self, dagster_run: DagsterRun) -> DockerContainerContext:
        labels = {RUN_LABEL: dagster_run.run_id}
        origin = dagster_run.remote_job_origin
        if origin is not None:
            labels[LOCATION_LABEL] = origin.repository_origin.code_location_origin.location_name
        if len(self._instance.deployment_names) == 1:  # type: ignore[attr-defined]
            labels[DEPLOYMENT_LABEL] = self._instance.deployment_names[0]  # type: ignore[attr-defined]
        return self._containers.joined(super().get_container_context(dagster_run), labels)


class DockerUserCodeLauncher(StockLauncher):
    """Named as the stock one: agents tell Dagster+ their kind by this name, and it may know no other."""

    def __init__(
        self,
        stack: str,
        finished_run_containers_kept_seconds: int,
        storage: Mapping[str, str] | None = None,
        inst_data: ConfigurableClassData | None = None,
        **configured: Any,
    ) -> None:
        self._containers = StackContainers(stack, storage)
        self._kept_seconds = finished_run_containers_kept_seconds
        self._stopping = threading.Event()
        super().__init__(inst_data=inst_data, **configured)  # type: ignore[no-untyped-call]

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {
            **super().config_type(),  # type: ignore[no-untyped-call]
            "stack": Field(StringSource, description="The stack that all containers belong to."),
            "storage": Field(
                {"volume": StringSource, "folder": StringSource},
                is_required=False,
                description="The volume that all containers share, and where it lies in them.",
            ),
            "finished_run_containers_kept_seconds": Field(
                IntSource, description="How long the container of a finished run is kept, in seconds."
            ),
        }

    def start(self, run_reconcile_thread: bool = True, run_metrics_thread: bool = True) -> None:
        super().start(run_reconcile_thread, run_metrics_thread)  # type: ignore[no-untyped-call]
        threading.Thread(target=self._sweep_on, name="finished-run-containers", daemon=True).start()

    def __exit__(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._stopping.set()
        super().__exit__(exception_type, exception_value, traceback)  # type: ignore[no-untyped-call]

    def run_launcher(self) -> StackRunLauncher:
        launcher = StackRunLauncher(
            self._containers,
            image=None,
            env_vars=self.env_vars,
            networks=self._networks,
            container_kwargs=self._container_kwargs,
        )
        launcher.register_instance(self._instance)
        return launcher

    def _launch_container(self, deployment_name: str, location_name: str, *rest: Any, **named: Any) -> Any:
        """Labels come from here and from ``container_kwargs``; docker-py takes them once."""
        labels = {DEPLOYMENT_LABEL: deployment_name, LOCATION_LABEL: location_name, **named["labels"]}
        return super()._launch_container(deployment_name, location_name, *rest, **{**named, "labels": labels})

    def _create_container(
        self,
        client: Any,
        image: str,
        container_name: str,
        hostname: str,
        environment: Mapping[str, str],
        ports: Mapping[int, int],
        container_context: DockerContainerContext,
        command: Sequence[str],
        labels: Mapping[str, str],
    ) -> Container:
        joined = self._containers.joined(container_context, labels)
        kwargs = dict(joined.container_kwargs)
        all_labels = kwargs.pop("labels")
        context = joined._replace(container_kwargs=kwargs)
        return super()._create_container(  # type: ignore[no-untyped-call]
            client, image, container_name, hostname, environment, ports, context, command, all_labels
        )

    def _list_server_handles(self) -> list[DagsterDockerContainer]:
        listed = super()._list_server_handles()
        return [handle for handle in listed if handle.container.labels.get(STACK_LABEL) == self._containers.stack]

    def _sweep_on(self) -> None:
        pause = min(60.0, max(1.0, self._kept_seconds / 4))
        while not self._stopping.wait(pause):
            try:
                self.sweep_finished_runs()
            except Exception:  # whatever it is, the next look may succeed
                _log.exception("The containers of finished runs could not be looked after.")

    def sweep_finished_runs(self) -> list[str]:
        """Remove the stack's containers that ended long enough ago and whose runs are finished; their names."""
        client = docker_client_from_env()
        filters = {"label": [f"{STACK_LABEL}={self._containers.stack}", RUN_LABEL], "status": list(_ENDED)}
        listed = client.containers.list(all=True, filters=filters, ignore_removed=True)
        due = [one for one in listed if time.time() - _ended_at(one) >= self._kept_seconds][:_AT_ONCE]
        unfinished = self._unfinished(one.labels[RUN_LABEL] for one in due) if due else set()
        return [
            str(container.name)
            for container in due
            if container.labels[RUN_LABEL] not in unfinished and _removed(container)
        ]

    def _unfinished(self, run_ids: Iterable[str]) -> set[str]:
        """Those of the runs that Dagster+ has as not finished, in whichever deployment the agent serves."""
        wanted = sorted(set(run_ids))
        found: set[str] = set()
        with self._metadata_lock:
            branches = {deployment for deployment, _ in self._desired_entries}
        for deployment in sorted({*self._instance.deployment_names, *branches}):
            with DagsterInstance.from_ref(self._instance.ref_for_deployment(deployment)) as instance:
                runs = instance.get_runs(RunsFilter(run_ids=wanted))
            found |= {run.run_id for run in runs if not run.is_finished}
        return found


def _removed(container: Container) -> bool:
    try:
        container.remove(v=True)
    except docker.errors.NotFound:
        return False  # another agent of the stack was faster
    except docker.errors.APIError as error:
        _log.warning("The container %s of a finished run stays: %s", container.name, error)
        return False
    _log.info("Removed the container %s of the finished run %s.", container.name, container.labels[RUN_LABEL])
    return True


def _ended_at(container: Container) -> float:
    """When it ended, or was made if it never ran, in seconds of the epoch."""
    attributes: Mapping[str, Any] = container.attrs
    ended = parse(attributes["State"]["FinishedAt"])  # type: ignore[no-untyped-call]
    if ended.year == 1:
        ended = parse(attributes["Created"])  # type: ignore[no-untyped-call]
    return float(ended.timestamp())


def _named(labels: Any) -> dict[str, str]:
    """Labels as docker-py takes them, a mapping or a list of names, as a mapping."""
    return dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels or (), "")


def _with_volume(volumes: Any, name: str, bind: Mapping[str, str]) -> Any:
    """Volumes as docker-py takes them, a mapping or a list of texts, with one more."""
    if isinstance(volumes, Mapping):
        return {**volumes, name: dict(bind)}
    return [*(volumes or ()), f"{name}:{bind['bind']}:{bind['mode']}"]
