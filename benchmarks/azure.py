"""A preview of the whole stack in Azure, from nothing, beside a preview of the same resources as a plain program of
Pulumi's.

Azure's plugin comes from Pulumi's servers and takes 300 MB; here one that does nothing has its place, for both. So a
plugin's own work is in neither, which makes the ratio larger than it is. Azure itself is asked before an update, not by
Pulumi: something that answers these questions stands in. It needs Linux, root and Azure's libraries (`make azure`).
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import program_start
from benchmarks.answering_azure import SUBSCRIPTION, answering_azure
from benchmarks.figure import Figure
from benchmarks.organization_stack import OrganizationStack, organization_stack
from benchmarks.plain_program import PlainProgram
from benchmarks.previews import compared
from tests.emulated.checkout import REPOSITORY

_PLACE: Final = {
    "agent": {"kind": "azure"},
    "azure": {"subscription": SUBSCRIPTION, "location": "westeurope", "tenant": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"},
}
_SMALLEST: Final = 'import pulumi_azure_native as azure\nazure.Provider("azure", location="westeurope")\n'


def measure() -> list[Figure]:
    """Seconds of previews and of the program's start."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder, ExitStack() as held:
        root = Path(folder)
        made = held.enter_context(organization_stack(root, _PLACE))
        answers = held.enter_context(answering_azure(root / "azure"))
        stack = replace(made, plugins=_plugins(root / "plugins"), wrapper=answers.wrapper)
        nothing = stack.use(answers.environment, root / "nothing")
        return [*_previews(root, nothing), *program_start.measure(nothing, "Azure", "pulumi_azure_native", _SMALLEST)]


def _previews(root: Path, nothing: OrganizationStack) -> list[Figure]:
    plain = PlainProgram(root / "plain", "azure-native", nothing.planned(), nothing.environment)
    ours = {"pulumi": nothing.preview, "hybrid": nothing.hybrid_preview}
    return compared(ours, plain.preview, f"from nothing, {plain.count} resources of Azure")


def _plugins(folder: Path) -> str:
    """A folder in which Azure's plugin is the one that does nothing."""
    folder.mkdir()
    plugin = folder / "pulumi-resource-azure-native"
    plugin.write_text(
        f"#!/bin/sh\nexec {REPOSITORY}/benchmarks/null_provider/pulumi-resource-null --foretells-nothing\n"
    )
    plugin.chmod(0o700)
    return str(folder)
