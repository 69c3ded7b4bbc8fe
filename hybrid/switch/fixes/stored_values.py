"""Assets on Serverless's default IO manager: the stack sets its own default, and the values are copied."""

from __future__ import annotations

from typing import Final

from hybrid.delivery.stack_file import CONFIG, with_value
from hybrid.errors import HybridError
from hybrid.switch.finding import Finding
from hybrid.switch.fixes.dockerfile_from_pex import PYPROJECT, REQUIREMENTS
from hybrid.switch.fixes.fix import Contents, Fix, ProposedFile, Wishes, below, folder_of

LIBRARY: Final = "dagster-asset-values"
_KEYS: Final = (CONFIG, "hybrid:assetValues", "ioManager")


def fix_default_io_manager(finding: Finding, contents: Contents, wishes: Wishes) -> Fix:
    """`hybrid:assetValues.ioManager` in the stack's file, and the library among the location's requirements.

    The requirement is not written: until `hybrid assets library` has put the wheel somewhere, no build finds it.
    """
    path = f"stacks/Pulumi.{wishes.stack}.yaml"
    files, by_hand = _stack_file(contents.text(path), path)
    folder = folder_of(finding)
    named = [name for name in (REQUIREMENTS, PYPROJECT) if LIBRARY in (contents.text(below(folder, name)) or "")]
    if not named:
        by_hand.append(
            f"`hybrid assets library --into DIR` builds {LIBRARY}; put it where the image's build finds it, and name "
            f"it in {below(folder, REQUIREMENTS)} or under `dependencies` of {below(folder, PYPROJECT)}."
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


def _stack_file(present: str | None, path: str) -> tuple[list[ProposedFile], list[str]]:
    lines = "hybrid:assetValues:\n    ioManager: true"
    if present is None:
        return [], [f"{path} is not there yet: write into it, below `config:`,\n  {lines}"]
    try:
        text = with_value(present, _KEYS, True, path)
    except HybridError as error:
        return [], [f"{error.sentence()}\nWrite into {path}, below `config:`,\n  {lines}"]
    if text == present:
        return [], []
    # as people write it; Python's own spelling is a truth value of YAML 1.1 alone
    text = text.replace("ioManager: True", "ioManager: true")
    return [ProposedFile(path, text, present)], []
