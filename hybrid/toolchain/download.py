"""Pulumi's own download: the release that belongs to the SDK in use, by the SDK's own installer."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final

from hybrid.toolchain.machine import Machine
from hybrid.toolchain.pulumi import PYTHON_HOST, Pulumi, RouteError, kept_here, record

SITE: Final = "https://get.pulumi.com/latest-version"
"""Beside the installer that PulumiCommand.install fetches (pulumi/automation/_cmd.py); a few bytes."""

PATIENCE_SECONDS: Final = 3.0
"""A machine that cannot reach Pulumi should learn it at once, and go on to the build."""

# The installer is a script that prints its reasons, which the SDK keeps from sight.
_INSTALL: Final = """
import subprocess, sys
from pulumi.automation import PulumiCommand
try:
    PulumiCommand.install(root=sys.argv[1])
except subprocess.CalledProcessError as error:
    sys.exit((error.output or b"").decode(errors="replace") or str(error))
"""


def download(machine: Machine, report: Callable[[str], None]) -> Pulumi:
    """Get the release into the tools folder, whole or not at all. Raises ``RouteError``."""
    from importlib.metadata import version as distribution_version  # slow to load, and rarely needed

    reason = machine.unreachable(SITE, PATIENCE_SECONDS)
    if reason:
        raise RouteError(f"get.pulumi.com is not reachable: {reason}")
    wanted = distribution_version("pulumi")
    partial, folder = kept_here(machine) / ".download", kept_here(machine) / wanted
    shutil.rmtree(partial, ignore_errors=True)
    report(f"Downloading Pulumi {wanted} (about 150 MB)")
    begun = time.monotonic()
    try:
        answer = machine.run([sys.executable, "-c", _INSTALL, str(partial)], machine.environ, seconds=900)
        if answer.code != 0:
            raise RouteError(answer.last_words)
        if not (partial / "bin" / PYTHON_HOST).exists():
            raise RouteError(f"what came has no {PYTHON_HOST}")
        record(partial, "download")
        shutil.rmtree(folder, ignore_errors=True)  # an unfinished one of the same version
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    report(f"Downloaded in {time.monotonic() - begun:.0f} s")
    return Pulumi(folder / "bin" / "pulumi", wanted, "download", folder / "bin")
