"""The ``Process`` resource: a program on this machine that is kept running, found again and taken away cleanly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from hybrid.provider import family, process_folder
from hybrid.provider.definition import Definition, Failure, Flag, ListOf, MapOf, Number, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.health import is_hung
from hybrid.provider.process_spec import ProcessSpec
from hybrid.provider.properties import UNKNOWN, Properties
from hybrid.provider.readiness import wait_until_ready
from hybrid.provider.resource import Call, CancelledError, Existing, PartialError, Resource
from hybrid.provider.running import NotStartedError, Running
from hybrid.provider.runtime import DirectoryLock
from hybrid.provider.systemd import refusal
from hybrid.workspace import PROCESS_LOG

DEFINITION: Final = Definition(
    name="Process",
    description="A program on this machine, supervised: restarted when it ends, its log rotated, adopted when it runs "
    "already. It outlives the shell and the engine.",
    inputs={
        "name": Property(Text(), "what people call it", replaces=True),
        "directory": Property(
            Text(absolute=True), "absolute path of its own folder: files, log, supervisor", replaces=True
        ),
        "command": Property(
            ListOf(Text(empty=True), empty=False), "program and arguments; no secrets: others see them"
        ),
        "environment": Property(MapOf(Text(empty=True)), "environment variables", default={}),
        "secretEnvironment": Property(
            MapOf(Text(empty=True)),
            "environment variables that are secret: ciphertext in state, otherwise only in the process's memory",
            default={},
            secret=True,
        ),
        "workingDirectory": Property(Text(absolute=True), "where it runs; default: `directory`", required=False),
        "files": Property(
            MapOf(Text(empty=True)), "texts by path below `directory`, written before it starts", default={}
        ),
        "leftoverCommands": Property(
            ListOf(Text()),
            "processes that an earlier run of it started and left are ended before each start, when their command line "
            "contains one of these",
            default=[],
        ),
        "readinessUrl": Property(
            Text(),
            "http address that answers 2xx when it is ready; later, one that does not answer any more is started anew",
            required=False,
        ),
        "readinessTimeoutSeconds": Property(Number(1, 3600, whole=False), "how long to wait for that", default=60),
        "stopTimeoutSeconds": Property(Number(1, 3600), "from SIGTERM to SIGKILL; 30: an agent ends in 1", default=30),
        "logMaxBytes": Property(Number(4096, 2**40), "size at which the log is rotated", default=10 * 1024 * 1024),
        "logBackups": Property(Number(0, 100), "rotated logs that are kept", default=3),
        "removeOnDelete": Property(
            ListOf(Text(absolute=True)), "absolute paths, files or folders, that go with it", default=[]
        ),
        "survivesReboot": Property(
            Flag(),
            "whether systemd starts it with the machine (Linux; keeps secrets in a file of mode 0600)",
            default=False,
        ),
        "port": Property(Number(1, 65535), "TCP port on 127.0.0.1 that must be free before it starts", required=False),
    },
    outputs={
        "pid": Property(Number(0, 2**31), "of the program; another one after a restart, 0 while it does not stand"),
        "startedAt": Property(Text(), "when this provider started it, ISO 8601 in UTC"),
        "instance": Property(Text(), "new whenever this provider starts it, the same while it is adopted"),
        "logFile": Property(Text(), "absolute path of its output"),
        "specDigest": Property(Text(), "names what runs; holds no secret"),
    },
)


class Process(Resource):
    """See ``DEFINITION``. The id is the folder."""

    definition = DEFINITION
    import_refusal = "Its secret environment is known to nobody but the stack that started it."

    def check(self, inputs: Properties) -> list[Failure]:
        return [*_file_failures(inputs), *_name_failures(inputs), *_other_failures(inputs)]

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        # a failed update left it before it stood, or it is between two starts: not what was asked for
        return found if outputs.get("pid") else [*found, Change("pid", "update", replaces=False)]

    def foreseen(self, inputs: Properties) -> Properties:
        return {"logFile": str(Path(inputs["directory"]) / PROCESS_LOG)}

    def create(self, inputs: Properties, call: Call) -> Existing:
        spec = ProcessSpec.of(inputs)
        process_folder.prepare(spec.directory)
        with DirectoryLock(spec.directory, call):
            running = Running(spec, call)
            started = running.adopted() or running.restarted()
            try:
                pid = wait_until_ready(running)
            except NotStartedError:
                running.stop()
                raise
            except (CancelledError, process_folder.NotReadyYetError) as error:
                raise PartialError(error, id=str(spec.directory), outputs=started.outputs(spec, pid=0)) from error
            process_folder.mark_ready(spec, started)
        return Existing(id=str(spec.directory), outputs=started.outputs(spec, pid))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        spec = ProcessSpec.of(inputs)
        record = process_folder.Record.load(spec.directory)
        if record is None:
            return None
        status = Running(spec, call).status()
        if status is None or status.state in {"FATAL", "STOPPED", "EXITED", "STOPPING", "UNKNOWN"}:
            said = "is not running" if status is None else f"is {status.state}"
            call.report.warning(f"{spec.name} {said}. Its log: {spec.log_file}")
            return None
        if record.digest != outputs.get("specDigest"):
            call.report.warning(f"{spec.name} runs, but not as this stack started it")
            return None
        hung = record.ready and is_hung(spec.readiness_url)
        if hung:
            call.report.warning(f"{spec.name} runs, but does not answer at {spec.readiness_url}")
        drifted = process_folder.changed_files(spec)
        return Existing(
            id=id,
            outputs=record.outputs(spec, status.pid if record.ready and not hung else 0),
            inputs={"files": drifted} if drifted is not None else {},
        )

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        spec = ProcessSpec.of(inputs)
        with DirectoryLock(spec.directory, call) as lock:
            Running(spec, call).stop()
            family.end(family.members(spec.directory), graceful_seconds=spec.stop_timeout)
            process_folder.remove(spec)
            lock.remove()


def _file_failures(inputs: Properties) -> Iterator[Failure]:
    files = inputs["files"]
    for path in files if isinstance(files, dict) else ():
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            yield Failure(f"files.{path}", "must be a path below `directory`, without `..`")
        elif path in process_folder.OWN_FILES:
            yield Failure(f"files.{path}", f"is a name that the provider uses: {', '.join(process_folder.OWN_FILES)}")


def _name_failures(inputs: Properties) -> Iterator[Failure]:
    for property_name in ("environment", "secretEnvironment"):
        names = inputs[property_name]
        for name in names if isinstance(names, dict) else ():
            if not name or "=" in name or "\0" in name:
                yield Failure(f"{property_name}.{name}", "is no name for a variable: it is empty or holds `=`")
            elif name == family.MARKER or name.startswith("SUPERVISOR_"):
                yield Failure(f"{property_name}.{name}", "is set by the provider itself")


def _other_failures(inputs: Properties) -> Iterator[Failure]:
    url = inputs.get("readinessUrl")
    if isinstance(url, str) and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        yield Failure("readinessUrl", f"must be an address that begins with http:// or https://, not '{url}'")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    removed = inputs["removeOnDelete"]
    for index, path in enumerate(removed if isinstance(removed, list) else ()):
        if path is not UNKNOWN and (Path(path) == home or Path(path) in home.parents or ".." in Path(path).parts):
            yield Failure(f"removeOnDelete[{index}]", f"must not be your home folder or one above it: '{path}'")
    if inputs["survivesReboot"] is True and (reason := refusal()):
        yield Failure("survivesReboot", reason)
