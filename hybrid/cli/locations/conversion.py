"""``hybrid locations convert``: build files of one shape said in the other."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from hybrid.delivery.convert import Conversion, ProjectFiles
    from hybrid.delivery.sources import Place


class Shape(StrEnum):
    BUILD = "build"
    LEGACY = "legacy"


@dataclass(frozen=True)
class _Proposal:
    """One file of the other shape beside what is there."""

    path: str
    """Relative to the folder that is converted."""
    shown: str
    """As seen from where the command was called."""
    present: str | None
    text: str
    differs: bool
    """Whether somebody's file says something else; then nothing is written."""

    def difference(self) -> str:
        lines = difflib.unified_diff(
            (self.present or "").splitlines(keepends=True),
            self.text.splitlines(keepends=True),
            self.shown if self.present is not None else "/dev/null",
            self.shown,
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def register(app: typer.Typer) -> None:
    app.command()(convert)


def convert(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A dagster_cloud.yaml, or a folder.")],
    to: Annotated[
        Shape | None,
        typer.Option("--to", help="The shape to convert to. Default: the one that is not there."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the files; none that is there is replaced.")] = False,
    as_json: Json = False,
) -> None:
    """Say a dagster_cloud.yaml as build.yaml, container_context.yaml and [tool.dg.project], or these as the former.

    What the other shape has no words for is listed.

    Examples: [bold]hybrid locations convert dagster_cloud.yaml[/]  ·
    [bold]hybrid locations convert locations/hello --to legacy --write[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.delivery.written_files import write_files

    place = _place(path)
    chosen = to or (Shape.BUILD if (place.path / "dagster_cloud.yaml").exists() else Shape.LEGACY)
    conversion = _converted(place, chosen)
    proposals = _proposals(place, conversion)
    differing = [proposal for proposal in proposals if proposal.differs]
    new = {proposal.path: proposal.text for proposal in proposals if proposal.text != proposal.present}
    if write and differing:
        raise SettingsError(
            f"Nothing is written: {', '.join(one.shown for one in differing)} "
            f"{'says' if len(differing) == 1 else 'say'} something else already.",
            why="\n".join(one.difference() for one in differing),
            next_step="take over by hand what is right, or move the file away, and run the same command again.",
        )
    written = write_files(place.path, new) if write else ()
    unsaid = [one.sentence() for one in conversion.unsaid]
    if as_json:
        answer_json(
            {
                "to": chosen.value,
                "files": {one.path: one.text for one in proposals},
                "differing": [one.path for one in differing],
                "unsaid": unsaid,
                "written": written,
            }
        )
        return
    if not write:
        _print([one.difference() for one in proposals if one.text != one.present])
    _print([f"Not said in the shape {chosen.value}:\n", *(f"- {sentence}\n" for sentence in unsaid)] if unsaid else [])
    listed = ", ".join(one.shown for one in proposals if one.path in written) or "nothing"
    note(f"Written: {listed}." if write else "Nothing is written without --write.")
    if write:
        note("A folder with both shapes is refused: remove the one that you leave.")


def _place(path: Path) -> Place:
    from hybrid.delivery.sources import Place

    folder = path.parent if path.name == "dagster_cloud.yaml" else path
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", next_step="name a dagster_cloud.yaml or a folder.")
    return Place(folder.resolve(), str(folder))


def _converted(place: Place, to: Shape) -> Conversion:
    from hybrid.delivery.convert import to_build, to_legacy
    from hybrid.delivery.legacy import FILE

    if to is Shape.LEGACY:
        return to_legacy(_projects(place))
    source = place.read(FILE)
    if source is None:
        raise UsageError(f"There is no {place.shown}/{FILE}.", next_step="name the file, or the folder that has it.")
    return to_build(source)


def _projects(place: Place) -> list[ProjectFiles]:
    """The dg project in the folder, or else those in its own folders."""
    found = [_project(place, "")]
    if found[0] is None:
        names = sorted(each.name for each in place.path.iterdir() if each.is_dir() and not each.is_symlink())
        found = [_project(place.below(name), name) for name in names if not name.startswith(".")]
    projects = [project for project in found if project is not None]
    if not projects:
        raise UsageError(
            f"There is no dg project in {place.shown}, nor in a folder of it.",
            next_step="name a folder with [tool.dg.project] in its pyproject.toml.",
        )
    return projects


def _project(place: Place, folder: str) -> ProjectFiles | None:
    from hybrid.delivery.build_files import build_files
    from hybrid.delivery.convert import PYPROJECT, ProjectFiles
    from hybrid.delivery.environment import environment_of
    from hybrid.delivery.project import DG, DG_TOML, Project

    pyproject, dg_toml = place.read(PYPROJECT), place.read("dg.toml")
    project = Project.parse(pyproject, dg_toml)
    if project is None or project.table not in (DG, DG_TOML):
        return None
    build_files(place, None)  # what is wrong in them is said with their own lines
    return ProjectFiles(
        folder=folder,
        name=place.path.name,
        pyproject=pyproject,
        dg_toml=dg_toml,
        build=place.read("build.yaml"),
        container_context=place.read("container_context.yaml"),
        overlays=tuple(sorted(each.name for each in place.path.iterdir() if environment_of(each.name))),
    )


def _proposals(place: Place, conversion: Conversion) -> list[_Proposal]:
    from hybrid.delivery.convert import same_values, with_tables
    from hybrid.delivery.sources import Source

    found = []

    def propose(path: str, present: str | None, text: str, *, differs: bool) -> None:
        found.append(_Proposal(path, (Path(place.shown) / path).as_posix(), present, text, differs))

    for path, text in conversion.files.items():
        source = place.read(path)
        if source is not None and same_values(source, Source(path, text)):
            text = source.text  # its comments and layout stay
        present = source.text if source else None
        propose(path, present, text, differs=present is not None and text != present)
    for path, tables in conversion.tables.items():
        source = place.read(path)
        added = with_tables(source, tables, shown=path)
        propose(path, source.text if source else None, added or tables, differs=added is None)
    return sorted(found, key=lambda proposal: proposal.path)


def _print(parts: list[str]) -> None:
    from hybrid.redaction import redact

    sys.stdout.write(redact("".join(parts)))
