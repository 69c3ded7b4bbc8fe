"""Policy packs around an update: how one is started, the error for what it refuses, and for one that did not start."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hybrid.engine.events import PolicyFinding
from hybrid.errors import EngineError, PolicyRefusedError

# "error: policy pack "…" failed to start: …", and the same of one that has no PulumiPolicy.yaml
# (pkg/resource/plugin/analyzer_plugin.go of Pulumi 3.259)
_NO_START: Final = re.compile(
    r"^error: (?:policy pack .*failed to start|failed to load Pulumi policy).*$", re.MULTILINE
)
_SAID: Final = re.compile(
    r"^Diagnostics:\n +pulumi:pulumi:Stack \([^\n]*\):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL
)


def startable(pack: Path) -> Path:
    """The program that starts a pack, where its folder has one: the host for Python that is built where Pulumi has no
    download (docs/toolchain.md) starts no folders."""
    return next(iter(sorted(pack.glob("pulumi-analyzer-*"))), pack) if pack.is_dir() else pack


def refused(findings: Sequence[PolicyFinding], again: str) -> PolicyRefusedError:
    """The error that names all mandatory findings, whose whole messages listeners have had. ``again``: the command for
    when they are mended."""
    return PolicyRefusedError(
        f"The policy pack refuses this: {len(findings)} finding{'s' if len(findings) > 1 else ''}.",
        why="\n".join(f"{finding.policy}: {finding.what}" for finding in findings),
        next_step=f"mend what it says, or allow it in stacks/policy_exceptions.py; then `{again}`.",
    )


def not_started(words: str) -> EngineError | None:
    """The error when the CLI's own ``words`` say that a pack did not start: with what the pack said, if anything."""
    found = _NO_START.search(words)
    if found is None:
        return None
    said = _SAID.search(words)
    why = textwrap.dedent(said[1]).strip() if said else ""
    return EngineError(
        "The policy pack did not start, so nothing was looked at.",
        why=why or found[0].removeprefix("error: "),
        next_step=None if "Next: " in why else "mend it, or run the command without `--policies`.",
    )
