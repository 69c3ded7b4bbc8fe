"""Assets on Serverless's default IO manager: the stack sets its own default, and the values are copied."""

from __future__ import annotations

from typing import Final

from hybrid.delivery.stack_file import CONFIG, with_value
from hybrid.errors import HybridError
from hybrid.switch.finding import Finding
from hybrid.switch.fixes.dockerfile_from_pex import PYPROJECT, REQUIREMENTS
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, Wishes, below, folder_of, normal

LIBRARY: Final = "dagster-asset-values"
_LINES: Final = "hybrid:assetValues:\n    ioManager: true"
_KEYS: Final = (CONFIG, "hybrid:assetValues", "ioManager")


def fix_default_io_manager(finding: Finding, contents: Contents, wishes: Wishes) -> Fix:
    """`hybrid:assetValues.ioManager` in the stack's file, and the library among the requirements of every location: the
    stack sets its IO manager for all of them.

    The requirement is not written: until `hybrid assets library` has put the wheel somewhere, no build finds it.
    """
    path = f"stacks/Pulumi.{wishes.stack}.yaml"
    files, by_hand = _elsewhere(wishes, path) if wishes.apart else _stack_file(contents.text(path), path)
    folders = {normal(each) for each in wishes.folders.values()} | {folder_of(finding)}
    if lacking := sorted(each for each in folders if not _names_library(contents, each)):
        by_hand.append(
            f"`hybrid assets library --into DIR` builds {LIBRARY}, which every location of the stack needs then, also "
            f"one without assets: {', '.join(each or 'the root' for each in lacking)}. Put the wheel into each folder, "
            f"as wheels/, and name it in its {REQUIREMENTS} by that path (./wheels/…)."
        )
    return Fix(
        finding,
        f"the stack's own default IO manager{f' for {finding.location}' if finding.location else ''}",
        files=tuple(files),
        by_hand=tuple(by_hand),
        notes=(
            "The agent's side alone sets it, so nothing changes on Serverless before the switch.",
            "Without it assets without an IO manager of their own would read and write the container's own disk.",
        ),
    )


def _names_library(contents: Contents, folder: str) -> bool:
    listed = (contents.text(below(folder, name)) or "" for name in (REQUIREMENTS, PYPROJECT))
    return any(LIBRARY in text.replace("_", "-") for text in listed)


def _elsewhere(wishes: Wishes, path: str) -> tuple[list[ProposedFile], list[str]]:
    if wishes.io_manager:
        return [], []
    return [], [f"Write into {path}, in the checkout of the stack, below `config:`,\n  {_LINES}"]


def _stack_file(present: str | None, path: str) -> tuple[list[ProposedFile], list[str]]:
    if present is None:
        return [], [f"{path} is not there yet: write into it, below `config:`,\n  {_LINES}"]
    try:
        text = with_value(present, _KEYS, True, path)
    except HybridError as error:
        return [], [f"{error.sentence()}\nWrite into {path}, below `config:`,\n  {_LINES}"]
    if text == present:
        return [], []
    # as people write it; Python's own spelling is a truth value of YAML 1.1 alone
    text = text.replace("ioManager: True", "ioManager: true")
    return [ProposedFile(path, text, present)], []
