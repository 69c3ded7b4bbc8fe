"""Pulumi from Go modules, for machines that reach a Go module proxy but not Pulumi's own servers.

The engine and the Python language host are built from two throw-away modules whose ``go.mod`` and ``go.sum`` are in
``recipes/``: what is fetched is held against these hashes. The language host is of an older release than the engine,
the last that is published as a module together with its helper (sdk/v3 v3.79.0, python/cmd); the engine speaks its
protocol still. Such a host ignores ``runtime.options``: the project's virtual environment must come first on PATH.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hybrid.toolchain.machine import Machine
from hybrid.toolchain.pulumi import PYTHON_HOST, Pulumi, RouteError, kept_here, record
from hybrid.toolchain.version import Version
from hybrid.toolchain.workshop import Binary, Recipes, Script, Workshop, usable_go

ENGINE_VERSION: Final = "3.259.0"
RECIPES: Final = Recipes(Path(__file__).parent / "recipes")

_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"

ENGINE: Final = Binary(
    "pulumi",
    "engine",
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "4 to 8 minutes",
    f" -X {_SDK}/go/common/version.Version=v{ENGINE_VERSION}",
)
HOST: Final = Binary(PYTHON_HOST, "host", f"{_SDK}/python/cmd/pulumi-language-python", "1 minute")
SCRIPTS: Final = (
    Script("pulumi-language-python-exec", "host", _SDK, "python/cmd/pulumi-language-python-exec"),
    Script("pulumi-resource-pulumi-python", "engine", _SDK, "python/dist/pulumi-resource-pulumi-python"),
)


def build(machine: Machine, report: Callable[[str], None]) -> Pulumi:
    """Build what is not yet built, each part put in its place when it is whole. Raises ``RouteError``."""
    go = usable_go(machine, needed_go())
    folder, workshop = kept_here(machine) / ENGINE_VERSION, kept_here(machine) / ".build"
    shutil.rmtree(workshop, ignore_errors=True)
    try:
        made = Workshop(machine, go, RECIPES, workshop, folder / "bin", report)
        for script in SCRIPTS:
            made.copied(script)
        for binary in (HOST, ENGINE):
            made.compiled(binary)
        record(folder, "build")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return Pulumi(folder / "bin" / ENGINE.name, ENGINE_VERSION, "build", folder / "bin")


def needed_go() -> Version:
    """The oldest Go that compiles the engine, as its module says."""
    return RECIPES.needed_go(ENGINE.recipe)


def go_refusal(machine: Machine) -> str | None:
    """Why the machine's Go cannot build Pulumi; None when it can."""
    try:
        usable_go(machine, needed_go())
    except RouteError as error:
        return str(error)
    return None
