"""A lab as tests hold it: started, asked, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.containers.stand import Containers
from tests.emulated.checkout import until
from tests.processes import end, whole_lines
from tests.standins.ecs.place import ACCOUNT, ENDPOINT, GATEWAY, LABEL, NETWORK, REGION, SETUP_KEY, TASK_LABEL
from tests.standins.ecs.record import RecordedCall

_ROOT: Final = Path(__file__).resolve().parents[3]
_READY_SECONDS: Final = 900.0  # others' labs end first
_END_SECONDS: Final = 60.0


class EcsLab:
    """``with EcsLab(containers, folder) as lab:`` has one until the block ends. It leaves nothing on the engine."""

    endpoint: Final = ENDPOINT
    gateway: Final = GATEWAY
    """The address by which the containers of tasks reach this machine."""
    account: Final = ACCOUNT
    region: Final = REGION
    network: Final = NETWORK

    def __init__(self, containers: Containers, folder: Path, *, enforce: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._docker = containers
        self._enforce = enforce
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> EcsLab:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """For programs on this machine: they are the account's administrator."""
        return {
            "AWS_ENDPOINT_URL": ENDPOINT,
            "AWS_ACCESS_KEY_ID": SETUP_KEY,
            "AWS_SECRET_ACCESS_KEY": "setup",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, role: str | None = None) -> Any:
        """boto3's client as administrator, or with the credentials of ``role`` (its ARN), which IAM then fences."""
        keys = {"aws_access_key_id": SETUP_KEY, "aws_secret_access_key": "setup"}
        if role is not None:
            given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
            keys = {
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            }
        config = Config(retries={"total_max_attempts": 1})
        session: Any = boto3
        return session.client(service, region_name=REGION, endpoint_url=ENDPOINT, config=config, **keys)

    @property
    def calls(self) -> list[RecordedCall]:
        """All calls so far, in the order in which they were answered."""
        return [RecordedCall.read(line) for line in self._lines("calls")]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened to tasks: ``what`` is ``task made``, ``task running``, ``task stopped`` or ``fault``."""
        return [json.loads(line) for line in self._lines("events")]

    def containers(self, *more: str) -> list[str]:
        """The names of its containers, running or not; ``more`` are further filters of ``docker ps``."""
        return self._docker.names(f"label={LABEL}", *more)

    def left_behind(self) -> list[str]:
        """What is there of its own tasks. Once it has ended, the containers may be those of the next lab, which waited
        for that."""
        tasks = {str(event["task"]) for event in self.events if "task" in event}
        return [name for task in sorted(tasks) for name in self.containers_of(task)]

    def containers_of(self, task: str) -> list[str]:
        """The names of a task's containers, by its ARN or id."""
        return self.containers(f"label={TASK_LABEL}={task.split('/')[-1]}")

    @property
    def enforce(self) -> bool:
        """Whether what IAM denies is refused."""
        return bool(_asked("GET", "/_lab/state")["enforce"])

    @enforce.setter
    def enforce(self, on: bool) -> None:
        _asked("POST", f"/_lab/enforce/{'on' if on else 'off'}")

    def start(self) -> None:
        """Returns when it answers; another session's lab is waited for."""
        words = ["serve", "--folder", str(self.folder), "--parent", str(os.getpid())]
        words += ["--registry", self._docker.registry, "--pause-image", self._docker.python_image]
        words += [] if self._enforce else ["--without-iam"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.standins.ecs", *words],
                cwd=_ROOT,
                env=_plain(self._docker.environ),
                stdout=log,
                stderr=log,
            )
        self.until(self._answers, seconds=_READY_SECONDS, what="the double of ECS answers")

    def stop(self) -> None:
        end(self._process, _END_SECONDS)

    def until(self, condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what happened last."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}. The lab's last events: {self.events[-12:]}") from error

    def _answers(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            raise AssertionError(f"the double of ECS ended: {(self.folder / 'log').read_text()[-3000:]}")
        if "answers" not in (self.folder / "log").read_text():
            return False  # another's may answer at the same address
        try:
            return bool(_asked("GET", "/_lab/state")["ready"])
        except OSError:
            return False

    def _lines(self, name: str) -> list[str]:
        return whole_lines(self.folder / f"{name}.jsonl")


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Without the user's own AWS, which the lab's calls as an execution role must not take for theirs."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("AWS_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def _asked(method: str, path: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(f"{ENDPOINT}{path}", method=method)  # noqa: S310 - our own address
    with opener.open(asked, timeout=5) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found
