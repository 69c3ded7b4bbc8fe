"""A process that comes back with the machine: its supervisor as a systemd user unit. Linux only.

Source of the keys: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hybrid.errors import HybridError
from hybrid.provider import process_folder
from hybrid.provider.process_spec import ProcessSpec
from hybrid.provider.supervisor import CONFIGURATION

_ENVIRONMENT: Final = "environment"
_CALL_SECONDS: Final = 60.0


def refusal() -> str | None:
    """Why this machine's systemd cannot take a unit of this user, or None when it can."""
    if not sys.platform.startswith("linux"):
        return "needs systemd, which this platform does not have; leave it out and run `up` after a reboot"
    if shutil.which("systemctl") is None:
        return "needs systemd, and there is no systemctl here; leave it out and run `up` after a reboot"
    answer = _systemctl("show", "--property=Version")
    if answer.returncode != 0:
        return f"needs systemd's user manager, which does not answer: {answer.stderr.strip()[:200]}"
    return None


def unit_name(spec: ProcessSpec) -> str:
    """One unit a folder, whatever its process is called."""
    return f"dagster-hybrid-{hashlib.sha256(os.fsencode(spec.directory)).hexdigest()[:12]}.service"


def unit(spec: ProcessSpec, python: str) -> str:
    """The unit's text. Secrets are not in it but in the environment file of mode 0600.

    KillMode=process: what the program started, such as runs in progress, is ours to end or to leave, as without
    systemd.
    """
    configuration = _quoted(str(spec.directory / CONFIGURATION))
    return f"""\
[Unit]
Description=dagster-hybrid: {spec.name.replace("%", "%%")}
After=network-online.target

[Service]
Type=exec
WorkingDirectory={_specified(str(spec.directory))}
EnvironmentFile={_specified(str(spec.directory / _ENVIRONMENT))}
ExecStart={_quoted(python)} -P -m supervisor.supervisord --nodaemon --silent -c {configuration}
KillMode=process
TimeoutStopSec={spec.stop_timeout + 10}
Restart=always
RestartSec=1

[Install]
WantedBy=default.target
"""


def environment_file(environment: Mapping[str, str]) -> str:
    """The environment file's text: double quotes, in which backslash, quote, dollar and backtick are escaped."""
    lines = []
    for name, value in sorted(environment.items()):
        escaped = "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def activate(spec: ProcessSpec, environment: Mapping[str, str]) -> None:
    """Hand the process to systemd: start it now and with the machine."""
    process_folder.write_private(spec.directory / _ENVIRONMENT, environment_file(environment))
    path = _unit_path(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    process_folder.write_private(path, unit(spec, sys.executable))
    for arguments in (("daemon-reload",), ("enable", "--now", path.name)):
        answer = _systemctl(*arguments)
        if answer.returncode != 0:
            raise HybridError(
                f"systemd did not take {spec.name}.",
                why=f"systemctl --user {' '.join(arguments)}: {answer.stderr.strip()}",
                next_step=f"`systemctl --user status {path.name}` says more; or do without survivesReboot.",
            )


def deactivate(spec: ProcessSpec) -> None:
    """Take the process back from systemd; nothing when it was never given."""
    path = _unit_path(spec)
    if not path.exists():
        return
    _systemctl("disable", "--now", path.name)
    path.unlink(missing_ok=True)
    _systemctl("daemon-reload")


def _unit_path(spec: ProcessSpec) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(base) / "systemd" / "user" / unit_name(spec)


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemctl", "--user", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_CALL_SECONDS,
        check=False,
    )


def _specified(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = _specified(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
