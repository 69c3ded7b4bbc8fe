"""Pulumi's own kubernetes plugin from Go modules, beside a Pulumi that was built because its servers are out of reach.

Its module (github.com/pulumi/pulumi-kubernetes/provider/v4) is published as one commit, of 15 January 2026, after
release 4.24.0. The command's folder has the schema as its makers edit it; what the program embeds is generated from
that by their ``generate.go``, and here in the same way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hybrid.errors import ToolchainError
from hybrid.toolchain.build import RECIPES
from hybrid.toolchain.machine import Machine
from hybrid.toolchain.pulumi import RouteError, find_pulumi
from hybrid.toolchain.workshop import Binary, Workshop, usable_go

PLUGIN: Final = "pulumi-resource-kubernetes"
VERSION: Final = "4.25.0-alpha.20260115"
"""By Pulumi's manner of naming what comes before a release."""

_MODULE: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_RECIPE: Final = "kubernetes"
_COMMAND: Final = Path("cmd") / PLUGIN
_PROGRAM: Final = f"""\
package main

import (
	_ "embed"

	"{_MODULE}/pkg/provider"
	"{_MODULE}/pkg/version"
)

//go:embed schema-embed.json
var schema []byte

//go:embed terraform-mapping-embed.json
var mapping []byte

func main() {{
	provider.Serve("kubernetes", version.Version, schema, mapping)
}}
"""


def ensure_kubernetes_plugin(report: Callable[[str], None], machine: Machine | None = None) -> Path | None:
    """The plugin beside the Pulumi that was built here, compiled if need be: 10 to 60 minutes on two cores.

    None where Pulumi was not built: it gets the plugin by itself. Raises ``ToolchainError``.
    """
    machine = machine or Machine.this()
    pulumi = find_pulumi(machine)
    if pulumi is None or pulumi.origin != "build":
        return None
    plugin = pulumi.bin_folder / PLUGIN
    if not plugin.exists():
        try:
            _build(machine, pulumi.bin_folder, report)
        except RouteError as error:
            raise ToolchainError(
                "Pulumi's kubernetes plugin could not be built.",
                why=str(error),
                next_step="mend that, or `pulumi plugin install resource kubernetes` where Pulumi's servers are "
                "reached, and copy the folder from ~/.pulumi/plugins.",
            ) from None
    return plugin


def _build(machine: Machine, finished: Path, report: Callable[[str], None]) -> None:
    go = usable_go(machine, RECIPES.needed_go(_RECIPE))
    place = finished.parent / f".build-{_RECIPE}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        workshop = Workshop(machine, go, RECIPES, place, finished, report)
        command = workshop.source(_MODULE, _RECIPE) / _COMMAND
        module = workshop.module(_RECIPE)
        schema = json.loads((command / "schema.json").read_text(encoding="utf-8"))
        _embed(module / "schema-embed.json", {**schema, "version": VERSION})
        mapping = json.loads((command / "terraform-mapping.json").read_text(encoding="utf-8"))
        _embed(module / "terraform-mapping-embed.json", mapping)
        (module / "main.go").write_text(_PROGRAM, encoding="utf-8")
        settings = f" -X {_MODULE}/pkg/version.Version={VERSION}"
        workshop.compiled(Binary(PLUGIN, _RECIPE, ".", "10 to 60 minutes", settings))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _embed(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
