"""What a supervised process keeps in its folder: our record of it, the rendered files, the log."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hybrid.errors import HybridError, NotReadyError
from hybrid.provider import supervisor
from hybrid.provider.process_spec import ProcessSpec
from hybrid.redaction import redact
from hybrid.workspace import PROCESS_LOG

_RECORD: Final = "process.json"
_PLAN: Final = "launch.json"
OWN_FILES: Final = (_RECORD, _PLAN, "program.pid", PROCESS_LOG, "environment", *supervisor.OWN_FILES)
_TAIL_LINES: Final = 30
_TAIL_BYTES: Final = 32 * 1024


class NotReadyYetError(NotReadyError):
    """It was started and does not answer yet; it is left running."""


@dataclass(frozen=True)
class Record:
    """What was last started in a folder. ``salt`` belongs to ``digest`` (see ``ProcessSpec.digest``); ``ready`` says
    that it once answered as it should."""

    instance: str
    started_at: str
    salt: str
    digest: str
    ready: bool = False

    @classmethod
    def new(cls, spec: ProcessSpec) -> Record:
        salt = secrets.token_hex(16)
        return cls(
            instance=secrets.token_hex(8),
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            salt=salt,
            digest=spec.digest(salt),
        )

    @classmethod
    def load(cls, directory: Path) -> Record | None:
        """The record of ``directory``, or None when nothing was started there or it cannot be read."""
        try:
            return cls(**json.loads((directory / _RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def describes(self, spec: ProcessSpec) -> bool:
        """Whether what was started is what ``spec`` asks for."""
        return self.digest == spec.digest(self.salt)

    def outputs(self, spec: ProcessSpec, pid: int) -> dict[str, Any]:
        """The resource's outputs."""
        return {
            "pid": pid,
            "startedAt": self.started_at,
            "instance": self.instance,
            "logFile": str(spec.log_file),
            "specDigest": self.digest,
        }


def prepare(directory: Path) -> None:
    """Make the folder, readable for its owner only."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None


def mark_ready(spec: ProcessSpec, record: Record) -> None:
    """Note that what ``record`` describes was seen to stand."""
    if not record.ready:
        write_private(spec.directory / _RECORD, json.dumps(asdict(replace(record, ready=True)), indent=1))


def write(spec: ProcessSpec, record: Record, configuration: str) -> None:
    """Write all files of a process, each at once or not at all."""
    try:
        for path, text in spec.files.items():
            _write(spec.directory / path, text)
        _write(spec.directory / _PLAN, spec.launch_plan())
        _write(spec.directory / supervisor.CONFIGURATION, configuration)
        _write(spec.directory / _RECORD, json.dumps(asdict(record), indent=1))
    except OSError as error:
        raise _unwritable(spec.directory, error) from None


def write_private(path: Path, text: str) -> None:
    """Write one file of mode 0600, at once or not at all."""
    try:
        _write(path, text)
    except OSError as error:
        raise _unwritable(path.parent, error) from None


def changed_files(spec: ProcessSpec) -> dict[str, str] | None:
    """The texts on disk when somebody changed or removed one of ``spec.files``, else None."""
    found = {}
    for path in spec.files:
        try:
            found[path] = (spec.directory / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # gone, or no text any more: absent either way
    return None if found == dict(spec.files) else found


def log_tail(log_file: Path) -> str:
    """The last lines of the log, redacted."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return "(it wrote no log)"
    return redact("\n".join(text.splitlines()[-_TAIL_LINES:])) or "(its log is empty)"


def remove(spec: ProcessSpec) -> None:
    """Take away what lies in the folder of ours, and what the spec says goes with it. Others' files stay."""
    rotated = [f"{PROCESS_LOG}.{number}" for number in range(1, spec.log_backups + 1)]
    for name in (*OWN_FILES, *rotated, *spec.files):
        (spec.directory / name).unlink(missing_ok=True)
    for path in spec.remove_on_delete:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    below = {parent for path in spec.files for parent in (spec.directory / path).parents if parent > spec.directory}
    for folder in (*sorted(below, reverse=True), spec.directory):
        try:
            folder.rmdir()
        except OSError:
            continue  # not empty: somebody keeps something there; or gone already


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _unwritable(directory: Path, error: OSError) -> HybridError:
    return HybridError(
        f"{directory} cannot be written.",
        why=error.strerror or str(error),
        next_step="free disk space or mend the folder's permissions, then run the command again.",
    )
