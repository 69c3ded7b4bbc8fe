"""The Dockerfile of a location that has none: two stages, dependencies before code, no root."""

from __future__ import annotations

import configparser
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LOCK: Final = "requirements.lock"
PYTHON_IMAGE: Final = "python:3.12-slim"
_SETUP: Final = "setup.py"
_PYPROJECT: Final = "pyproject.toml"

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
    lacks_setup: bool = False
    """Whether its package is described by a ``setup.cfg`` alone, which no installer takes without a setup.py."""


def scaffold(folder: Path) -> str:
    """The Dockerfile for the location in ``folder``."""
    return dockerfile(layout_of(folder))


def layout_of(folder: Path) -> Layout:
    """Looks at ``requirements.lock``, ``pyproject.toml`` and ``requirements.txt``, the first that says something, and
    for ``src``. What a ``setup.py``, a ``setup.cfg`` or a build backend alone can tell is found out by installing the
    folder itself, as Serverless does."""
    src = (folder / "src").is_dir()
    lock = folder / LOCK
    if lock.is_file():
        return Layout((LOCK,), hashed="--hash=" in lock.read_text(encoding="utf-8", errors="replace"), src=src)
    project = _read_toml(folder / _PYPROJECT)
    if "dependencies" in _table(project, "project"):
        return Layout((_PYPROJECT,), src=src)
    lacks_setup = not (folder / _SETUP).is_file() and _is_package(folder / "setup.cfg")
    is_package = (folder / _SETUP).is_file() or lacks_setup or _backend_tells(project)
    listed = ("requirements.txt",) if (folder / "requirements.txt").is_file() else ()
    return Layout(listed, src=src, from_folder=(".",) if is_package else (), lacks_setup=lacks_setup)


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
    stub = f"RUN echo 'import setuptools; setuptools.setup()' > {_SETUP}\n" if layout.lacks_setup else ""
    if layout.editable:
        return f"WORKDIR /opt/dagster/app\nCOPY . .\n{_installed(words)}"
    return f"WORKDIR /build/source\nCOPY . .\n{stub}{_installed(words)}WORKDIR /opt/dagster/app\nCOPY . .\n"


def _installed(words: list[str]) -> str:
    return f"""\
RUN {_CACHE} \\
    {CERTIFICATES} \\
    {TRUST}; \\
    UV_LINK_MODE=copy python3 -m uv pip install --python /opt/dagster/venv/bin/python --compile-bytecode \\
    {" ".join(words)}
"""


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _backend_tells(document: dict[str, Any]) -> bool:
    """Whether the file leaves its dependencies to the backend: computed ones, and Poetry's own table of them."""
    dynamic = _table(document, "project").get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        return True
    return "build-system" in document and "dependencies" in _table(_table(document, "tool"), "poetry")


def _is_package(setup_cfg: Path) -> bool:
    """Many a setup.cfg has settings of linters alone."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(setup_cfg.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return False
    return parser.has_section("options") and parser.has_section("metadata")
