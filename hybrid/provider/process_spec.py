"""What one supervised process is, and the files that make it so. Pure: values in, texts out."""

from __future__ import annotations

import hashlib
import hmac
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.provider import family
from hybrid.workspace import PROCESS_LOG

_FORMAT: Final = 1  # part of the digest: another layout of the files below restarts what runs with the old one

# A program gets these from whoever runs the update, and nothing else that it did not ask for: the same process
# whichever shell started it, and no credentials of that shell.
INHERITED: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)

_START_SECONDS: Final = 5  # a program that ends sooner failed to start: it is tried again after 1, 2, 3… seconds
_START_TRIES: Final = 20  # some four minutes of such tries; an update gives up much sooner and says so


@dataclass(frozen=True)
class ProcessSpec:
    """A ``Process`` resource's inputs as values."""

    name: str
    directory: Path
    command: tuple[str, ...]
    working_directory: Path
    environment: Mapping[str, str]
    secret_environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    leftover_commands: tuple[str, ...]
    readiness_url: str | None
    readiness_timeout: float
    stop_timeout: int
    log_max_bytes: int
    log_backups: int
    remove_on_delete: tuple[Path, ...]
    survives_reboot: bool
    port: int | None

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> ProcessSpec:
        """The spec of complete, plain inputs."""
        return cls(
            name=inputs["name"],
            directory=Path(inputs["directory"]),
            command=tuple(inputs["command"]),
            working_directory=Path(inputs.get("workingDirectory") or inputs["directory"]),
            environment=dict(inputs["environment"]),
            secret_environment=dict(inputs["secretEnvironment"]),
            files=dict(inputs["files"]),
            leftover_commands=tuple(inputs["leftoverCommands"]),
            readiness_url=inputs.get("readinessUrl"),
            readiness_timeout=inputs["readinessTimeoutSeconds"],
            stop_timeout=inputs["stopTimeoutSeconds"],
            log_max_bytes=inputs["logMaxBytes"],
            log_backups=inputs["logBackups"],
            remove_on_delete=tuple(Path(path) for path in inputs["removeOnDelete"]),
            survives_reboot=inputs["survivesReboot"],
            port=inputs.get("port"),
        )

    @property
    def log_file(self) -> Path:
        return self.directory / PROCESS_LOG

    def digest(self, salt: str) -> str:
        """A name for what runs: equal digests mean that a running process need not be restarted.

        Secrets are part of it; the salt, kept beside it in a file of mode 0600, keeps them from being guessed.
        """
        parts = {
            "format": _FORMAT,
            "command": self.command,
            "workingDirectory": str(self.working_directory),
            "environment": dict(self.environment),
            "secretEnvironment": dict(self.secret_environment),
            "files": dict(self.files),
            "leftoverCommands": self.leftover_commands,
            "stopTimeout": self.stop_timeout,
            "log": [self.log_max_bytes, self.log_backups],
            "survivesReboot": self.survives_reboot,
        }
        return hmac.new(salt.encode(), json.dumps(parts, sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def supervisor_environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The supervisor's environment, which the program inherits: the only place where secrets go."""
        inherited = {name: given[name] for name in INHERITED if name in given}
        return {**inherited, **self.secret_environment, family.MARKER: str(self.directory)}

    def launch_plan(self) -> str:
        """``launch.json``: what ``hybrid.provider.launch`` runs."""
        plan = {
            "command": self.command,
            "environment": dict(self.environment),
            "workingDirectory": str(self.working_directory),
            "leftoverCommands": self.leftover_commands,
        }
        return json.dumps(plan, indent=1)

    def supervisor_configuration(self, python: str, socket: Path) -> str:
        """``supervisord.conf``. Source of the keys: https://supervisord.org/configuration.html"""
        # %(here)s is the configuration's own folder: paths of people need no escaping that way. The log's name is
        # expanded twice (supervisor/options.py), so it is relative: the supervisor is started in that folder.
        command = _escaped(f"{shlex.quote(python)} -P -m hybrid.provider.launch")
        return f"""\
[unix_http_server]
file = {_escaped(str(socket))}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
directory = %(here)s
logfile = %(here)s/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = %(here)s/supervisord.pid
nocleanup = true

[program:process]
command = {command}
directory = %(here)s
autostart = true
autorestart = true
startsecs = {_START_SECONDS}
startretries = {_START_TRIES}
stopsignal = TERM
stopwaitsecs = {self.stop_timeout}
redirect_stderr = true
stdout_logfile = {PROCESS_LOG}
stdout_logfile_maxbytes = {self.log_max_bytes}
stdout_logfile_backups = {self.log_backups}
"""


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
