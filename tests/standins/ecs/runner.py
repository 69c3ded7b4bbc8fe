"""The runner: the service scheduler's turns, a thread for each task, and what a task may ask for itself."""

from __future__ import annotations

import datetime
import threading
import time
import traceback
from typing import Any, Final

from tests.standins.ecs import scheduler, world
from tests.standins.ecs.engine import Engine
from tests.standins.ecs.gaps_of_tasks import now
from tests.standins.ecs.place import Place
from tests.standins.ecs.record import Lines
from tests.standins.ecs.task_life import TaskLife

_TURN: Final = 0.2
_CREDENTIALS_LAST: Final = datetime.timedelta(hours=6)


class Runner(threading.Thread):
    """Turns the services and tasks of all regions into containers."""

    def __init__(self, place: Place) -> None:
        super().__init__(daemon=True, name="runner")
        self._place = place
        self._events = Lines(place.events)
        self._lives: dict[str, TaskLife] = {}
        self._sessions: dict[str, Any] = {}
        self._ended = threading.Event()
        self._last_fault = ""

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with world.CHANGED:
                    self._turn()
                    world.CHANGED.wait(_TURN)
            except Exception:
                self._fault(traceback.format_exc())
                time.sleep(_TURN)

    def _fault(self, text: str) -> None:
        if text != self._last_fault:
            self._events.event("fault", traceback=text)
        self._last_fault = text

    def end(self) -> None:
        """Remove all containers, as they are."""
        self._ended.set()
        Engine().clear()

    def until_running(self, service_arn: str, seconds: float) -> None:
        """Wait until a service has all its tasks running; ``seconds`` at most."""

        def running() -> bool:
            for backend in world.all_ecs():
                for service in backend.services.values():
                    if service.arn == service_arn:
                        return bool(service.running_count >= service.desired_count)
            return True

        with world.CHANGED:
            world.CHANGED.wait_for(running, seconds)

    def credentials(self, task_id: str) -> dict[str, str] | None:
        """Those of the task's role, the same for the length of its life; None for a task that has none or has ended."""
        with world.CHANGED:
            life = self._lives.get(task_id)
            if life is None or life.task.last_status == "STOPPED":
                return None
            role = life.task_role
            if role is None:
                return None
            if task_id not in self._sessions:
                self._sessions[task_id] = world.assume(role, task_id, life.task.region_name)
            session = self._sessions[task_id]
        return {
            "RoleArn": role,
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "Expiration": (now() + _CREDENTIALS_LAST).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def metadata(self, task_id: str, container: str | None, *, whole: bool) -> dict[str, Any] | None:
        """Version 4 of the task's metadata, as far as programs commonly ask for it."""
        with world.CHANGED:
            life = self._lives.get(task_id)
            if life is None:
                return None
            task, definition = life.task, life.definition
            containers = [
                {
                    "Name": one.name,
                    "Image": one.image,
                    "KnownStatus": one.last_status,
                    "ContainerARN": one.container_arn,
                }
                for one in task.containers
            ]
            described = {
                "Cluster": task.cluster_arn,
                "TaskARN": task.task_arn,
                "Family": definition.family,
                "Revision": str(definition.revision),
                "DesiredStatus": task.desired_status,
                "KnownStatus": task.last_status,
                "LaunchType": "FARGATE",
                "Containers": containers,
            }
        return described if whole else next((one for one in containers if one["Name"] == container), None)

    def _turn(self) -> None:
        scheduler.step_all(self._events)
        for backend in world.all_ecs():
            for tasks in list(backend.tasks.values()):
                for task in list(tasks.values()):
                    if task.id not in self._lives:
                        definition = backend.describe_task_definition(task.task_definition_arn)
                        self._lives[task.id] = TaskLife(task, definition, self._place, self._events)
                        self._lives[task.id].start()
