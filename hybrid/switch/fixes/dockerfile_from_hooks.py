"""The Dockerfile with the two lifecycle hooks of Serverless's Docker builds.

Order, places and working directories are those of dagster_cloud_cli/commands/serverless/Dockerfile of 1.13.27, which
Serverless builds by; the hooks stay in the repository and are run, not copied into anything.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from hybrid.delivery.images.scaffold import CERTIFICATES, SERVING, TRUST
from hybrid.switch.finding import Finding
from hybrid.switch.fixes.dockerfile_from_pex import DEFAULT_PYTHON, IMAGE, PYPROJECT, REQUIREMENTS, SETUP
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, below, folder_of
from hybrid.switch.fixes.mark import marked

PRE: Final = "dagster_cloud_pre_install.sh"
POST: Final = "dagster_cloud_post_install.sh"
BASE: Final = f"public.ecr.aws/docker/library/python:{DEFAULT_PYTHON}-slim"
"""As dagster_cloud_cli/docker_utils.py of 1.13.27 has it."""

_EARLY: Final = (f"*{PRE}", f"*{SETUP}", f"*{PYPROJECT}", f"*{REQUIREMENTS}")
_INTERPRETER: Final = re.compile(r"/[A-Za-z0-9._/-]{1,400}")
_CACHE: Final = "--mount=type=cache,target=/root/.cache/pip"


@dataclass(frozen=True, slots=True)
class HookedLayout:
    """What of a folder decides which steps there are."""

    has_pre: bool
    has_post: bool
    has_package: bool
    """A setup.py or a pyproject.toml, which is installed before the rest is copied."""
    has_requirements: bool
    early: bool
    """Whether there is anything to copy before."""


def fix_hooks(finding: Finding, contents: Contents) -> Fix:
    """A Dockerfile for the folder of the hooks.

    Facts: ``base_image``, the base that it was built on; ``executable_path``, the interpreter that was named.
    """
    folder = folder_of(finding)
    names = contents.names(folder)
    layout = HookedLayout(
        has_pre=PRE in names,
        has_post=POST in names,
        has_package=SETUP in names or PYPROJECT in names,
        has_requirements=REQUIREMENTS in names,
        early=any(fnmatchcase(name, pattern) for name in names for pattern in _EARLY),
    )
    notes = [
        f"The order of Serverless is kept: {_said(layout)}; hooks run as root and are left where they are.",
        "Code runs as root too, as on Serverless, since hooks may leave in /root what it needs; where it does not, "
        "add `USER 1000:1000` and `ENV HOME=/tmp` before EXPOSE.",
    ]
    by_hand: list[str] = []
    base = _checked(finding.facts.get("base_image"), IMAGE, None, "base image", by_hand) or BASE
    if base != BASE:
        notes.append(
            f"It starts from {base}. Serverless took its hooks in that image's own working directory; here it is /, "
            "where they are copied to."
        )
    interpreter = _checked(finding.facts.get("executable_path"), _INTERPRETER, None, "executable_path", by_hand)
    if interpreter:
        notes.append(f"The folder of {interpreter} is the first on PATH, so that no `executable_path` is needed.")
    text = dockerfile_with_hooks(layout, base, interpreter)
    return Fix(
        finding,
        f"a Dockerfile that runs the hooks of {finding.location or folder or 'the repository'}",
        files=(ProposedFile(below(folder, "Dockerfile"), marked(text)),),
        by_hand=tuple(by_hand),
        notes=tuple(notes),
    )


def dockerfile_with_hooks(layout: HookedLayout, base: str = BASE, interpreter: str | None = None) -> str:
    """The text; pure. Caches are mounted for pip alone: what a hook leaves in /root/.cache belongs into the image."""
    parts = [f"ARG BASE_IMAGE={base}\n\nFROM ${{BASE_IMAGE}}\n"]
    if layout.early:
        parts.append(f"WORKDIR /\nCOPY {' '.join(_early(layout))} /\n")
    if layout.has_pre:
        parts.append(_run(f"./{PRE}"))
    if layout.has_package:
        parts.append(_run("pip install .", cached=True))
    parts.append("WORKDIR /opt/dagster/app\nCOPY . /opt/dagster/app\n")
    if layout.has_requirements:
        parts.append(_run(f"pip install -r {REQUIREMENTS}", cached=True))
    if layout.has_post:
        parts.append(_run(f"./{POST}"))
    parts.append("# Hybrid's run workers need it, as Serverless's did.\nRUN dagster-cloud --version\n")
    # not an error: a folder may hold Python that is a template, or for another version
    parts.append("RUN python3 -m compileall -q --invalidation-mode unchecked-hash . || true\n")
    if interpreter:
        parts.append(f"ENV PATH={posixpath.dirname(interpreter)}:$PATH\n")
    parts.append(f"ENV PYTHONUNBUFFERED=1\n{SERVING}")
    return "".join(parts)


def _early(layout: HookedLayout) -> list[str]:
    """The patterns of upstream: they also take what other files of that ending a hook may read. One that nothing is of
    is no error as long as another has something."""
    return [pattern for pattern in _EARLY if layout.has_pre or pattern != _EARLY[0]]


def _run(command: str, *, cached: bool = False) -> str:
    mounts = f"{_CACHE} \\\n    {CERTIFICATES}" if cached else CERTIFICATES
    return f"RUN {mounts} \\\n    {TRUST}; \\\n    {command}\n"


def _said(layout: HookedLayout) -> str:
    steps = {
        f"{PRE} in /": layout.has_pre,
        "`pip install .` in /": layout.has_package,
        "everything copied to /opt/dagster/app": True,
        f"`pip install -r {REQUIREMENTS}` there": layout.has_requirements,
        f"{POST} there": layout.has_post,
    }
    return ", ".join(step for step, is_there in steps.items() if is_there)


def _checked(
    given: str | None, pattern: re.Pattern[str], otherwise: str | None, what: str, by_hand: list[str]
) -> str | None:
    if given is None:
        return otherwise
    if pattern.fullmatch(given):
        return given
    by_hand.append(f"The {what} {given[:100]!r} cannot be written into a Dockerfile: put it in by hand.")
    return otherwise
