"""A dagster_cloud.yaml said as the files of a dg project, and what of it only Serverless needed."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from hybrid.delivery.convert import same_values, to_build, with_tables
from hybrid.delivery.environment import BUILD
from hybrid.delivery.sources import Source
from hybrid.errors import SettingsError
from hybrid.switch.finding import Finding
from hybrid.switch.fixes.fix import Choice, Contents, Fix, ProposedFile, Wishes, below, file_of, folder_of
from hybrid.switch.fixes.mark import marked

_CONVERT: Final = Choice(
    "convert",
    "Its locations said as build.yaml, container_context.yaml and [tool.dg.project] in the folders that they are built "
    "from, by --convert.",
    "A review of the new files, and the removal of the old one in the same change: both in a folder are refused. What "
    "the new files have no words for is named.",
)
_SERVERLESS_REGISTRY: Final = re.compile(r"\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/.*serverless", re.IGNORECASE)


def fix_legacy_file(finding: Finding, contents: Contents, wishes: Wishes) -> Fix:
    """build.yaml, container_context.yaml and tables of pyproject.toml for each location; what they cannot say by name.

    Only when it is wished for: the older file is read as it is. It is left for whoever owns it to remove.
    """
    old = finding.facts.get("file") or file_of(finding)
    if not wishes.convert:
        return Fix(finding, f"{old} is read as it is", choices=(_CONVERT,))
    title = f"{old} said as build files of each location"
    text = contents.text(old)
    if text is None:
        return Fix(finding, title, by_hand=(f"{old} is not there, or is no text.",))
    try:
        conversion = to_build(Source(old, text.removeprefix("\ufeff")))
    except SettingsError as error:
        return Fix(finding, title, by_hand=(error.sentence(),))
    folder = posixpath.dirname(old)
    files: list[ProposedFile] = []
    by_hand = [each.sentence() for each in conversion.unsaid]
    notes: list[str] = []
    for name, whole in conversion.files.items():
        path = below(folder, name)
        if posixpath.basename(path) == f"{BUILD}.yaml" and _SERVERLESS_REGISTRY.search(whole):
            notes.append(f"{path} is not written: its registry is Serverless's, and the stack sets its own.")
        elif not _says_so_already(contents.text(path), whole, path):
            files.append(ProposedFile(path, marked(whole)))
    for name, tables in conversion.tables.items():
        path = below(folder, name)
        proposed, word = _with_tables(contents.text(path), tables, path)
        files += [proposed] if proposed else []
        by_hand += [word] if word else []
    if any("the whole location" in each for each in by_hand):
        notes.append(f"Locations that stay in {old} are served from it: hybrid reads it too.")
    stays = any(each.key == "the whole location" for each in conversion.unsaid)
    return Fix(
        finding,
        title,
        files=tuple(files),
        by_hand=tuple(by_hand),
        notes=(
            *notes,
            "An environment's own values go into build.ENV.yaml and container_context.ENV.yaml beside them.",
        ),
        obsolete=() if stays else (old,),
    )


def fix_executable_path(finding: Finding, contents: Contents) -> Fix:
    """Dropped where the image's own interpreter is the one meant; kept where it is not, with the reason.

    Facts: ``executable_path``; ``pex``, ``true`` for a location that runs as a Python executable.
    """
    given = finding.facts.get("executable_path", "")
    shown = f"`executable_path: {given[:200]}`" if given else "`executable_path`"
    if finding.facts.get("pex") == "true":
        why = "The Dockerfile in place of the executable has one interpreter, the first on its PATH."
        by_hand = (f"Remove it from {file_of(finding)}: there is no such file in the new image.",)
        return Fix(finding, f"{shown} is dropped", notes=(why,), by_hand=by_hand)
    if "Dockerfile" in contents.names(folder_of(finding)):
        why = "It is a path in the image that your own Dockerfile makes, and stays right if that puts it there."
        return Fix(finding, f"{shown} is kept", notes=(why,))
    why = (
        "A dg project has no word for it. The Dockerfile with the hooks puts its folder first on PATH, which comes to "
        "the same, so that it can be removed."
    )
    return Fix(finding, f"{shown} becomes the first on PATH", notes=(why,))


def _says_so_already(present: str | None, wanted: str, path: str) -> bool:
    if present is None:
        return False
    try:
        return same_values(Source(path, present), Source(path, wanted))
    except SettingsError:
        return False


def _with_tables(present: str | None, tables: str, path: str) -> tuple[ProposedFile | None, str | None]:
    """The pyproject.toml with its tables, or why it cannot be had."""
    source = None if present is None else Source(path, present)
    try:
        text = with_tables(source, tables, shown=path)
    except SettingsError as error:
        return None, error.sentence()
    if text is None:
        return None, f"{path} has [tool.dg] already and says something else than this:\n{tables}"
    if text == present:
        return None, None
    return ProposedFile(path, marked(text) if present is None else text, present), None
