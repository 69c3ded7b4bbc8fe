"""The Dockerfile of a location that has none: two stages, dependencies before code, no root."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LOCK: Final = "requirements.lock"
PYTHON_IMAGE: Final = "python:3.12-slim"

SERVING: Final = """\
EXPOSE 4000
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \\
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
"""
CERTIFICATES: Final = "--mount=type=secret,id=certificates,required=false"
TRUST: Final = """if [ -s /run/secrets/certificates ]; then \\
        export PIP_CERT=/run/secrets/certificates SSL_CERT_FILE=/run/secrets/certificates; \\
    fi"""
_CACHE: Final = "--mount=type=cache,target=/root/.cache"


@dataclass(frozen=True)
class Layout:
    """What of a location's folder decides how it is installed."""

    requirements: tuple[str, ...]
    """The files with its dependencies, the one to install first; empty when it names none."""
    hashed: bool = False
    """Whether that file has a hash for each, which are then demanded."""
    src: bool = True
    """Whether its modules are below ``src``."""
    further: tuple[str, ...] = ()
    """Requirements that no file of it names."""
    from_folder: tuple[str, ...] = ()
    """What of pip's words can only be installed with the whole folder there: ``.``, the package that it is itself;
    ``-r`` and a file that names other files; ``--no-deps``."""
    editable: bool = False
    """Whether one of those installs a link, so that the folder has to be where the image has it."""


def scaffold(folder: Path) -> str:
    """The Dockerfile for the location in ``folder``."""
    return dockerfile(layout_of(folder))


def layout_of(folder: Path) -> Layout:
    """Looks at ``requirements.lock``, ``pyproject.toml`` and ``requirements.txt``, the first that says something, and
    for ``src``."""
    src = (folder / "src").is_dir()
    lock = folder / LOCK
    if lock.is_file():
        return Layout((LOCK,), hashed="--hash=" in lock.read_text(encoding="utf-8", errors="replace"), src=src)
    if "dependencies" in _project(folder / "pyproject.toml"):
        return Layout(("pyproject.toml",), src=src)
    if (folder / "requirements.txt").is_file():
        return Layout(("requirements.txt",), src=src)
    return Layout((), src=src)


def dockerfile(layout: Layout, base: str = PYTHON_IMAGE, argument: str = "PYTHON_IMAGE") -> str:
    """The text; pure. ``argument`` is that of the build by which the ``base`` is another.

    Development groups and extras are left out: they are no dependencies.
    """
    path = "/opt/dagster/app/src:/opt/dagster/app" if layout.src else "/opt/dagster/app"
    install = _install(layout) if layout.requirements or layout.further else ""
    copied = _install_from_folder(layout) if layout.from_folder else "WORKDIR /opt/dagster/app\nCOPY . .\n"
    return f"""\
ARG {argument}={base}

FROM ${{{argument}}} AS builder
RUN {_CACHE} \\
    {CERTIFICATES} \\
    {TRUST}; \\
    python3 -m pip install --disable-pip-version-check --root-user-action=ignore "uv>=0.9,<1" && \\
    python3 -m uv venv --python python3 /opt/dagster/venv
{install}{copied}RUN python3 -m compileall -q --invalidation-mode unchecked-hash .

FROM ${{{argument}}}
ENV PATH=/opt/dagster/venv/bin:$PATH PYTHONPATH={path} PYTHONUNBUFFERED=1 HOME=/tmp
COPY --from=builder /opt/dagster/venv /opt/dagster/venv
WORKDIR /opt/dagster/app
USER 1000:1000
{SERVING}COPY --from=builder /opt/dagster/app /opt/dagster/app
"""


def _install(layout: Layout) -> str:
    copied = f"COPY {' '.join(layout.requirements)} /build/\n" if layout.requirements else ""
    files = [f"-r /build/{file}" for file in layout.requirements]
    named = [f'"{requirement}"' for requirement in layout.further]
    hashes = ["--require-hashes"] if layout.hashed else []
    return f"{copied}{_installed([*hashes, *files, *named])}"


def _install_from_folder(layout: Layout) -> str:
    """A build leaves files of its own in the folder: where it may, it happens in another than the image's."""
    words = [*layout.from_folder]
    if layout.editable:
        return f"WORKDIR /opt/dagster/app\nCOPY . .\n{_installed(words)}"
    return f"WORKDIR /build/source\nCOPY . .\n{_installed(words)}WORKDIR /opt/dagster/app\nCOPY . .\n"


def _installed(words: list[str]) -> str:
    return f"""\
RUN {_CACHE} \\
    {CERTIFICATES} \\
    {TRUST}; \\
    UV_LINK_MODE=copy python3 -m uv pip install --python /opt/dagster/venv/bin/python --compile-bytecode \\
    {" ".join(words)}
"""


def _project(file: Path) -> dict[str, Any]:
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    return project if isinstance(project, dict) else {}
