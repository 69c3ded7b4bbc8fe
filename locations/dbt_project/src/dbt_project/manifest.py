"""dbt's manifest, which is what Dagster knows the models by, kept under the digest of what it was made from.

A manifest that is found is therefore of exactly these models. Two kinds of places hold it:

- an image: ``python -m dbt_project.manifest`` makes it while the image is built, and ``DBT_PROJECT_MANIFESTS`` names
  the folder. Models that were changed after that have none, which is an error: the image has to be built again;
- anywhere else (a local agent, `dg dev`, tests): it is made when the location loads and is not there yet, which takes a
  few seconds, and kept in ``~/.cache/dbt_project``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

PROJECT = Path(__file__).parent / "dbt"
MANIFESTS = "DBT_PROJECT_MANIFESTS"
DBT = Path(sys.executable).with_name("dbt")
"""dbt's command of this very environment, which need not be on PATH."""

_MANIFEST = "manifest.json"
_LONGEST_PARSE = 300


class StaleManifest(RuntimeError):
    """The image's manifest was made from other models than those it has now."""


def prepared(project: Path = PROJECT, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with the manifest of ``project`` as it is now, made where that is allowed.

    Raises ``StaleManifest`` where it has to be there already, ``RuntimeError`` with dbt's words where dbt refuses the
    project.
    """
    found = _place(project, environ)
    if (found / _MANIFEST).is_file():
        return found
    if environ.get(MANIFESTS):
        raise StaleManifest(
            f"{environ[MANIFESTS]} has no manifest of the models in {project}: they were changed after the image was "
            "built. Build the image again; its Dockerfile runs `python -m dbt_project.manifest`."
        )
    return prepare(project, environ)


def prepare(project: Path = PROJECT, environ: Mapping[str, str] = os.environ) -> Path:
    """Have dbt parse ``project``; the folder with its manifest, which appears whole or not at all."""
    folder = _place(project, environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix=".parsing-", dir=folder.parent))
    try:
        _parse(project, scratch)
        scratch.chmod(0o755)
        try:
            scratch.rename(folder)
        except OSError:  # another process was as quick, with the same outcome
            if not (folder / _MANIFEST).is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _place(project: Path, environ: Mapping[str, str]) -> Path:
    parent = environ.get(MANIFESTS)
    return (Path(parent) if parent else Path.home() / ".cache" / "dbt_project") / _digest(project)


def _digest(project: Path) -> str:
    """Of each file's name and content, of dbt's releases, and of the folder, which the manifest has in it."""
    releases = [version(package) for package in ("dbt-core", "dbt-duckdb")]
    digest = hashlib.sha256(repr((os.fspath(project.resolve()), releases)).encode())
    for file in sorted(path for path in project.rglob("*") if path.is_file()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(repr((file.relative_to(project).as_posix(), content)).encode())
    return digest.hexdigest()[:32]


def _parse(project: Path, target: Path) -> None:
    places = ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]
    parsed = subprocess.run(
        [DBT, "--quiet", "parse", *places],
        capture_output=True,
        text=True,
        timeout=_LONGEST_PARSE,
        check=False,
    )
    if parsed.returncode or not (target / _MANIFEST).is_file():
        raise RuntimeError(f"dbt could not parse {project}:\n{(parsed.stdout + parsed.stderr).strip()[-2000:]}")


if __name__ == "__main__":
    prepare()
