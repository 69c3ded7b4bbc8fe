"""Debian's packages of the engine and the registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from tests.containers.home import ContainersError

_PACKAGES: Final = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
}
_PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALL_SECONDS: Final = 600


def which(command: str, environ: Mapping[str, str]) -> str | None:
    """``command`` on PATH or in the system's folders, which a user's PATH may leave out."""
    return shutil.which(command, path=os.pathsep.join([environ.get("PATH", ""), _PLACES]))


def obtainable(environ: Mapping[str, str]) -> bool:
    """Whether packages can be installed here."""
    return which("apt-get", environ) is not None and os.geteuid() == 0


def need(commands: list[str], environ: Mapping[str, str]) -> None:
    """Install what is missing of ``commands``, with apt-get and as root only."""
    missing = [command for command in commands if which(command, environ) is None]
    if not missing:
        return
    packages = sorted({_PACKAGES[command] for command in missing})
    by_hand = f"install Docker and start it, or as root: apt-get install {' '.join(packages)}"
    if not obtainable(environ):
        raise ContainersError(f"No Docker engine answers, and {', '.join(missing)} is not here: {by_hand}.")
    print(f"Installing {', '.join(packages)} with apt-get.", file=sys.stderr)
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env=quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise ContainersError(f"apt-get {' '.join(arguments)} failed:\n{said}\nNext: {by_hand}.")
