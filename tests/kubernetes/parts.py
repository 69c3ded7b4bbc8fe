"""The programs of a control plane: Kubernetes' own, and etcd.

Kubernetes publishes its programs at dl.k8s.io. Where that is out of reach they are compiled from the Go module
k8s.io/kubernetes, which is published without its staging modules: the recipe names those at their own releases.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from hybrid.toolchain.machine import Answer, Machine, run_to_its_end, unreachable
from hybrid.toolchain.pulumi import RouteError
from hybrid.toolchain.workshop import Binary, Recipes, Workshop, usable_go

VERSION: Final = "1.36.3"

_RECIPES: Final = Recipes(Path(__file__).parent / "recipes")
_RECIPE: Final = "kubernetes"
_BASE: Final = "k8s.io/component-base/version"
_SETTINGS: Final = "".join(
    f" -X {_BASE}.{name}={value}"
    for name, value in {
        "gitVersion": f"v{VERSION}",
        "gitMajor": VERSION.split(".")[0],
        "gitMinor": VERSION.split(".")[1],
    }.items()
)
_MINUTES: Final = {
    "kube-apiserver": "5 to 11 minutes",
    "kube-controller-manager": "2 minutes",
    "kube-scheduler": "1 minute",
}
_SITE: Final = "https://dl.k8s.io"
_PATIENCE_SECONDS: Final = 3.0
_PROCESSORS: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class PartsError(Exception):
    """What stands in the way, with what to do about it."""


@dataclass(frozen=True)
class Parts:
    """Where each program is."""

    apiserver: Path
    controller_manager: Path
    scheduler: Path
    etcd: Path


def obtain(environ: Mapping[str, str]) -> Parts:
    """The programs, downloaded or compiled when they are not kept yet. Of two that want them the second waits."""
    folder = _cache(environ) / f"v{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in _MINUTES if not (folder / name).exists()]
        if missing:
            _get(missing, folder, Machine(environ=environ, tools=folder, run=_nicely))
        return Parts(
            folder / "kube-apiserver", folder / "kube-controller-manager", folder / "kube-scheduler", _etcd(environ)
        )


def kept(environ: Mapping[str, str]) -> bool:
    """Whether `obtain` would neither download nor compile."""
    return all((_cache(environ) / f"v{VERSION}" / name).exists() for name in _MINUTES)


def _cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagster-hybrid" / "kubernetes"


def _get(missing: Sequence[str], folder: Path, machine: Machine) -> None:
    reasons = []
    for way in (_download, _build):
        try:
            way(missing, folder, machine)
            return
        except (RouteError, OSError, httpx.HTTPError) as error:
            reasons.append(f"{way.__name__.strip('_')}: {error}")
    raise PartsError(
        "Kubernetes' programs could not be had:\n- " + "\n- ".join(reasons) + f"\nNext: reach {_SITE}, "
        f"or install Go {_RECIPES.needed_go(_RECIPE)} and reach a Go module proxy."
    )


def _download(missing: Sequence[str], folder: Path, machine: Machine) -> None:
    place = f"{_SITE}/release/v{VERSION}/bin/linux/{_PROCESSORS.get(platform.machine(), platform.machine())}"
    if reason := unreachable(f"{place}/kube-scheduler.sha256", _PATIENCE_SECONDS):
        raise RouteError(f"{_SITE} is not reachable: {reason}")
    for name in missing:
        _say(f"Downloading {name} {VERSION}")
        part = folder / f".{name}.{os.getpid()}"
        wanted = httpx.get(f"{place}/{name}.sha256", timeout=60, follow_redirects=True).raise_for_status().text.split()
        found = hashlib.sha256()
        with httpx.stream("GET", f"{place}/{name}", timeout=60, follow_redirects=True) as answer, part.open("wb") as to:
            for piece in answer.raise_for_status().iter_bytes():
                found.update(piece)
                to.write(piece)
        if [found.hexdigest()] != wanted[:1]:
            part.unlink()
            raise RouteError(f"{place}/{name} is not what its checksum says")
        part.chmod(0o755)
        part.replace(folder / name)


def _build(missing: Sequence[str], folder: Path, machine: Machine) -> None:
    go = usable_go(machine, _RECIPES.needed_go(_RECIPE))
    place = folder / ".build"
    shutil.rmtree(place, ignore_errors=True)
    try:
        workshop = Workshop(machine, go, _RECIPES, place, folder, _say)
        for name in missing:
            workshop.compiled(Binary(name, _RECIPE, f"k8s.io/kubernetes/cmd/{name}", _MINUTES[name], _SETTINGS))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _nicely(
    command: Sequence[str], environ: Mapping[str, str], *, folder: Path | None = None, seconds: float
) -> Answer:
    """A build of minutes leaves the machine usable."""
    return run_to_its_end(["nice", "-n", "19", *command], environ, folder=folder, seconds=seconds)


def _etcd(environ: Mapping[str, str]) -> Path:
    found = _which("etcd", environ)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _say("Installing etcd-server with apt-get")
        quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", "etcd-server"]):
            subprocess.run(["apt-get", "-q", *words], env=quiet, check=False, capture_output=True, timeout=600)
        found = _which("etcd", environ)
    if found is None:
        raise PartsError("etcd is not here and could not be installed: as root, apt-get install etcd-server.")
    return found


def _which(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=f"{environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
    return Path(found) if found else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
